"""Which frames of a video make a clip."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import QueryError
from nonlocal_core.video.info import Sampling, VideoInfo


def clip_frames(info: VideoInfo, sampling: Sampling, start_s: float) -> NDArray[np.int64]:
    """Frame numbers int64 [T]: from the frame at `start_s` on, every `stride`-th; a short video repeats its last one.

    Raises:
        QueryError: `start_s` is negative, no number, or not before the end of the video.
    """
    if not math.isfinite(start_s) or start_s < 0:
        raise QueryError(f"a clip starts at 0 s or later, not at {start_s} s")
    first = frame_at(start_s, info.rate_hz)
    if first >= info.frames:
        raise QueryError(f"the clip would start at {start_s:g} s, but the video ends at {info.duration_s:.2f} s")
    steps = first + sampling.stride * np.arange(sampling.frames, dtype=np.int64)
    return np.minimum(steps, info.frames - 1)


def frame_at(time_s: float, rate_hz: float) -> int:
    """The frame that is shown at that time, in a video of an even rate."""
    # The small part keeps a frame's own time from falling to the frame before it by rounding.
    return math.floor(time_s * rate_hz + 1e-6)


def frames_spanned(sampling: Sampling) -> int:
    """Frames of the video from the first of a clip to its last, both counted."""
    return sampling.stride * (sampling.frames - 1) + 1


def latest_start(info: VideoInfo, sampling: Sampling) -> float:
    """The last start, in seconds, at which the clip repeats no frame; 0 for a video that is too short for that."""
    return max(0, info.frames - frames_spanned(sampling)) / info.rate_hz
