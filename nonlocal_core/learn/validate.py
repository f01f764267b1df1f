"""How well a network does while it is trained: one clip from the middle of each video, as fast as that goes.

The figures of a paper come from `evaluate.py`, which looks at many views of every video. Here the objective decides
what is kept of a clip and what the figures are, so this works without labels too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from nonlocal_core.errors import UnusableListing, VideoError
from nonlocal_core.learn.clips import Protocol, evaluation_views
from nonlocal_core.learn.listing import Example, Listing
from nonlocal_core.learn.objectives import Array, Objective
from nonlocal_core.learn.parallel import Process
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.video import normalise

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Validation:
    """The figures of a listing, and the videos that could not be read for them."""

    figures: dict[str, float]
    broken: tuple[str, ...]


@torch.no_grad()
def validate(
    objective: Objective, module: nn.Module, spec: ModelSpec, listing: Listing, *, process: Process, workers: int
) -> Validation:
    """Measure the loss module on a listing; the processes share the videos and all get the same answer.

    Args:
        objective: what is measured.
        module: of `objective.module`; it is left in evaluation mode.
        spec: the network's input.
        listing: of the training's classes.
        process: this one among its fellows.
        workers: videos that are decoded at once, at least one.

    Raises:
        UnusableListing: none of the videos can be read.
    """
    module.eval()
    judged: list[dict[str, Array]] = []
    broken: list[str] = []
    mine = listing.examples[process.rank :: process.count]
    clips = ahead(lambda each: middle_clip(each, spec), mine, max(1, workers))
    for example, clip in zip(mine, clips, strict=True):
        if clip is None:
            broken.append(str(example.path))
            continue
        targets = torch.from_numpy(listing.targets([example])).to(process.device)
        judged.append(objective.judge(module, clip.to(process.device), targets))
    everyone = process.gathered((judged, broken))
    rows = [row for theirs, _ in everyone for row in theirs]
    names = tuple(sorted(name for _, theirs in everyone for name in theirs))
    if not rows:
        raise UnusableListing(f"none of the {len(names)} validation videos can be read, such as {names[0]}")
    return Validation(objective.summary({key: np.concatenate([row[key] for row in rows]) for key in rows[0]}), names)


def middle_clip(example: Example, spec: ModelSpec) -> Tensor | None:
    """The middle square of the clip in the middle: float32 [1, 3, T, S, S]; None where the video cannot be read."""
    protocol = Protocol(
        clips=1, crops="centre", starts="mmaction2", short_side_px=spec.short_side_px, size_px=spec.size_px
    )  # fmt: skip
    try:
        (view,) = evaluation_views(example.path, spec, protocol)
    except VideoError:
        return None
    return torch.from_numpy(normalise(view, spec.mean, spec.std))


def ahead(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`work` of every item, in order, by so many threads; twice as many are waited for, so memory stays bounded.

    Threads will do where the work is to wait: the decoder is a process of its own. An error is raised in its turn.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
