from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition

from nonlocal_core.errors import UnreadableVideo, VideoTooLarge
from nonlocal_core.video import DecodeLimits, probe_video
from nonlocal_core.video.reading import PacketCount

LIMITS = DecodeLimits()


def test_a_film_is_measured(numbered):
    info = probe_video(numbered)

    assert (info.container, info.codec, info.width, info.height) == ("mov/mp4", "h264", 160, 120)
    assert (info.frames, info.rate_hz, info.duration_s) == (40, 25.0, 1.6)
    assert (info.rotation, info.truncated) == (0, False)


@pytest.mark.parametrize(
    ("name", "choices", "codec"),
    [
        ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}, "vp9"),
        ("a.webm", {"codec": "libvpx"}, "vp8"),
        ("a.mkv", {"codec": "libsvtav1", "options": {"preset": "12", "svtav1-params": "log-level=0"}}, "av1"),
        ("a.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}, "hevc"),
        ("a.avi", {"codec": "mpeg4"}, "mpeg4"),
        ("a.avi", {"codec": "msmpeg4"}, "msmpeg4v3"),
        ("a.avi", {"codec": "msmpeg4v2"}, "msmpeg4v2"),
        ("a.avi", {"codec": "rawvideo", "pix_fmt": "bgr24"}, "rawvideo"),
        ("a.3gp", {"codec": "h263", "size": (176, 144)}, "h263"),
        ("a.mkv", {"codec": "mpeg1video"}, "mpeg1video"),
        ("a.mkv", {"codec": "mpeg2video"}, "mpeg2video"),
        ("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, "mjpeg"),
        ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}, "prores"),
        ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}, "gif"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_codec_of_the_white_list_opens(film, name, choices, codec):
    info = probe_video(film(name, numbers=range(6), **choices))

    assert (info.codec, info.frames) == (codec, 6)
    assert info.rate_hz == pytest.approx(25, rel=0.05)


def test_a_codec_off_the_white_list_is_named_and_refused(film):
    with pytest.raises(UnreadableVideo, match="'png' is not supported"):
        probe_video(film("a.mov", codec="png", pix_fmt="rgb24", numbers=range(2)))


def test_a_container_off_the_white_list_is_refused(film):
    with pytest.raises(UnreadableVideo, match="cannot be read as"):
        probe_video(film("a.flv", codec="flv", numbers=range(2)))


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts = 8000, 0
        container.mux([*stream.encode(sound), *stream.encode(None)])

    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 64], ids=["empty", "text", "bytes"])
def test_what_is_no_video_is_unreadable(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)

    with pytest.raises(UnreadableVideo):
        probe_video(tmp_path / "a.mp4")


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(UnreadableVideo, match="cannot be opened"):
        probe_video(tmp_path / "none.mp4")


def test_the_rate_of_uneven_frames_is_their_mean(film):
    times = [0, 40, 80, 400, 440, 480, 800, 1000]

    info = probe_video(film("a.mkv", numbers=range(8), times=times))

    assert info.frames == 8
    assert info.rate_hz == pytest.approx(7.0, rel=0.02)  # 7 steps in 1 s


def test_a_still_has_one_frame(film):
    info = probe_video(film("a.mp4", numbers=[7]))

    assert info.frames == 1
    assert info.duration_s > 0


def test_frames_are_counted_and_not_believed(film):
    """The file is cut in the middle; its header still speaks of 1.6 s."""
    whole = film("a.mkv", codec="mpeg4")
    cut = whole.with_name("cut.mkv")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    assert probe_video(whole).frames == 40
    assert 10 < probe_video(cut).frames < 30


@pytest.mark.parametrize(
    "limits", [replace(LIMITS, frames=10), replace(LIMITS, seconds=0.4)], ids=["frames", "seconds"]
)
def test_a_long_film_is_cut_and_says_so(film, limits):
    info = probe_video(film("a.avi", codec="mpeg4"), limits)

    assert (info.frames, info.truncated) == (10, True)
    assert (info.rate_hz, info.duration_s, info.stated_s) == (25, 0.4, 1.6)


def test_a_film_just_as_long_as_allowed_is_not_cut(film):
    info = probe_video(film("a.avi", codec="mpeg4"), replace(LIMITS, frames=40, seconds=1.6))

    assert (info.frames, info.truncated) == (40, False)


def test_a_header_that_claims_empty_packets_without_end_is_cut():
    """FFmpeg's demuxers drop most of these themselves, so here they are made up."""
    count = PacketCount(SimpleNamespace(average_rate=25), replace(LIMITS, frames=10))
    empty = SimpleNamespace(pts=None, dts=None, time_base=None, size=0, is_discard=False)

    packets = next(number for number in range(1, 1000) if count.full(empty))

    assert (packets, count.frames, count.truncated) == (21, 0, True)


def test_large_frames_are_refused(numbered):
    with pytest.raises(VideoTooLarge, match="160×120"):
        probe_video(numbered, replace(LIMITS, pixels=160 * 120 - 1))
    assert probe_video(numbered, replace(LIMITS, pixels=160 * 120)).frames == 40


def test_narrow_frames_are_refused(film):
    ribbon = film("a.mp4", size=(640, 64), numbers=range(2))

    with pytest.raises(VideoTooLarge, match="narrow"):
        probe_video(ribbon)
    assert probe_video(ribbon, replace(LIMITS, aspect=10)).width == 640


def test_a_cover_picture_is_no_film(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        out.mux([*cover.encode(av.VideoFrame(64, 48, "yuvj420p")), *cover.encode(None)])

    with pytest.raises(UnreadableVideo, match="no video stream"):
        probe_video(tmp_path / "a.mp4")
