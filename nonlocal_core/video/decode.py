"""The wanted frames of a video file, decoded in isolation."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    last = wanted[-1]
    found: dict[int, Picture] = {}
    most_bytes = round(3 * short_side * (limits.aspect * short_side + 1))
    request = {"indices": sorted(set(wanted)), "short_side": short_side}
    with closing(call("decode", Path(path), limits, most_bytes=most_bytes, **request)) as replies:
        for header, pixels in replies:
            if "progress" not in header:
                picture = checked(header, pixels, last)
                found[picture.index] = picture
            if progress is not None:
                progress(fraction(header, last))
    return assembled(wanted, found)


def fraction(header: dict[str, Any], last: int) -> float:
    """How much is done after this message, in [0,1]."""
    try:
        return min(1.0, max(0.0, float(header.get("progress", header.get("index", 0) / (last + 1)))))
    except (TypeError, ValueError):
        raise UnreadableVideo("the decoder's answer makes no sense") from None


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded frame: rgb uint8 [H,W,3]."""

    index: int
    time_s: float
    rgb: NDArray[np.uint8]


def checked(header: dict[str, Any], pixels: bytes, last: int) -> Picture:
    """The child's message as a picture. The file may have taken the child over, so nothing in it is believed.

    Raises:
        UnreadableVideo: it makes no sense.
    """
    try:
        index, time_s = int(header["index"]), float(header["time_s"])
        height, width = int(header["height"]), int(header["width"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UnreadableVideo("the decoder's answer makes no sense") from None
    if not 0 <= index <= last or not math.isfinite(time_s) or min(height, width) < 1:
        raise UnreadableVideo("the decoder's answer makes no sense")
    if len(pixels) != height * width * 3:
        raise UnreadableVideo(f"the decoder sent {len(pixels)} bytes for a frame of {width}×{height}")
    return Picture(index, time_s, np.frombuffer(pixels, np.uint8).reshape(height, width, 3))


def assembled(wanted: list[int], found: dict[int, Picture]) -> Decoded:
    """The frames in the wanted order; for each that is missing, the last that there is."""
    if len({picture.rgb.shape for picture in found.values()}) != 1:
        raise UnreadableVideo("the decoder sent no frames, or frames of different sizes")
    last = max(found)
    pictures = [found.get(index, found[last]) for index in wanted]
    return Decoded(
        rgb=np.stack([picture.rgb for picture in pictures]),  # [T,H,W,3]
        times_s=np.array([picture.time_s for picture in pictures], np.float64),  # [T]
        indices=np.array([picture.index for picture in pictures], np.int64),  # [T]
        repeated=len(pictures) - len({picture.index for picture in pictures}),
    )
