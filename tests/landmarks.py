"""A small film whose landmarks lie off every symmetry: two red spots that come and go, a green square on one cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.video.conftest import drawn

SIDE, CROP = 256, 224  # pixels: short side of the film, and the square in its middle that the network sees
STRIDE, FRAMES, LENGTH = 2, 32, 70  # of the default model, in frames; of the film
SPOT = 32  # pixels, two cells of a 14 by 14 map


@dataclass(frozen=True)
class Landmark:
    """A spot of the crop: its middle in fractions, and the frames of the clip (first, last) that show it."""

    x: float
    y: float
    first: int
    last: int

    @property
    def frame(self) -> int:
        """One in the middle."""
        return (self.first + self.last) // 2


ABOVE, BELOW = Landmark(0.75, 0.2, 20, 23), Landmark(0.3, 0.65, 6, 9)  # unlike in x, y and time
GREEN = (6, 20)  # column and row of the square in a 28 by 28 map


def write_video(path: Path, rgb: np.ndarray, rate: int = 25) -> Path:
    """uint8 [T,H,W,3] as H.264 without loss that matters."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[1:3], "yuv444p"
        for picture in rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        container.mux(stream.encode(None))
    return path


def landmarks(width: int = 456) -> np.ndarray:
    """The film, wide: uint8 [70, 256, width, 3]; both spots are the same red pattern on grey."""
    film = np.full((LENGTH, SIDE, width, 3), 110, np.uint8)
    left, top = (width - CROP) // 2, (SIDE - CROP) // 2
    pattern = np.kron(np.random.default_rng(0).integers(0, 2, (8, 8)), np.ones((4, 4)))  # [32, 32]
    for spot in (ABOVE, BELOW):
        x, y = left + round(spot.x * CROP) - SPOT // 2, top + round(spot.y * CROP) - SPOT // 2
        shown = slice(STRIDE * spot.first, STRIDE * (spot.last + 1))
        film[shown, y : y + SPOT, x : x + SPOT] = (pattern[..., None] * (255, 0, 0)).astype(np.uint8)
    column, row = GREEN
    film[:, top + 8 * row : top + 8 * row + 8, left + 8 * column : left + 8 * column + 8] = (0, 255, 0)
    return film


def numbered() -> np.ndarray:
    """The film whose pictures carry their number within the crop, uint8 [70, 256, 256, 3]; see `number_in`."""
    film = np.zeros((LENGTH, SIDE, SIDE, 3), np.uint8)
    edge = (SIDE - CROP) // 2
    film[:, edge:-edge, edge:-edge] = [drawn(number, CROP, CROP) for number in range(LENGTH)]
    return film
