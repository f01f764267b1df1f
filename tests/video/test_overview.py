"""A whole video at a glance: which frames, how they are laid out, and where the network's crop lies on them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from nonlocal_core.errors import UnreadableVideo, VideoError
from nonlocal_core.video import (
    Sampling,
    clip_frames,
    crop_box,
    crop_clip,
    decode_frames,
    overview,
    overview_sheet,
    probe_video,
    read_overview,
)
from nonlocal_core.video.overview import overview_frames
from nonlocal_core.video.sampling import frame_at, latest_start


@pytest.mark.parametrize(("frames", "count"), [(1, 1), (2, 2), (47, 47), (48, 48), (49, 48), (20_000, 48)])
def test_pictures_are_spread_evenly_from_the_first_frame_to_the_last(frames, count):
    chosen = overview_frames(frames)

    assert (chosen[0], chosen[-1], len(chosen)) == (0, frames - 1, count)
    steps = np.diff(chosen)
    assert count == 1 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)


def test_the_pictures_are_the_stated_frames_whole(film, read_number):
    path = film("long.mp4", numbers=range(100), size=(160, 120))

    found = read_overview(path, probe_video(path))

    assert found.rgb.shape == (48, 90, 120, 3)
    assert [read_number(rgb) for rgb in found.rgb] == found.indices.tolist() == overview_frames(100).tolist()


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("h264.mp4", {"options": {"g": "10", "bf": "0", "sc_threshold": "0"}}),
        ("b-frames.mkv", {"options": {"g": "10", "bf": "2", "sc_threshold": "0", "x264-params": "open-gop=0"}}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": {"g": "10"}}),
        ("mpeg4.avi", {"codec": "mpeg4", "options": {"g": "10", "sc_threshold": "1000000000"}}),
    ],
)
def test_of_a_long_video_only_key_frames_are_decoded(film, read_number, monkeypatch, name, choices):
    path = film(name, numbers=range(100), **choices)
    monkeypatch.setattr(overview, "WHOLLY_DECODED_PIXELS", 0)

    found = read_overview(path, probe_video(path))

    assert found.indices.tolist() == list(range(0, 100, 10))
    assert [read_number(rgb) for rgb in found.rgb] == found.indices.tolist()
    assert found.times_s == pytest.approx(found.indices / 25, abs=0.002)


def test_where_every_frame_is_a_key_frame_the_wanted_ones_come(film, read_number, monkeypatch):
    path = film("intra.mov", codec="mjpeg", pix_fmt="yuvj420p", numbers=range(100))
    monkeypatch.setattr(overview, "WHOLLY_DECODED_PIXELS", 0)

    found = read_overview(path, probe_video(path))

    assert found.indices.tolist() == [read_number(rgb) for rgb in found.rgb] == overview_frames(100).tolist()


def test_a_file_that_is_no_video_has_no_overview(film, tmp_path):
    info = probe_video(film("a.mp4"))
    (tmp_path / "b.mp4").write_bytes(b"#EXTM3U\nfile:///etc/passwd\n")

    with pytest.raises(UnreadableVideo):
        read_overview(tmp_path / "b.mp4", info)


@pytest.mark.parametrize(("count", "height", "width"), [(48, 90, 160), (48, 160, 90), (1, 90, 720), (7, 90, 90)])
def test_a_picture_stands_in_the_sheet_where_its_number_says(count, height, width):
    rgb = np.arange(count, dtype=np.uint8)[:, None, None, None] + np.zeros((count, height, width, 3), np.uint8)

    sheet = overview_sheet(rgb)

    columns = sheet.shape[1] // width
    places = [divmod(n, columns) for n in range(count)]
    assert [sheet[row * height, column * width, 0] for row, column in places] == list(range(count))
    assert max(sheet.shape[:2]) < 2 * min(sheet.shape[:2]) or count < 8


@pytest.mark.parametrize("size", [(456, 256), (256, 456), (340, 256), (321, 241)])
def test_the_box_of_the_crop_is_where_the_crop_is_cut(film, size):
    path = film("a.mp4", numbers=[0], size=size, pix_fmt="yuv444p", options={"qp": "0"})
    seen = crop_clip(decode_frames(path, np.array([0]), short_side=120).rgb, 112)[0]  # [S,S,3]
    whole = decode_frames(path, np.array([0]), short_side=120).rgb[0]  # [H,W,3]

    left, top, right, bottom = crop_box(*size, short_side=120, size=112)

    high, wide = whole.shape[:2]
    rows, columns = slice(round(top * high), round(bottom * high)), slice(round(left * wide), round(right * wide))
    assert np.array_equal(whole[rows, columns], seen)


def test_a_clip_at_the_latest_start_ends_with_the_video_and_repeats_nothing(numbered):
    info, sampling = probe_video(numbered), Sampling(8, 3)

    indices = clip_frames(info, sampling, latest_start(info, sampling))

    assert indices[-1] == info.frames - 1
    assert len(set(indices.tolist())) == 8
    assert latest_start(info, Sampling(32, 2)) == 0


@pytest.mark.parametrize("rate_hz", [24.0, 25.0, 29.97002997002997, 30000 / 1001, 59.94, 12.5])
def test_a_frame_s_own_time_leads_back_to_it(rate_hz):
    assert [frame_at(frame / rate_hz, rate_hz) for frame in range(20_000)] == list(range(20_000))


def test_hostile_files_end_in_a_verdict_by_key_frames_too(hostile_files):
    for path in hostile_files:
        with contextlib.suppress(VideoError):
            found = overview.key_frames(path, overview_frames(300), short_side=90, limits=overview.OVERVIEW_LIMITS)
            assert 1 <= len(found.rgb) <= 48
