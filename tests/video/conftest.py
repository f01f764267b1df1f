"""Small films whose frames carry their number: eight bars, black or white, are its bits; a red patch marks a corner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
BITS = 8

MakeFilm = Callable[..., Path]


def drawn(number: int, width: int, height: int) -> np.ndarray:
    """uint8 [H,W,3]: the number as bars, its highest bit at the left; the top left corner is red."""
    bits = [number >> (BITS - 1 - bit) & 1 for bit in range(BITS)]
    columns = np.array([bits[x * BITS // width] for x in range(width)], np.uint8) * 255  # [W]
    rgb = np.ascontiguousarray(np.broadcast_to(columns[None, :, None], (height, width, 3)))
    rgb[: height // 4, : width // 4] = (255, 0, 0)
    return rgb


def number_in(rgb: np.ndarray) -> int:
    """The inverse of `drawn`, read from the lower half."""
    number = 0
    for bar in np.array_split(rgb[rgb.shape[0] // 2 :].mean(axis=(0, 2)), BITS):
        middle = bar[len(bar) // 4 : len(bar) - len(bar) // 4]
        number = number << 1 | int(middle.mean() > 127)
    return number


def red_corner(rgb: np.ndarray) -> str:
    """Which corner is red."""
    height, width = rgb.shape[0] // 8, rgb.shape[1] // 8
    corners = {
        "top left": rgb[:height, :width],
        "top right": rgb[:height, -width:],
        "bottom left": rgb[-height:, :width],
        "bottom right": rgb[-height:, -width:],
    }
    redness = {name: float(part[..., 0].mean() - part[..., 1:].mean()) for name, part in corners.items()}
    return max(redness, key=lambda name: redness[name])


def write_film(
    path: Path,
    *,
    numbers: Iterable[int] = range(40),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (160, 120),
    rate: int = 25,
    times: list[int] | None = None,
    options: dict[str, str] | None = None,
    b_frames: int | None = None,
) -> Path:
    """A film with a frame for each number; `times` are its time stamps in milliseconds, else they are even."""
    width, height = size
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000 if times else rate)
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        for place, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(drawn(number, width, height), "rgb24").reformat(format=pix_fmt)
            frame.pts = times[place] if times else place
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def film(tmp_path: Path) -> MakeFilm:
    """Writes a film: film("a.mp4", numbers=range(10), codec=...)."""
    return lambda name, **choices: write_film(tmp_path / name, **choices)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames of H.264 with B-frames, 160×120, 25 Hz."""
    options = {"bf": "3", "x264-params": "b-adapt=0"}
    return write_film(tmp_path_factory.mktemp("film") / "numbered.mp4", options=options)


@pytest.fixture
def read_number() -> Callable[[np.ndarray], int]:
    """`number_in`."""
    return number_in


@pytest.fixture
def find_red() -> Callable[[np.ndarray], str]:
    """`red_corner`."""
    return red_corner


@pytest.fixture(scope="session")
def hostile_files() -> list[Path]:
    """The team's collection of damaged and odd files."""
    folder = MEDIA / "hostile"
    if not folder.is_dir():
        pytest.skip(f"no collection of hostile files at {folder}")
    return sorted(path for path in folder.iterdir() if path.suffix != ".tsv")
