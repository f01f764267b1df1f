"""Composed clips in which a textured square moves against a moving background: what moves, and how, is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.learn.films import write_frames

TOP = 24  # of the square, in pixels
PAN, STEP = 1, 2  # pixels a frame: the background goes left, the square right


def texture(seed: int, size: int) -> np.ndarray:
    """A smooth random picture, uint8 [size, size, 3]."""
    rough = np.random.default_rng(seed).integers(0, 256, (size // 4 + 1, size // 4 + 1, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC))


def panned(seed: int, *, size: int = 64, frames: int = 16) -> np.ndarray:
    """A texture that goes left by a pixel a frame: uint8 [T, S, S, 3]."""
    wide = texture(seed, size + PAN * frames)
    return np.stack([wide[:size, PAN * t : PAN * t + size] for t in range(frames)])


def square_clip(seed: int, *, size: int = 64, side: int = 24, frames: int = 16) -> np.ndarray:
    """The same with a textured square in front that goes right: uint8 [T, S, S, 3]."""
    clip, square = panned(seed, size=size, frames=frames), texture(seed + 1000, side)
    for t, frame in enumerate(clip):
        left = 4 + STEP * t
        frame[TOP : TOP + side, left : left + side] = square[:, : size - left]
    return clip


def square_mask(*, size: int = 64, side: int = 24, frames: int = 16) -> np.ndarray:
    """Where the square is: bool [T, S, S]."""
    left = 4 + STEP * np.arange(frames)[:, None, None]
    y, x = np.mgrid[:size, :size]
    return (y >= TOP) & (y < TOP + side) & (x >= left) & (x < left + side)


def square_films(folder: Path, count: int) -> Path:
    """Films of it, every one of other textures."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        write_frames(folder / f"{number:02}.avi", square_clip(number))
    return folder
