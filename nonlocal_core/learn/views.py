"""What the network is shown of a video to score its arrows: the square it was trained on, or the whole frame.

crop    the middle square of `size_px`, as everywhere else
whole   all of the frame at `short_side_px`, the network run "fully-convolutionally in space" (Wang et al. 2018,
        Section 4.1); both sides are cut to multiples of 32, so that every grid of every stage tiles what is shown

An object fills much of the square, so chance is high there; the whole frame is the harder and the fairer view.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nonlocal_core.affinity.field import Floats
from nonlocal_core.errors import QueryError
from nonlocal_core.learn.truth import TruthClip
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.video import Sampling, clip_frames, decode_frames, normalise, probe_video

View = Literal["crop", "whole"]
VIEWS: tuple[View, ...] = get_args(View)
DEEPEST_PX = 32  # pixels a side of a cell of the last stage, in both backbones


@dataclass(frozen=True, eq=False)
class Shown:
    """The frames as the network saw them, and what they were cut from."""

    rgb: NDArray[np.uint8]  # [T, H, W, 3]
    indices: NDArray[np.int64]  # [T], frame numbers in the video
    size: tuple[int, int]  # height and width of the decoded frame, in pixels

    def batch(self, spec: ModelSpec) -> Tensor:
        """What the network reads: float32 [1, 3, T, H, W]."""
        return torch.from_numpy(normalise(self.rgb, spec.mean, spec.std))


def show(video: Path, spec: ModelSpec, view: View) -> Shown:
    """The first clip of a video in a view.

    Raises:
        UnreadableVideo, VideoTooLarge: the file is at fault.
        QueryError: nothing of the frame would be left.
    """
    indices = clip_frames(probe_video(video), Sampling(spec.frames, spec.stride), 0.0)
    decoded = decode_frames(video, indices, short_side=spec.short_side_px)
    height, width = decoded.rgb.shape[1:3]
    return Shown(middle(decoded.rgb, *extent(height, width, spec, view)), decoded.indices, (height, width))


def extent(height: int, width: int, spec: ModelSpec, view: View) -> tuple[int, int]:
    """Height and width of what is shown of a decoded frame, in pixels.

    Raises:
        QueryError: nothing would be left.
    """
    if view == "crop":
        return spec.size_px, spec.size_px
    if min(height, width) < DEEPEST_PX:
        raise QueryError(f"a whole frame of {width}×{height} pixels is too small; {DEEPEST_PX} a side are needed")
    return height - height % DEEPEST_PX, width - width % DEEPEST_PX


def middle(frames: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """The middle of frames [T, H, W, ...], where `crop_clip` takes its square."""
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return np.ascontiguousarray(frames[:, top : top + height, left : left + width])


def truth_in(shown: Shown, truth: TruthClip) -> Floats:
    """The object in the very frames and pixels that were shown: float32 [T, H, W] in [0, 1]."""
    masks = truth.object[np.minimum(shown.indices, len(truth.object) - 1)]  # [T, h, w]
    if masks.shape[1:] != shown.size:
        masks = np.stack([_resized(mask, shown.size) for mask in masks])  # [T, H', W']
    return middle(masks, *shown.rgb.shape[1:3])


def _resized(mask: Floats, size: tuple[int, int]) -> Floats:
    height, width = size
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BOX), np.float32)
