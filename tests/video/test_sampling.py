from __future__ import annotations

import math

import numpy as np
import pytest

from nonlocal_core.errors import QueryError
from nonlocal_core.video import Sampling, VideoInfo, clip_frames


def film(frames=100, rate_hz=25.0):
    return VideoInfo("mov/mp4", "h264", 160, 120, 0, frames, frames / rate_hz, rate_hz, truncated=False)


def test_a_clip_takes_every_stride_th_frame():
    frames = clip_frames(film(), Sampling(frames=5, stride=3), 0.0)

    assert frames.tolist() == [0, 3, 6, 9, 12]
    assert frames.dtype == np.int64


@pytest.mark.parametrize("rate_hz", [23.976, 24.0, 25.0, 30000 / 1001, 59.94])
def test_the_time_of_a_frame_starts_the_clip_at_that_frame(rate_hz):
    starts = [int(clip_frames(film(100, rate_hz), Sampling(), number / rate_hz)[0]) for number in range(100)]

    assert starts == list(range(100))


def test_a_time_between_two_frames_starts_at_the_one_that_is_shown():
    assert clip_frames(film(), Sampling(), 0.119)[0] == 2


def test_a_short_film_repeats_its_last_frame():
    assert clip_frames(film(frames=4), Sampling(frames=5, stride=2), 0.0).tolist() == [0, 2, 3, 3, 3]
    assert clip_frames(film(frames=100), Sampling(frames=3, stride=2), 3.96).tolist() == [99, 99, 99]


@pytest.mark.parametrize("start_s", [4.0, 1e9, -0.01, math.nan, math.inf, -math.inf])
def test_a_start_outside_the_film_is_refused(start_s):
    with pytest.raises(QueryError, match="start"):
        clip_frames(film(), Sampling(), start_s)
