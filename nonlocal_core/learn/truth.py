"""Clips with known truth: for every frame of a video, where one object is.

Two sources: a folder with `clip.mp4` and `masks/NNNNN.png` (as DAVIS 2016 has, Perazzi et al., CVPR 2016), and a
composed clip NAME.mp4 with NAME.json beside it, whose boxes come from the script that composed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nonlocal_core.errors import LensError

Coverage = NDArray[np.float32]


class UnreadableTruth(LensError):
    """A folder or file of known truth is not as it should be."""


@dataclass(frozen=True, eq=False)
class TruthClip:
    """A video and, frame by frame, the share of each pixel that the object covers: float32 [frames, H, W] in [0, 1]."""

    name: str
    video: Path
    object: Coverage


def truth_clips(folder: Path) -> Iterator[TruthClip]:
    """Every clip of known truth in a folder, in the order of names; a composed clip gives one for each object.

    Raises:
        UnreadableTruth: there is none, or one of them is broken.
    """
    masked = sorted(path.parent for path in folder.glob("*/clip.mp4"))
    composed = sorted(path for path in folder.glob("*.json") if path.with_suffix(".mp4").exists())
    if not masked and not composed:
        raise UnreadableTruth(f"{folder} holds neither NAME/clip.mp4 with masks nor NAME.mp4 with NAME.json")
    for path in masked:
        yield TruthClip(path.name, path / "clip.mp4", read_masks(path / "masks"))
    for path in composed:
        yield from composed_truth(path)


def read_masks(folder: Path) -> Coverage:
    """masks/00000.png, 00001.png, ... (0 or 255) -> float32 [frames, H, W].

    Raises:
        UnreadableTruth: there is none, or they differ in size.
    """
    masks: list[Coverage] = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            masks.append((np.asarray(image.convert("L")) / 255).astype(np.float32))
    if not masks or len({mask.shape for mask in masks}) != 1:
        raise UnreadableTruth(f"{folder} holds no masks of one size; NNNNN.png, one for each frame, are expected")
    return np.stack(masks)


def composed_truth(path: Path) -> Iterator[TruthClip]:
    """The objects of a composed clip: the box of what is visible, all of it counted as the object."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    for thing in facts["objects"]:
        coverage = np.zeros((facts["frames"], facts["height"], facts["width"]), np.float32)
        for frame, box in enumerate(thing["boxes"]):
            if box is not None:
                left, top, right, bottom = box
                coverage[frame, top:bottom, left:right] = 1
        yield TruthClip(f"{path.stem}: {thing['name']}", path.with_suffix(".mp4"), coverage)
