"""Cuts and null models over HTTP: asked, followed, known again, survived, refused in words."""

from __future__ import annotations

import json
import os
import threading

import pytest
import sqlalchemy as sa

from app.clips_table import NewClip
from app.database import open_database
from app.jobs.cut_task import CutTask
from app.jobs.cuts import CutShelf, StoredCut
from app.library import Library
from app.metrics import JobMetrics
from app.uploads import Received
from nonlocal_core.affinity.cut import Cut
from tests.server import LensServer

API = "/api/v1/clips"
AS_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def own(two_models_server, sample):
    """A server of two models, and a clip of the default one, done."""
    clip_id = two_models_server.upload(sample).json()["id"]
    assert two_models_server.finish(clip_id)["state"] == "done"
    return two_models_server, clip_id


def finished(server: LensServer, url: str) -> dict:
    server.wait_until(lambda: server.http.get(url).json()["state"] in ("done", "failed"), "cut")
    return server.http.get(url).json()


def test_a_cut_is_made_by_the_worker_and_tells_the_top_5_before_and_after(own):
    server, clip_id = own
    response = server.http.post(f"{API}/{clip_id}/cuts", json={"block": "mixed_4c", "keys": "block"})
    assert response.status_code == 202
    assert response.headers["location"] == response.json()["url"]

    cut = finished(server, response.json()["url"])

    assert cut["state"] == "done"
    told = server.http.get(f"{API}/{clip_id}/predictions").json()["predictions"]
    assert [each["label"] for each in cut["before"]] == [each["label"] for each in told]
    assert cut["before"][0]["probability"] == pytest.approx(told[0]["probability"], abs=1e-5)
    assert len(cut["after"]) == 5
    assert 0 < cut["moved"] < 1
    assert any(abs(change["after"] - change["before"]) > 1e-4 for change in cut["changes"])


def test_the_same_wish_is_the_same_cut_in_whatever_order_its_cells_come(own):
    server, clip_id = own
    wish = {"block": "mixed_4f", "keys": [5, 3], "queries": [7]}
    first = server.http.post(f"{API}/{clip_id}/cuts", json=wish)
    assert first.status_code == 202
    finished(server, first.json()["url"])

    again = server.http.post(f"{API}/{clip_id}/cuts", json=wish | {"keys": [3, 5, 5]})

    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, first.json()["id"], "done")
    other = server.http.post(f"{API}/{clip_id}/cuts", json=wish | {"queries": None})
    assert other.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"block": "res9", "keys": [1]}, 404, "UnknownBlock"),
        ({"block": "mixed_4f", "keys": [392]}, 422, "CellOutsideGrid"),
        ({"block": "mixed_4f", "keys": [1], "queries": [-1]}, 422, "CellOutsideGrid"),
        ({"block": "mixed_4f", "keys": "everything"}, 422, "InvalidRequest"),
        ({"block": "mixed_4f", "keys": [1.5]}, 422, "InvalidRequest"),
        ({"block": "mixed_4f", "keys": [10**40]}, 422, None),
        ({"block": "mixed_4f", "keys": [1], "more": 1}, 422, "InvalidRequest"),
        ([], 422, "InvalidRequest"),
    ],
    ids=str,
)
def test_a_cut_that_makes_no_sense_is_refused_in_words(own, body, status, code):
    server, clip_id = own
    response = server.http.post(f"{API}/{clip_id}/cuts", content=json.dumps(body), headers=AS_JSON)

    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert code in (None, response.json()["error"]["code"])


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 422), (b"\xff{", 422), (b"[" * 100_000, 422), (b" " * 1_000_001, 413)]
)
def test_a_body_that_is_no_wish_is_refused_too(own, body, status):
    server, clip_id = own

    assert server.http.post(f"{API}/{clip_id}/cuts", content=body, headers=AS_JSON).status_code == status


def test_a_cut_that_nobody_asked_for_is_not_there(own):
    server, clip_id = own

    for cut_id in ("0" * 24, "..%2F..%2Fvideo", "x"):
        assert server.http.get(f"{API}/{clip_id}/cuts/{cut_id}").status_code == 404
    assert server.http.post(f"{API}/{'0' * 24}/cuts", json={"block": "mixed_4f", "keys": [1]}).status_code == 404


def test_a_cancelled_cut_is_not_made_until_it_is_asked_for_again(own):
    server, clip_id = own
    wish = {"block": "mixed_4b", "keys": [9]}
    url = server.http.post(f"{API}/{clip_id}/cuts", json=wish).json()["url"]

    cancelled = server.http.post(f"{url}/cancel")

    assert (cancelled.status_code, cancelled.json()["state"], cancelled.json()["changes"]) == (200, "cancelled", [])
    assert server.http.get(url).json()["state"] == "cancelled"
    assert server.http.post(f"{API}/{clip_id}/cuts", json=wish).status_code == 202
    assert finished(server, url)["state"] == "done"
    assert server.http.post(f"{url}/cancel").json()["state"] == "done"
    assert server.http.post(f"{API}/{clip_id}/cuts/{'0' * 24}/cancel").status_code == 404


def test_a_cut_that_is_cancelled_while_the_network_runs_is_dropped(tmp_path):
    engine = open_database(tmp_path / "data", None)
    library = Library(engine, tmp_path / "data")
    (tmp_path / "upload").write_bytes(b"video")
    new = NewClip("kick.mp4", "m", 0.0, sample=False, expires_at=None)
    clip, _ = library.add(Received(tmp_path / "upload", "ab" * 32, 5), new, lambda *_: None)
    shelf, cut = CutShelf(library), StoredCut.of(Cut("b", (1,)))
    shelf.write(clip.id, cut)

    class Clip:
        def without(self, _cut):
            shelf.stop(clip.id, cut.id)

    task = CutTask(library, {}, threading.Lock(), JobMetrics())
    task._kept = clip.id, Clip()
    task.run(f"{clip.id}/{cut.id}")

    assert shelf.find(clip.id, cut.id).state == "cancelled"
    assert shelf.let_go(clip.id, cut.id)
    engine.dispose()


def test_a_cut_survives_kill_9(sample, tmp_path):
    server = LensServer(tmp_path / "data", samples="false").start()
    clip_id = server.upload(sample).json()["id"]
    server.finish(clip_id)
    url = server.http.post(f"{API}/{clip_id}/cuts", json={"block": "mixed_3c", "keys": "other_frames"}).json()["url"]
    server.kill()

    server.start()

    assert finished(server, url)["state"] == "done"
    assert list((tmp_path / "data" / "clips" / clip_id / "cuts").glob(".*")) == []
    server.http.delete(f"{API}/{clip_id}")
    assert not (tmp_path / "data" / "clips" / clip_id).exists()
    assert server.stop() == 0


@pytest.mark.parametrize("variant", ["shuffled", "random_weights"])
def test_a_null_model_is_a_clip_of_its_own_of_the_same_model(own, variant):
    server, clip_id = own
    made = server.http.post(f"{API}/{clip_id}/again", params={"variant": variant})
    assert made.status_code == 202
    null, clip = server.finish(made.json()["id"]), server.clip(clip_id)

    assert (null["state"], null["variant"], null["model"], clip["variant"]) == ("done", variant, clip["model"], "none")
    assert null["sha256"] == clip["sha256"]
    assert any(note.startswith("Null model: ") for note in null["notes"])
    assert (null["frames"]["indices"] != clip["frames"]["indices"]) == (variant == "shuffled")
    assert null["frames"]["times_s"] == clip["frames"]["times_s"]
    assert server.http.post(f"{API}/{clip_id}/again", params={"variant": variant}).status_code == 200
    assert server.http.post(f"{API}/{null['id']}/again", params={"variant": "none"}).json()["id"] == clip_id
    assert server.http.post(f"{API}/{null['id']}/again").json()["id"] == null["id"]
    assert f"{clip['model']}, {variant.replace('_', ' ')}" in server.http.get(f"/clips/{clip_id}").text


def test_a_null_model_that_the_network_cannot_have_is_refused(own):
    server, clip_id = own
    params = {"model": "late-blocks", "variant": "random_weights"}

    refused = server.http.post(f"{API}/{clip_id}/again", params=params)

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "UnfitVariant")
    assert server.http.post(f"{API}/{clip_id}/again", params={"variant": "loud"}).status_code == 422


def test_a_library_of_version_0_1_0_still_opens(tmp_path):
    engine = open_database(tmp_path, None)
    Library(engine, tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE clips DROP COLUMN variant")
        row = {
            "id": "'a'",
            "sha256": "'b'",
            "filename": "'kick.mp4'",
            "model": "'m'",
            "start_s": 0,
            "bytes": 1,
            "sample": 0,
        }
        row |= {"state": "'done'", "stage": "'done'", "progress": 1, "created_at": 0, "arrival": 1, "revision": 1}
        row |= {"attempts": 1, "details": "'{}'"}
        names, values = ", ".join(row), ", ".join(map(str, row.values()))
        connection.execute(sa.text(f"INSERT INTO clips ({names}) VALUES ({values})"))

    library = Library(engine, tmp_path)

    assert library.get("a").variant == "none"
    assert Library(engine, tmp_path).get("a").filename == "kick.mp4"
    engine.dispose()


def test_the_oldest_of_too_many_cuts_is_forgotten(tmp_path):
    engine = open_database(tmp_path, None)
    library = Library(engine, tmp_path)
    (library.root / "clip").mkdir()
    shelf = CutShelf(library)
    cuts = [StoredCut.of(Cut("b", (key,))) for key in range(5)]
    for at, cut in enumerate(cuts):
        shelf.write("clip", cut)
        os.utime(library.root / "clip" / "cuts" / f"{cut.id}.json", (at, at))

    shelf.forget_oldest("clip", kept=2)

    assert [shelf.find("clip", cut.id) is not None for cut in cuts] == [False, False, False, True, True]
    engine.dispose()
