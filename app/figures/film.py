"""Every frame of a clip in the player's view, with the arrows of a link, as MP4 or GIF.

Frames are drawn as the page draws them (drawing.py), turned into pixels (raster.py) and encoded one by one; a film
takes about 0.1 s a frame and holds one frame at a time, a GIF all of them for its palette.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.figures.formats import FilmFormat
from app.figures.raster import pixels_of

if TYPE_CHECKING:
    from app.figures.drawing import Drawing, Sketch
    from app.figures.subject import Subject

WIDTH = 480  # pixels, as in figure.js; its height is 504: both even, as 4:2:0 needs
SLOWEST_HZ, FASTEST_HZ = 1.0, 30.0
QUALITY = "18"  # x264's CRF: lines stay clean, and a film of 32 frames has about 500 kB

Pixels = NDArray[np.uint8]


def make_film(
    path: Path, kind: FilmFormat, drawing: Drawing, subject: Subject, search: str, progress: Callable[[float], None]
) -> None:
    """Write the film of a link to `path`; `progress(share)` after each frame may raise to stop.

    Raises:
        CannotDraw: the clip has no block.
        AnalysisNotFound, DamagedAnalysis: as `subject.features`.
    """
    frames = subject.clip["frames"]
    with drawing.of(subject, search) as sketch:
        shots = _reported(_shots(sketch, subject, frames["count"]), frames["count"], progress)
        {"mp4": _write_mp4, "gif": _write_gif}[kind](path, shots, rate_of(frames["times_s"]))


def rate_of(times_s: list[float]) -> Fraction:
    """Frames per second, as filmed, within what players manage."""
    span = times_s[-1] - times_s[0]
    rate = (len(times_s) - 1) / span if span > 0 else SLOWEST_HZ
    return Fraction(min(max(rate, SLOWEST_HZ), FASTEST_HZ)).limit_denominator(1001)


def _shots(sketch: Sketch, subject: Subject, count: int) -> Iterator[Pixels]:
    for frame, picture in enumerate(subject.pictures(range(count))):
        yield composed(picture, pixels_of(sketch.shot(frame), WIDTH))


def composed(picture: Image.Image, overlay_png: bytes) -> Pixels:
    """The picture with what lies over it, on white paper: uint8 [504, 480, 3]. Pillow scales pictures fast."""
    with Image.open(io.BytesIO(overlay_png)) as overlay:
        paper = Image.new("RGBA", overlay.size, "white")
        paper.paste(picture.resize((WIDTH, WIDTH), Image.Resampling.BICUBIC), (0, 0))
        return np.asarray(Image.alpha_composite(paper, overlay.convert("RGBA")).convert("RGB"))


def _reported(shots: Iterator[Pixels], count: int, progress: Callable[[float], None]) -> Iterator[Pixels]:
    for n, shot in enumerate(shots, start=1):
        yield shot
        progress(n / count)


def _write_mp4(path: Path, shots: Iterator[Pixels], rate: Fraction) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream: Any = file.add_stream("libx264", rate=rate, options={"crf": QUALITY, "preset": "medium"})
        stream.pix_fmt = "yuv420p"  # the one that every player knows
        for n, shot in enumerate(shots):
            if n == 0:
                stream.height, stream.width = shot.shape[:2]
            file.mux(stream.encode(av.VideoFrame.from_ndarray(shot, format="rgb24")))
        file.mux(stream.encode())


def _write_gif(path: Path, shots: Iterator[Pixels], rate: Fraction) -> None:
    """One palette for all frames, so that what stands still does not flicker."""
    images = [Image.fromarray(shot) for shot in shots]
    sample = np.concatenate([np.asarray(image)[::4, ::4] for image in images])
    palette = Image.fromarray(sample).quantize(256, Image.Quantize.MEDIANCUT)
    frames = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    hundredths = max(2, round(100 / rate))  # browsers slow down what is faster than 50 a second
    frames[0].save(path, "gif", save_all=True, append_images=frames[1:], duration=10 * hundredths, loop=0)
