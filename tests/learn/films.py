"""Small lossless films with known pixels, and a small network's input, for the tests of learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from nonlocal_core.model.spec import ModelSpec

SPEC = ModelSpec(
    backbone="inception_v1", classes=3, frames=8, stride=2, size_px=32, short_side_px=36, mean=(0.5, 0.4, 0.3),
    std=(0.5, 0.6, 0.7),
)  # fmt: skip


def write_frames(path: Path, frames: np.ndarray) -> Path:
    """uint8 [T, H, W, 3] as raw pictures in an AVI: every pixel comes back as it is."""
    with av.open(str(path), "w", format="avi") as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr24"
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")))
        container.mux(stream.encode(None))
    return path


def count_film(path: Path, count: int, *, width: int = 48, height: int = 36) -> Path:
    """Frame n is grey of level 2 n."""
    levels = 2 * np.arange(count, dtype=np.uint8)
    return write_frames(path, np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)))


def colour_film(path: Path, rgb: tuple[int, int, int], *, frames: int = 20) -> Path:
    """One colour throughout."""
    return write_frames(path, np.broadcast_to(np.array(rgb, np.uint8), (frames, 36, 48, 3)))


def ramp_film(path: Path) -> Path:
    """One picture of 96x64, all of whose places differ: red grows to the right, green downwards."""
    rows, columns = np.mgrid[:64, :96]
    picture = np.stack([2 * columns, 3 * rows, np.zeros_like(rows)], -1).astype(np.uint8)
    return write_frames(path, np.broadcast_to(picture, (16, 64, 96, 3)))


def broken_film(path: Path) -> Path:
    """Not a video."""
    path.write_bytes(b"this is no video" * 100)
    return path
