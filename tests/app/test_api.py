"""The JSON API on a real server with a real worker."""

import json

import pytest
from safetensors.numpy import load

API = "/api/v1/clips"


@pytest.fixture
def get(server, sample_id):
    def get(path="", **params):
        return server.http.get(f"{API}/{sample_id}{path}", params=params)

    return get


def test_the_samples_are_analysed_at_first_start(server):
    clips = server.http.get(API).json()["clips"]

    assert {clip["filename"] for clip in clips} == {"cat-window.mp4", "shuttle-orbit.mp4", "two-cups.mp4"}
    assert all(clip["sample"] and clip["state"] == "done" and clip["progress"] == 1 for clip in clips)


def test_a_clip_tells_what_the_network_saw(get):
    clip = get().json()

    assert clip["frames"]["count"] == 32
    assert clip["frames"]["indices"] == list(range(0, 64, 2))
    assert (clip["video"]["width"], clip["video"]["height"]) == (456, 256)
    assert clip["frames"]["url"] == f"{API}/{clip['id']}/frames.jpg"


def test_the_frames_are_one_jpeg_of_the_stated_geometry(get):
    import io

    from PIL import Image

    frames, response = get().json()["frames"], get("/frames.jpg")

    assert response.headers["content-type"] == "image/jpeg"
    size = Image.open(io.BytesIO(response.content)).size
    assert size == (frames["columns"] * frames["size_px"], frames["rows"] * frames["size_px"])


def test_predictions_fall(get):
    found = get("/predictions", k=7).json()["predictions"]

    assert len(found) == 7
    assert [p["probability"] for p in found] == sorted((p["probability"] for p in found), reverse=True)


def test_blocks_come_in_network_order_with_both_grids(get):
    blocks = get("/blocks").json()["blocks"]

    assert [block["name"] for block in blocks] == ["mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f"]
    assert blocks[0]["query_grid"] == {"t": 16, "h": 28, "w": 28}
    assert blocks[0]["key_grid"] == {"t": 16, "h": 14, "w": 14}


def test_arrows_fall_and_carry_rank_cell_frames_and_box(get):
    found = get("/arrows", block="mixed_4c", frame=9, x=0.5, y=0.25).json()

    assert found["start"]["cell"] == {"t": 2, "h": 3, "w": 7}
    assert found["start"]["frames"] == [8, 11]
    assert [arrow["rank"] for arrow in found["arrows"]] == list(range(1, 21))
    weights = [arrow["weight"] for arrow in found["arrows"]]
    assert weights == sorted(weights, reverse=True)
    end = found["arrows"][0]["end"]
    assert end["box"] == pytest.approx([end["cell"]["w"] / 7, end["cell"]["h"] / 7,
                                        (end["cell"]["w"] + 1) / 7, (end["cell"]["h"] + 1) / 7])  # fmt: skip


def test_a_row_is_the_whole_grid_and_sums_to_one(get):
    row = get("/row", block="mixed_4c", frame=9, x=0.5, y=0.25).json()

    assert row["grid"] == {"t": 8, "h": 7, "w": 7}
    assert len(row["weights"]) == 8 * 7 * 7
    assert sum(row["weights"]) == pytest.approx(1, abs=1e-4)


def test_a_reverse_question_is_asked_among_keys_and_answered_among_queries(get):
    row = get("/row", block="mixed_4c", frame=9, x=0.5, y=0.25, direction="reverse").json()

    assert row["start"]["cell"] == {"t": 2, "h": 1, "w": 3}
    assert row["grid"] == {"t": 8, "h": 14, "w": 14}


def test_features_are_theta_and_phi_with_kind_scale_and_grids(get):
    content = get("/blocks/mixed_4c/features").content

    arrays = load(content)
    assert arrays["theta"].shape == (8 * 14 * 14, 128)
    assert arrays["phi"].shape == (8 * 7 * 7, 128)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    assert header["kind"] == "embedded_gaussian"
    assert header["query_grid"] == "8,14,14"


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"block": "res3_1"}, 404, "no block 'res3_1'; this model has mixed_3c"),
        ({"frame": 32}, 422, "frame 32 is outside the clip; it has frames 0 to 31"),
        ({"x": 1.0}, 422, "query.x: Input should be less than 1"),
        ({"x": "nan"}, 422, "query.x"),
        ({"y": "-1e999"}, 422, "query.y"),
        ({"k": 0}, 422, "query.k"),
        ({"frame": "9" * 5000}, 422, "query.frame"),
        ({"direction": "sideways"}, 422, "query.direction"),
        ({"colour": "red"}, 422, "query.colour: Extra inputs are not permitted"),
    ],
)
def test_a_bad_question_gets_a_clear_error_in_the_one_shape(get, params, status, words):
    response = get("/arrows", **({"block": "mixed_4c", "frame": 0, "x": 0.5, "y": 0.5} | params))

    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message", "details"}
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize("path", [f"{API}/nobody", f"{API}/nobody/arrows", "/nowhere", "/api/v1/nowhere"])
def test_what_is_not_there_is_a_404_in_the_one_shape(server, path):
    response = server.http.get(path, params={"block": "b", "frame": 0, "x": 0, "y": 0} if "arrows" in path else None)

    assert response.status_code == 404
    assert response.json()["error"]["message"]


def test_the_same_file_is_the_same_clip(server, sample, sample_id):
    response = server.upload(sample)

    assert response.status_code == 200
    assert response.json()["id"] == sample_id


def test_an_upload_is_followed_by_events_that_resume_and_end(server, sample):
    response = server.upload(sample, start_s="1.0")
    assert response.status_code == 202
    clip_id = response.json()["id"]
    assert response.headers["location"] == f"{API}/{clip_id}"

    events = follow(server, clip_id)

    assert [event["state"] for event in events][-1] == "done"
    assert {"decode", "network"} <= {event["stage"] for event in events}  # writing may be too quick to be seen
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    middle = events[len(events) // 2]["revision"]
    assert [event["revision"] for event in follow(server, clip_id, middle)] == [events[-1]["revision"]]
    assert server.clip(clip_id)["frames"]["times_s"][0] == pytest.approx(1.0, abs=0.05)
    assert server.http.delete(f"{API}/{clip_id}").status_code == 204
    assert server.http.get(f"{API}/{clip_id}").status_code == 404
    assert not (server.data / "clips" / clip_id).exists()


def follow(server, clip_id: str, after: int = 0) -> list[dict]:
    headers = {"Last-Event-ID": str(after)}
    with server.http.stream("GET", f"{API}/{clip_id}/events", headers=headers) as stream:
        return [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]


def test_a_file_that_is_no_video_fails_in_words(server):
    response = server.http.post(API, params={"filename": "<b>notes</b>.mp4"}, content=b"no video at all" * 100)

    clip = server.finish(response.json()["id"])

    assert clip["state"] == "failed"
    assert clip["error"]["code"] == "UnreadableVideo"
    assert (
        server.http.get(f"{API}/{clip['id']}/arrows", params={"block": "b", "frame": 0, "x": 0, "y": 0}).status_code
        == 409
    )
    page = server.http.get(f"/clips/{clip['id']}", headers={"Accept": "text/html"}).text
    assert "<b>notes" not in page
    server.http.delete(f"{API}/{clip['id']}")


def test_a_queued_clip_can_be_cancelled_and_a_done_one_cannot(server, sample, sample_id):
    clip_id = server.upload(sample, start_s="0.5").json()["id"]

    assert server.http.post(f"{API}/{clip_id}/cancel").json()["state"] == "cancelled"
    assert server.http.post(f"{API}/{sample_id}/cancel").status_code == 409
    server.http.delete(f"{API}/{clip_id}")


def test_an_unknown_model_is_refused_before_the_upload(server, sample):
    response = server.upload(sample, model="i4d")

    assert response.status_code == 404
    assert "i4d" in response.json()["error"]["message"]


def test_models_are_cards_with_their_limits_in_words(server):
    (card,) = server.http.get("/api/v1/models").json()["models"]

    assert card["default"]
    assert "fitted to unlabelled videos" in card["summary"]
    assert card["spec"]["blocks"][0]["after"] == "mixed_3c"


def test_version_tells_the_limits_of_uploads(server):
    limits = server.http.get("/version").json()["limits"]

    assert limits["upload_bytes"] == 200_000_000
    assert "mp4" in limits["containers"]
    assert "H.264" in limits["codecs"]


def test_every_route_is_described(server):
    paths = server.http.get("/api/v1/openapi.json").json()["paths"]

    assert f"{API}/{{clip_id}}/arrows" in paths
    assert all(operation["description"] for methods in paths.values() for operation in methods.values())


def test_pages_carry_headers_that_load_nothing_foreign(server):
    headers = server.http.get("/").headers

    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"


def test_a_browser_gets_errors_as_pages(server):
    response = server.http.get("/clips/nobody", headers={"Accept": "text/html"})

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_a_form_without_javascript_uploads_too(server, sample, sample_id):
    response = server.http.post("/upload", files={"file": (sample.name, sample.read_bytes())})

    assert response.status_code == 303
    assert response.headers["location"] == f"/clips/{sample_id}"
