"""Which pixels of a video a network learns from and is measured on: one random clip, or evenly spread views.

Sources: Wang et al. 2018, Section 4.1 ("Training", "Inference"), and the releases that FACTS.md compares, for all that
the paper leaves open. Every frame comes from the isolated decoder. Next: `loading.py` (training), `evaluate.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nonlocal_core.errors import QueryError
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.video import crop_clip, decode_frames, probe_video

Pixels = NDArray[np.uint8]
Frames = NDArray[np.int64]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Augmentation(_Frozen):
    """What is random about a training clip besides its start and its place (Wang et al. 2018, Section 4.1)."""

    short_sides: tuple[int, int] = Field(
        default=(256, 320), description="the shorter side is resized to a random number of pixels from here to there"
    )
    flip: bool = Field(default=True, description="whether every second clip is mirrored; off where left is not right")

    @model_validator(mode="after")
    def _check(self) -> Augmentation:
        if not 1 <= self.short_sides[0] <= self.short_sides[1]:
            raise ValueError(f"short_sides={self.short_sides} must be two numbers of pixels, the smaller first")
        return self


class Protocol(_Frozen):
    """How a video is measured: which views of it the network sees, and how their answers become one."""

    clips: int = Field(default=10, gt=0, description="clips along the video")
    crops: Literal["full", "centre", "three"] = Field(
        default="full",
        description="of each clip: the whole frame (fully convolutional), its middle square, or three squares along "
        "the longer side",
    )
    starts: Literal["vnl", "mmaction2", "pyslowfast"] = Field(
        default="vnl", description="where the clips start, by the project whose formula it is; see `view_frames`"
    )
    short_side_px: int = Field(default=256, gt=0, description="the shorter side is resized to this")
    size_px: int = Field(default=256, gt=0, description="side of a square; the whole frame has no use for it")
    average: Literal["probabilities", "logits"] = Field(
        default="probabilities", description="what is averaged over the views; of logits, the scores are taken after"
    )


# By the project that tests so; FACTS.md, rows "views", "clip start" and "3 crops". Each differs from its source in the
# resizing (swscale's, at most a few grey levels off) and by at most a pixel in the place of the middle crop.
PROTOCOLS: dict[str, Protocol] = {
    "paper": Protocol(),  # Section 4.1, "Inference": 10 clips, shorter side 256, fully convolutional, softmax averaged
    "video-nonlocal-net": Protocol(crops="three"),  # its release: 10 x 3 crops of 256
    "pyslowfast": Protocol(crops="three", starts="pyslowfast"),  # which also resamples videos that are not of 30 Hz
    "mmaction2": Protocol(crops="three", starts="mmaction2"),
    "gluoncv": Protocol(crops="three", starts="mmaction2"),
    "tushar-n": Protocol(crops="three", starts="mmaction2", average="logits"),  # its three crops lie at random
}


def training_clip(path: Path, spec: ModelSpec, augmentation: Augmentation, random: np.random.Generator) -> Pixels:
    """A random clip of a video: uint8 [T, S, S, 3], with every choice drawn from `random`.

    T * stride consecutive frames start anywhere, every stride-th is kept ("64 consecutive frames", "dropping every
    other"); a shorter video starts at its first frame and repeats its last. Then a random resize, square and mirror.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
        QueryError: the short sides of the augmentation are smaller than the model's square.
    """
    low, high = augmentation.short_sides
    if low < spec.size_px:
        raise QueryError(f"short_sides={low},{high} must not be smaller than the square of {spec.size_px} px")
    count = probe_video(path).frames
    start = random.integers(max(0, count - spec.frames * spec.stride) + 1)
    indices = np.minimum(start + spec.stride * np.arange(spec.frames), count - 1)  # [T]
    rgb = decode_frames(path, indices, short_side=int(random.integers(low, high + 1))).rgb  # [T, H, W, 3]
    height, width = rgb.shape[1:3]
    top, left = random.integers([height - spec.size_px + 1, width - spec.size_px + 1])
    square = rgb[:, top : top + spec.size_px, left : left + spec.size_px]  # [T, S, S, 3]
    mirrored = augmentation.flip and random.random() < 0.5
    return np.ascontiguousarray(square[:, :, ::-1] if mirrored else square)


@dataclass(frozen=True, eq=False)
class Views:
    """The views of one video. Frames that several views show are decoded and kept once; iterating cuts them out."""

    rgb: Pixels  # [F, H, W, 3]
    places: Frames  # [clips, T]: where in rgb the frames of each clip are
    protocol: Protocol

    def __iter__(self) -> Iterator[Pixels]:
        """One view after the other: uint8 [T, H, W, 3], crops of one clip before the next clip."""
        for places in self.places:
            yield from _crops(self.rgb[places], self.protocol)


def evaluation_views(path: Path, spec: ModelSpec, protocol: Protocol) -> Views:
    """The views of a video that a protocol asks for, decoded.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
    """
    wanted = view_frames(probe_video(path).frames, spec, protocol)  # [clips, T]
    each, places = np.unique(wanted, return_inverse=True)
    decoded = decode_frames(path, each, short_side=protocol.short_side_px)
    return Views(decoded.rgb, places.reshape(wanted.shape), protocol)


def view_frames(count: int, spec: ModelSpec, protocol: Protocol) -> Frames:
    """Frame numbers of every clip of a video with `count` frames: int64 [clips, T].

    vnl: clip i starts at int(count / clips * i); past the video's end it goes on at its beginning. "Evenly", but the
        last clips of a short video hold its end and its beginning.
    mmaction2: from the first frame to the last place where a clip fits, both included; one clip lies in the middle.
        A video that is too short goes on at its beginning.
    pyslowfast: clip i starts at i / clips of that way, so none ends with the video; T frames evenly from the first to
        the last of T * stride, rounded down; a video that is too short repeats its last frame.
    """
    span = spec.frames * spec.stride
    numbers, room = np.arange(protocol.clips), max(0, count - span)
    steps = spec.stride * np.arange(spec.frames)  # [T]
    if protocol.starts == "vnl":
        return ((count / protocol.clips * numbers).astype(np.int64)[:, None] + steps) % count
    if protocol.starts == "mmaction2":
        starts = np.linspace(0, room, protocol.clips) if protocol.clips > 1 else np.array([room / 2])
        return (starts.astype(np.int64)[:, None] + steps) % count
    starts = room * numbers / protocol.clips
    even = starts[:, None] + np.linspace(0, span - 1, spec.frames)  # [clips, T]
    return np.minimum(even.astype(np.int64), count - 1)


def _crops(clip: Pixels, protocol: Protocol) -> Iterator[Pixels]:
    """The crops of a clip [T, H, W, 3]."""
    if protocol.crops == "full":
        yield clip
    elif protocol.crops == "centre":
        yield crop_clip(clip, protocol.size_px)
    else:
        yield from three_crops(clip, protocol.size_px)


def three_crops(clip: Pixels, size: int) -> Iterator[Pixels]:
    """Squares at 0, c and 2c of the longer side, c = int((L - size) / 2), in the middle of the shorter one.

    Raises:
        QueryError: the frames are smaller than the square.
    """
    height, width = clip.shape[1:3]
    if min(height, width) < size:
        raise QueryError(f"no square of {size} pixels fits into frames of {width}×{height}")
    down, right = (height - size) // 2, (width - size) // 2
    for step in range(3):
        top, left = (down, step * right) if width >= height else (step * down, right)
        yield np.ascontiguousarray(clip[:, top : top + size, left : left + size])
