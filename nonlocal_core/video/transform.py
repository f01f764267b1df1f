"""From decoded frames to what the network is given. Pure NumPy; the numbers come from the model's spec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import QueryError


def crop_clip(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The square in the middle: uint8 [T,H,W,3] -> [T,S,S,3]. What the model sees is what the user sees.

    Raises:
        QueryError: the frames are smaller than the square.
    """
    height, width = rgb.shape[1:3]
    if size < 1 or height < size or width < size:
        raise QueryError(f"no square of {size} pixels fits into frames of {width}×{height}")
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(rgb[:, top : top + size, left : left + size])


def crop_box(width: int, height: int, *, short_side: int, size: int) -> tuple[float, float, float, float]:
    """Where `crop_clip` cuts: left, top, right, bottom as fractions of the whole frame.

    Args:
        width: of the frame as shown, in pixels.
        height: the same.
        short_side: to which the frame is scaled before it is cropped, in pixels.
        size: side of the square, in pixels.
    """
    short = min(width, height)
    wide, high = round(width * short_side / short), round(height * short_side / short)
    left, top = (wide - size) // 2, (high - size) // 2
    return left / wide, top / high, (left + size) / wide, (top + size) / high


def normalise(clip: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """(x / 255 - mean) / std per colour: uint8 [T,S,S,3] -> float32 [1,3,T,S,S], contiguous."""
    scaled = clip.astype(np.float32) / np.float32(255)  # [T,S,S,3]
    normal = (scaled - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)  # [T,S,S,3]
    return np.ascontiguousarray(normal.transpose(3, 0, 1, 2)[None])  # [1,3,T,S,S]
