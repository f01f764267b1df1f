from __future__ import annotations

import struct
from dataclasses import replace

import av
import numpy as np
import pytest

from nonlocal_core.errors import QueryError, UnreadableVideo, VideoTooLarge
from nonlocal_core.video import DecodeLimits, Sampling, clip_frames, decode_frames, probe_video

UPRIGHT, CLOCKWISE, HALF, COUNTER = (1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)


def take(path, *indices, short_side=120, **more):
    return decode_frames(path, np.array(indices, np.int64), short_side=short_side, **more)


def turned(path, matrix):
    """Writes a display matrix (a, b, c, d of ISO 14496-12) into the track header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("b-frames.mp4", {"options": {"bf": "3", "x264-params": "b-adapt=0"}}),
        ("long-gop.mp4", {"options": {"g": "12"}}),
        ("hidden-frames.webm", {"codec": "libvpx-vp9", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        ("no-pts.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("h264.avi", {"options": {"bf": "2"}}),
        ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
        ("ten-bit.mp4", {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
        ("alpha.mov", {"codec": "prores_ks", "pix_fmt": "yuva444p10le"}),
        ("odd.mp4", {"size": (161, 121), "pix_fmt": "yuv444p"}),
        ("uneven.mkv", {"times": [i * 40 + (i % 3) * 13 for i in range(40)]}),
        ("fragmented.mov", {"options": {"movflags": "frag_keyframe+empty_moov", "g": "8"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_exactly_the_wanted_frames_come_back(film, read_number, name, choices):
    wanted = [0, 1, 2, 5, 11, 12, 24, 38, 39]
    path = film(name, **choices)

    taken = take(path, *wanted)

    assert [read_number(rgb) for rgb in taken.rgb] == wanted
    assert taken.indices.tolist() == wanted
    assert taken.repeated == 0
    assert probe_video(path).frames == 40


def test_each_frame_alone_is_the_same_as_among_others(numbered, read_number):
    assert [read_number(take(numbered, index).rgb[0]) for index in (0, 3, 17, 39)] == [0, 3, 17, 39]


def test_times_are_those_of_the_frames(film):
    times = [500 + 40 * index + 200 * (index > 4) for index in range(10)]

    taken = take(film("a.mkv", numbers=range(10), times=times), 0, 1, 4, 5, 9)

    assert taken.times_s == pytest.approx([0, 0.04, 0.16, 0.4, 0.56])
    assert taken.times_s.dtype == np.float64


def test_times_without_time_stamps_follow_the_rate(film):
    assert take(film("a.avi", codec="mpeg4", b_frames=2), 0, 5, 10).times_s == pytest.approx([0, 0.2, 0.4], abs=0.081)


def test_a_short_film_repeats_its_last_frame_and_says_how_often(film, read_number):
    short = film("a.mp4", numbers=range(5))
    wanted = clip_frames(probe_video(short), Sampling(frames=6, stride=2), 0.0)

    taken = decode_frames(short, wanted, short_side=120)

    assert [read_number(rgb) for rgb in taken.rgb] == [0, 2, 4, 4, 4, 4]
    assert taken.repeated == 3


def test_a_film_that_breaks_off_repeats_its_last_frame(film, read_number):
    whole = film("a.mkv", codec="mpeg4")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    taken = take(whole, 0, 5, 30, 39)
    last = int(taken.indices[-1])

    assert [read_number(rgb) for rgb in taken.rgb] == [0, 5, last, last]
    assert 5 < last < 30
    assert taken.repeated == 1


def test_a_film_that_breaks_off_before_the_clip_still_shows_its_last_frame(film, read_number):
    taken = take(film("a.mp4", numbers=range(5)), 20, 22)

    assert [read_number(rgb) for rgb in taken.rgb] == [4, 4]
    assert (taken.indices.tolist(), taken.repeated) == ([4, 4], 1)


def test_a_damaged_packet_does_not_end_the_film(film):
    path = film("a.avi", codec="mjpeg", pix_fmt="yuvj420p", numbers=range(10))
    data = bytearray(path.read_bytes())
    second = data.index(b"00dc", data.index(b"00dc") + 4)
    data[second + 8 : second + 16] = bytes(8)
    path.write_bytes(data)

    assert take(path, 0, 8).indices.tolist() == [0, 8]


@pytest.mark.parametrize(
    ("matrix", "rotation", "corner"),
    [
        (UPRIGHT, 0, "top left"),
        (CLOCKWISE, 90, "top right"),
        (HALF, 180, "bottom right"),
        (COUNTER, 270, "bottom left"),
    ],
    ids=["0", "90", "180", "270"],
)
def test_frames_are_turned_as_the_display_matrix_says(film, find_red, matrix, rotation, corner):
    path = turned(film("a.mp4", numbers=range(3)), matrix)

    info, taken = probe_video(path), take(path, 0, 2)

    assert info.rotation == rotation
    assert (info.width, info.height) == ((160, 120) if rotation % 180 == 0 else (120, 160))
    assert taken.rgb.shape[1:3] == (info.height, info.width)
    assert {find_red(rgb) for rgb in taken.rgb} == {corner}


@pytest.mark.parametrize(
    ("size", "short_side", "shape"),
    [((160, 120), 60, (60, 80)), ((120, 160), 60, (80, 60)), ((162, 122), 50, (50, 66)), ((64, 64), 224, (224, 224))],
    ids=str,
)
def test_the_shorter_side_becomes_the_short_side(film, size, short_side, shape):
    assert take(film("a.mp4", size=size, numbers=range(2)), 0, short_side=short_side).rgb.shape == (1, *shape, 3)


def test_shrinking_averages_instead_of_skipping(tmp_path):
    """Stripes of one pixel become even grey; a filter that skips pixels would show black, white or moiré."""
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "bgr24"
        container.mux([*stream.encode(av.VideoFrame.from_ndarray(stripes, "rgb24")), *stream.encode(None)])

    grey = take(tmp_path / "a.avi", 0, short_side=50).rgb[0][4:-4, 4:-4].astype(int)

    assert abs(grey - 127).max() <= 12


def test_white_is_white_and_black_is_black(numbered):
    """Frame 15 is 00001111: limited-range luma must be stretched to the full range."""
    rgb = take(numbered, 15).rgb[0][80:]

    assert rgb[:, :60].max() < 12
    assert rgb[:, 100:].min() > 243


def test_transparency_is_dropped(film):
    assert take(film("a.mov", codec="prores_ks", pix_fmt="yuva444p10le", numbers=range(2)), 0).rgb.shape == (
        1,
        120,
        160,
        3,
    )


def joined(path, first, second):
    """A film that goes on in another size."""
    with av.open(str(path), "w") as out, av.open(str(first)) as one, av.open(str(second)) as two:
        stream = out.add_stream_from_template(one.streams.video[0])
        packets = [packet for each in (one, two) for packet in each.demux(video=0) if packet.size]
        for place, packet in enumerate(packets):
            packet.stream, packet.pts, packet.dts = stream, place, place
            out.mux(packet)
    return path


def test_a_film_that_changes_size_keeps_the_first_shape(tmp_path, film, read_number):
    small = film("a.avi", codec="mpeg4", numbers=[1, 2, 3])
    large = film("b.avi", codec="mpeg4", size=(320, 240), numbers=[4, 5, 6])

    taken = take(joined(tmp_path / "both.mkv", small, large), 0, 5)

    assert [read_number(rgb) for rgb in taken.rgb] == [1, 6]
    assert taken.rgb.shape[1:] == (120, 160, 3)


def test_a_film_that_grows_too_large_is_refused(tmp_path, film):
    """By a few rows, which the decoder itself would let pass."""
    small = film("a.avi", codec="mpeg4", numbers=range(3))
    larger = film("b.avi", codec="mpeg4", size=(160, 136), numbers=range(3))
    path = joined(tmp_path / "both.mkv", small, larger)

    with pytest.raises(VideoTooLarge, match="160×136"):
        take(path, 0, 5, limits=replace(DecodeLimits(), pixels=160 * 120))


def test_a_film_without_a_whole_frame_is_unreadable(film):
    path = film("a.mkv", codec="mpeg4", numbers=range(3))
    data = path.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    path.write_bytes(data[: cluster + 24])

    with pytest.raises(UnreadableVideo, match="no frame"):
        take(path, 0)


def test_progress_rises_to_the_end(numbered):
    seen = []

    take(numbered, *range(0, 40, 2), progress=seen.append)

    assert seen == sorted(seen)
    assert len(seen) >= 20
    assert 0 <= seen[0] <= 0.1
    assert 0.9 <= seen[-1] <= 1


@pytest.mark.parametrize("indices", [(), (-1,), (5, 4)], ids=str)
def test_frame_numbers_must_rise_from_zero(numbered, indices):
    with pytest.raises(QueryError):
        take(numbered, *indices)
