"""The strip of a whole video: made once for each video, whole or not there, and never in the way of an analysis."""

import asyncio
import io
import shutil

import pytest
from PIL import Image

from app import overviews
from app.clips_table import NewClip
from app.database import open_database
from app.library import Library
from app.overviews import DESCRIPTION, PICTURE, Overviews
from app.problems import ClipNotFound, NoOverview
from app.uploads import Received
from nonlocal_core.errors import VideoTooLarge
from nonlocal_core.video import probe_video

API = "/api/v1/clips"


@pytest.fixture
def library(tmp_path):
    engine = open_database(tmp_path, None)
    yield Library(engine, tmp_path)
    engine.dispose()


@pytest.fixture
def add(library, sample, tmp_path):
    """Adds a finished clip of the sample."""

    def add(start_s=0.0):
        shutil.copyfile(sample, tmp_path / "received")
        received = Received(tmp_path / "received", "a" * 64, sample.stat().st_size)
        clip = library.add(received, NewClip("a.mp4", "default", start_s, False, None), lambda *_: None)[0]
        library.finish(clip.id, library.start(clip.id).attempts, {"video": vars(probe_video(sample))})
        return library.get(clip.id)

    return add


@pytest.fixture
def decodings(monkeypatch):
    """The videos that were decoded for a strip."""
    seen = []
    real = overviews.read_overview
    monkeypatch.setattr(overviews, "read_overview", lambda path, info: seen.append(path) or real(path, info))
    return seen


def test_the_overview_tells_where_the_window_and_the_crop_are(server, sample_id):
    got = server.http.get(f"{API}/{sample_id}/overview").json()

    assert (got["frames"], got["rate_hz"], got["duration_s"]) == (96, 25, 3.84)
    assert (got["spanned"], got["span_s"], got["latest_start_s"]) == (63, 63 / 25, 33 / 25)
    assert (got["window"]["id"], got["window"]["first"], got["others"]) == (sample_id, 0, [])
    assert got["crop"] == pytest.approx([(456 - 224) / 2 / 456, 16 / 256, (456 + 224) / 2 / 456, 240 / 256])
    assert len(got["times_s"]) == len(got["indices"]) == got["count"] == 48


def test_the_picture_is_one_jpeg_of_the_stated_geometry(server, sample_id):
    got = server.http.get(f"{API}/{sample_id}/overview").json()

    response = server.http.get(got["url"])

    assert response.headers["content-type"] == "image/jpeg"
    size = Image.open(io.BytesIO(response.content)).size
    assert size == (got["columns"] * got["width_px"], got["rows"] * got["height_px"])


def test_the_latest_start_is_analysed_without_a_repeated_frame_and_is_known_as_another_window(server, sample_id):
    latest = server.http.get(f"{API}/{sample_id}/overview").json()["latest_start_s"]
    other = server.http.post(f"{API}/{sample_id}/again", params={"start_s": latest}).json()["id"]
    try:
        clip = server.finish(other)
        got = server.http.get(f"{API}/{sample_id}/overview").json()
    finally:
        server.http.delete(f"{API}/{other}")

    assert clip["frames"]["indices"] == list(range(33, 96, 2))
    assert [(window["id"], window["first"], window["state"]) for window in got["others"]] == [(other, 33, "done")]


@pytest.mark.parametrize("path", ["overview", "overview.jpg"])
def test_a_clip_that_is_not_there_has_no_overview(server, path):
    response = server.http.get(f"{API}/nobody/{path}")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "ClipNotFound")


def test_the_video_is_decoded_once_for_all_its_windows(library, add, decodings):
    first, second = add(0.0), add(0.5)
    strips = Overviews(library)

    async def ask():
        return await asyncio.gather(*(strips.of(clip) for clip in (first, first, second, first)))

    found = asyncio.run(ask())

    assert len(decodings) == 1
    assert all(each == found[0] for each in found)
    pictures = [(library.folder(clip.id) / PICTURE).read_bytes() for clip in (first, second)]
    assert pictures[0] == pictures[1]


def test_a_strip_outlives_the_clip_it_was_made_for(library, add, decodings):
    first, second = add(0.0), add(0.5)
    asyncio.run(Overviews(library).of(first))
    asyncio.run(Overviews(library).of(second))
    library.delete(first.id)

    assert asyncio.run(Overviews(library).picture(second))[:2] == b"\xff\xd8"
    assert len(decodings) == 1


def test_what_was_killed_half_way_is_made_again(library, add, decodings):
    clip = add()
    (library.folder(clip.id) / f".{PICTURE}.new").write_bytes(b"half")
    (library.folder(clip.id) / PICTURE).write_bytes(b"\xff\xd8 without its description")

    found = asyncio.run(Overviews(library).of(clip))

    size = Image.open(io.BytesIO((library.folder(clip.id) / PICTURE).read_bytes())).size
    assert size == (found.columns * found.width_px, found.rows * found.height_px)
    assert len(decodings) == 1


def test_a_description_that_cannot_be_read_is_made_again(library, add):
    clip = add()
    (library.folder(clip.id) / DESCRIPTION).write_text('{"count": 3}')

    assert asyncio.run(Overviews(library).of(clip)).count == 48


def test_a_video_without_a_strip_says_why_and_is_not_tried_again(library, add, monkeypatch):
    tried = []

    def refuse(path, _info):
        tried.append(path)
        raise VideoTooLarge("reading the video took more than 20 s")

    monkeypatch.setattr(overviews, "read_overview", refuse)
    clip, strips = add(), Overviews(library)

    for _ in range(2):
        with pytest.raises(NoOverview, match="took more than 20 s"):
            asyncio.run(strips.of(clip))

    assert len(tried) == 1


def test_a_clip_that_was_deleted_meanwhile_is_not_found_and_leaves_nothing(library, add):
    clip = add()
    library.delete(clip.id)

    with pytest.raises(ClipNotFound):
        asyncio.run(Overviews(library).of(clip))

    assert not library.folder(clip.id).exists()
