"""Do blocks help a network that cannot see everything? The share of clips whose class survives when cells are hidden.

The network without its blocks sees the whole clip; its most probable class is the teacher's. With cells of the
features that reach the first block set to zero, the same network must still come to that class: once with its blocks,
once without, and both behind the same masks. With nothing hidden, blocks may change nothing. No labels are needed.
The cells are those of `hidden.py`, which trains for this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nonlocal_core.errors import UnusableListing
from nonlocal_core.learn.hidden import ALL_TIME, Box, Halves, visible_cells
from nonlocal_core.learn.listing import Listing
from nonlocal_core.learn.validate import ahead, middle_clip
from nonlocal_core.model.build import Model
from nonlocal_core.model.precision import Precision, computing_in

Array = NDArray[np.float64]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Hiding:
    """What is hidden, how often, and in which arithmetic the network runs."""

    shares: tuple[float, ...] = (0.3, 0.5)
    # 2x4x4 cells of 28x28 are one key of a block at 14x14, so nothing of it is left to look at: the main figure.
    boxes: tuple[Box, ...] = ((1, 1), (2, 2), (2, 4), (ALL_TIME, 2))
    draws: int = 2
    seed: int = 0
    precision: Precision = "float32"


@dataclass(frozen=True)
class Share:
    """A mean over clips and its standard error; the error is NaN for a single clip."""

    mean: float
    error: float


@dataclass(frozen=True)
class Hidden:
    """One way of hiding cells: which share of clips keeps the teacher's class."""

    share: float  # of the cells that are hidden
    box: str  # time steps x rows x columns that are hidden together
    with_blocks: Share
    without_blocks: Share
    gain: Share  # the difference, clip by clip


@dataclass(frozen=True)
class Occlusion:
    """What hiding does to one network."""

    clips: int
    clean: Share  # with blocks and nothing hidden
    hidden: tuple[Hidden, ...]
    broken: tuple[str, ...]  # videos that could not be read


def has_effect(model: Model) -> bool:
    """Whether any block adds to its input; blocks that only observe cannot help."""
    return any(block.residual == "learned" for block in model.spec.blocks)


def measure_occlusion(
    model: Model, listing: Listing, hiding: Hiding, *, workers: int = 2, tell: Tell = lambda _line: None
) -> Occlusion:
    """Hide cells of the middle clip of every video, and count whose class survives.

    Args:
        model: it is left in evaluation mode, its weights in the memory layout that is fast here.
        listing: labels are not looked at.
        hiding: what is hidden. The masks depend on the seed, on the video's place in the listing and on nothing else.
        workers: videos decoded at a time, ahead of the network.
        tell: gets a line of progress for each video.

    Raises:
        UnusableListing: none of the videos can be read.
        TrainingFailed: the model has no block.
    """
    device = next(model.parameters()).device
    model.eval().to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
    halves = Halves(model)
    clean: list[bool] = []
    kept: list[Array] = []
    broken: list[str] = []
    examples = listing.examples
    clips = ahead(lambda each: middle_clip(each, model.spec), examples, workers)
    with torch.inference_mode(), computing_in(hiding.precision, device.type):
        for number, (example, clip) in enumerate(zip(examples, clips, strict=True)):
            if clip is None:
                broken.append(str(example.path))
            else:
                clip = clip.to(device, memory_format=torch.channels_last_3d)
                unhidden, hidden = _kept_of(halves, clip, hiding, number)
                clean.append(unhidden)
                kept.append(hidden)
            tell(f"[{number + 1:3}/{len(examples)}] {example.path.name}{': cannot be read' if clip is None else ''}")
    if not clean:
        raise UnusableListing(f"none of the {len(broken)} videos can be read, such as {broken[0]}")
    return Occlusion(len(clean), share_of(clean), _summary(np.stack(kept), hiding), tuple(broken))


def _kept_of(halves: Halves, clip: Tensor, hiding: Hiding, number: int) -> tuple[bool, Array]:
    """Whether the class survives the blocks, and each hiding: share of draws [shares, boxes, with or without]."""
    x = halves.front(clip)
    teacher = _class(halves, x, "without")
    kept = np.zeros((len(hiding.shares), len(hiding.boxes), 2))
    for s, share in enumerate(hiding.shares):
        for b, box in enumerate(hiding.boxes):
            for draw in range(hiding.draws):
                seen = x * mask_of(x, share, box, seed=(hiding.seed, number, s, b, draw))
                kept[s, b] += [_class(halves, seen, blocks) == teacher for blocks in ("with", "without")]
    return _class(halves, x, "with") == teacher, kept / hiding.draws


def _class(halves: Halves, x: Tensor, blocks: Literal["with", "without"]) -> int:
    return int(halves.rest(x, blocks)[0].argmax())


def mask_of(x: Tensor, share: float, box: Box, *, seed: Sequence[int]) -> Tensor:
    """0 where a cell of x [1, C, T, H, W] is hidden, else 1: [1, 1, T, H, W], of the type and device of x."""
    t, h, w = x.shape[2:]
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    return visible_cells((t, h, w), box, share, generator).to(x)


def _summary(kept: Array, hiding: Hiding) -> tuple[Hidden, ...]:
    """Over clips [N, shares, boxes, with or without]."""
    return tuple(
        Hidden(
            share=share,
            box=box_name(box),
            with_blocks=share_of(kept[:, s, b, 0]),
            without_blocks=share_of(kept[:, s, b, 1]),
            gain=share_of(kept[:, s, b, 0] - kept[:, s, b, 1]),
        )
        for s, share in enumerate(hiding.shares)
        for b, box in enumerate(hiding.boxes)
    )


def box_name(box: Box) -> str:
    """Such as 2x4x4, or all x2x2 for a tube."""
    steps, side = box
    return f"{'all ' if steps == ALL_TIME else steps}x{side}x{side}"


def share_of(clips: Sequence[float] | Array) -> Share:
    """The mean of one number a clip, and the standard error of it: s / sqrt(N)."""
    values = np.asarray(clips, np.float64)
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return Share(float(values.mean()), error)
