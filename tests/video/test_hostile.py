"""Bombs, damage and the team's collection: a verdict or frames, soon, and within the child's memory."""

from __future__ import annotations

import contextlib
import random
import struct
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nonlocal_core.errors import UnreadableVideo, VideoError, VideoTooLarge
from nonlocal_core.video import DecodeLimits, Sampling, clip_frames, decode_frames, probe_video
from tests.bombs import many_frames

SOON_S = 2.0
LIMITS = DecodeLimits()
HUGE = 268_000_000
VERDICTS = {"frames", "UnreadableVideo", "VideoTooLarge"}


@pytest.fixture
def soon(numbered):
    """A context that must be over within two seconds, the decoder process being warm."""
    probe_video(numbered)

    @contextlib.contextmanager
    def context():
        start = time.monotonic()
        yield
        assert time.monotonic() - start < SOON_S

    return context


def outcome(path):
    """ "frames" or the name of the verdict; any other error fails the test."""
    try:
        info = probe_video(path)
        taken = decode_frames(path, clip_frames(info, Sampling(8, 2), 0.0), short_side=64)
    except VideoError as error:
        return type(error).__name__
    assert (len(taken.rgb), min(taken.rgb.shape[1:3])) == (8, 64)
    return "frames"


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """25 000 frames, 26 MB."""
    return many_frames(tmp_path_factory.mktemp("bomb") / "long.mkv", 25_000)


def test_a_film_of_very_many_frames_is_cut(long_film, soon):
    with soon():
        info = probe_video(long_film)

    assert (info.frames, info.truncated) == (15_000, True)  # 600 s at 25 Hz
    assert decode_frames(long_film, np.array([0, 30]), short_side=64).repeated == 0


def test_a_decode_that_takes_too_much_processor_time_is_ended(long_film):
    with pytest.raises(VideoTooLarge, match="processor time"):
        decode_frames(long_film, np.array([14_999]), short_side=64, limits=replace(LIMITS, cpu_s=1))


def test_a_decode_that_takes_too_long_is_ended(long_film):
    start = time.monotonic()

    with pytest.raises(VideoTooLarge, match=r"more than 0\.3 s"):
        decode_frames(long_film, np.array([14_999]), short_side=64, limits=replace(LIMITS, wall_s=0.3))

    assert time.monotonic() - start < 1


def boxed(data, kind):
    """Where the content of a box starts."""
    return data.index(kind) + 4


@pytest.mark.parametrize("size", [0, 1, 1 << 20], ids=lambda size: f"{size} bytes each")
def test_a_header_that_claims_a_huge_number_of_frames_is_not_believed(film, soon, size):
    path = film("a.mp4", numbers=range(4))
    data = bytearray(path.read_bytes())
    struct.pack_into(">II", data, boxed(data, b"stsz") + 4, size, HUGE)
    struct.pack_into(">III", data, boxed(data, b"stts") + 4, 1, HUGE, 512)
    struct.pack_into(">IIII", data, boxed(data, b"stsc") + 4, 1, 1, HUGE, 1)
    path.write_bytes(data)

    with soon():
        assert outcome(path) in VERDICTS


def test_a_large_png_in_a_film_is_refused(film, soon):
    path = film("a.mov", codec="png", pix_fmt="rgb24", size=(6000, 4000), numbers=[0])

    with soon(), pytest.raises(UnreadableVideo, match="'png' is not supported"):
        probe_video(path)


def test_a_frame_too_large_is_refused_by_its_header(film):
    with pytest.raises(VideoTooLarge, match="4112×2304"):
        probe_video(film("a.mov", codec="mjpeg", pix_fmt="yuvj420p", size=(4112, 2304), numbers=[0]))


def test_a_frame_larger_than_its_header_says_is_refused_too(film):
    path = film("a.avi", codec="mjpeg", pix_fmt="yuvj420p", size=(4800, 2700), numbers=[0, 1])
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, data.index(b"strf") + 12, 64, 48)
    path.write_bytes(data)

    with pytest.raises(VideoError):
        probe_video(path)
    with pytest.raises(VideoError):
        decode_frames(path, np.array([0]), short_side=64)


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("a.mp4", {}),
        ("a.webm", {"codec": "libvpx", "options": {"deadline": "realtime"}}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mutated_films_get_a_verdict(film, name, choices):
    path = film(name, numbers=range(6), size=(64, 48), **choices)
    whole, dice = path.read_bytes(), random.Random(7)

    for _ in range(40):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 3, 20])):
            data[dice.randrange(len(data))] = dice.choice([0, 1, 127, 255, dice.randrange(256)])
        path.write_bytes(data[: dice.choice([len(data), len(data), dice.randrange(len(data))])])

        assert outcome(path) in VERDICTS


def test_every_file_of_the_collection_gets_frames_or_a_verdict(hostile_files):
    start = time.monotonic()

    outcomes = Counter(outcome(path) for path in hostile_files)

    assert len(hostile_files) == 107
    assert outcomes.keys() <= VERDICTS
    assert outcomes["frames"] >= 45
    assert time.monotonic() - start < 60
