"""The wanted frames of a video file, decoded in isolation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import QueryError, UnreadableVideo
from nonlocal_core.video.info import DEFAULT_LIMITS, Decoded, DecodeLimits
from nonlocal_core.video.isolation import call


def decode_frames(
    path: Path,
    indices: NDArray[np.int64],
    *,
    short_side: int,
    limits: DecodeLimits = DEFAULT_LIMITS,
    progress: Callable[[float], None] | None = None,
) -> Decoded:
    """The frames numbered `indices` (from 0, never falling), upright, scaled to `short_side` pixels.

    Args:
        path: the video.
        indices: int64 [T], counted in the order of showing; the same number may come again.
        short_side: of the frames to come, in pixels; the longer side follows in proportion, rounded. swscale's
            bilinear filter widens as it shrinks, so nothing aliases.
        limits: what it may cost.
        progress: called with the fraction done, in [0,1]; what it raises ends the child and goes on to the caller.

    Where the video ends or breaks off too early, its last frame stands in. Transparency is dropped.

    Raises:
        UnreadableVideo: no frame can be decoded, or the container or codec is not on the white list.
        VideoTooLarge: a frame is too large, or decoding takes too much time or memory.
        QueryError: the indices are negative, falling or none.
    """
    wanted = [int(index) for index in indices]
    if not wanted or wanted[0] < 0 or sorted(wanted) != wanted:
        raise QueryError(f"frame numbers must be at least one, from 0 on, never falling; not {wanted[:8]}")
    found: dict[int, tuple[NDArray[np.uint8], float]] = {}
    most_bytes = round(3 * short_side * (limits.aspect * short_side + 1))
    unique = sorted(set(wanted))
    for header, pixels in call(
        "decode", Path(path), limits, most_bytes=most_bytes, indices=unique, short_side=short_side
    ):
        if "progress" not in header:
            found[header["index"]] = picture(header["height"], header["width"], pixels), header["time_s"]
        if progress is not None:
            progress(min(1.0, header.get("progress", header.get("index", 0) / (unique[-1] + 1))))
        if len(found) > len(unique):
            raise UnreadableVideo("the decoder sent more frames than were asked for")
    return assembled(wanted, found)


def picture(height: int, width: int, pixels: bytes) -> NDArray[np.uint8]:
    """The bytes as an array [H,W,3]; the child may be lying about their shape."""
    if len(pixels) != height * width * 3 or height < 1 or width < 1:
        raise UnreadableVideo(f"the decoder sent {len(pixels)} bytes for a frame of {width}×{height}")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def assembled(wanted: list[int], found: dict[int, tuple[NDArray[np.uint8], float]]) -> Decoded:
    """The frames in the wanted order; for each that is missing, the last that there is."""
    last = max(found)
    actual = [index if index in found else last for index in wanted]
    return Decoded(
        rgb=np.stack([found[index][0] for index in actual]),
        times_s=np.array([found[index][1] for index in actual], np.float64),
        indices=np.array(actual, np.int64),
        repeated=len(actual) - len(set(actual)),
    )
