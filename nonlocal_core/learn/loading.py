"""Batches of training clips, decoded by worker processes: the same ones whoever asks, and however often it is killed.

Draw d of a run is example d mod n of epoch d // n's permutation, cut out of its video by a generator seeded with
[seed, d]. Nothing depends on how many workers or processes there are, or on what was drawn before, so a run that is
resumed at iteration i only has to ask for iteration i. Next: `train.py`, which does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nonlocal_core.errors import LensError, TrainingFailed, UnusableListing, VideoError
from nonlocal_core.learn.clips import Augmentation, Pixels, training_clip
from nonlocal_core.learn.listing import Example, Listing
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.video import normalise


@dataclass(frozen=True, eq=False)
class Batch:
    """What one process learns from in one iteration."""

    clips: Tensor  # float32 [N, 3, T, S, S], normalised
    targets: Tensor  # int64 [N], float32 [N, classes] of 0 and 1, or [N, 0], as the listing is labelled
    broken: tuple[str, ...]  # videos that could not be read, each replaced by the next that could


def batches(
    listing: Listing,
    spec: ModelSpec,
    augmentation: Augmentation,
    *,
    seed: int,
    batch: int,
    first: int,
    last: int,
    workers: int,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """The batches of iterations [first, last): this process's part of each, in order.

    Args:
        listing, spec, augmentation: what is learnt from, and how clips are cut.
        seed: of the order and of every clip.
        batch: clips of one iteration, of all processes together.
        first, last: iterations; iteration i takes draws i * batch to (i + 1) * batch.
        workers: processes that decode; with 0 this one does.
        rank, processes: which of how many training processes this is. Together they get what one alone would get.

    Raises:
        UnusableListing: it is empty, or none of its videos can be read.
        TrainingFailed: the batch cannot be shared evenly.
    """
    if batch % processes:
        raise TrainingFailed(f"a batch of {batch} clips cannot be shared evenly by {processes} processes")
    if not listing.examples:
        raise UnusableListing("the listing is empty; there is nothing to learn from")
    part = batch // processes
    order = _Order(seed, batch, part, rank * part)
    loader: DataLoader[Batch | LensError] = DataLoader(
        _Iterations(listing, spec, augmentation, order),
        batch_size=None,
        sampler=range(first, last),
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,  # starts in no time; the decoder is not inherited
        generator=torch.Generator(),  # or it would draw from the global one, and resumed runs drop out other features
    )
    for loaded in loader:
        if isinstance(loaded, LensError):
            raise loaded
        yield loaded


def _as_it_is(loaded: Any) -> Any:
    return loaded


@lru_cache(maxsize=2)  # a batch may lie across two epochs
def permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of an epoch: int64 [count]. The last 1 keeps its generator apart from that of draw `epoch`."""
    return np.random.default_rng([seed, epoch, 1]).permutation(count)


class _Order(NamedTuple):
    """Which draws an iteration takes."""

    seed: int
    batch: int
    part: int
    offset: int

    def draws(self, iteration: int) -> range:
        """Numbers in the endless sequence."""
        start = iteration * self.batch + self.offset
        return range(start, start + self.part)


class _Iterations(Dataset["Batch | LensError"]):
    """Batches by the number of their iteration. Errors are handed over, not raised: torch would rewrite them."""

    def __init__(self, listing: Listing, spec: ModelSpec, augmentation: Augmentation, order: _Order) -> None:
        self._listing, self._spec, self._augmentation, self._order = listing, spec, augmentation, order

    def __getitem__(self, iteration: int) -> Batch | LensError:
        try:
            return self._batch([self._drawn(draw) for draw in self._order.draws(iteration)])
        except LensError as error:
            return error

    def _batch(self, drawn: list[_Drawn]) -> Batch:
        mean, std = self._spec.mean, self._spec.std
        clips = np.concatenate([normalise(each.clip, mean, std) for each in drawn])  # [N, 3, T, S, S]
        targets = self._listing.targets(each.example for each in drawn)
        broken = tuple(name for each in drawn for name in each.broken)
        return Batch(torch.from_numpy(clips), torch.from_numpy(targets), broken)

    def _drawn(self, draw: int) -> _Drawn:
        """The clip of a draw; a video that cannot be read gives way to the next of the listing."""
        examples, seed = self._listing.examples, self._order.seed
        epoch, place = divmod(draw, len(examples))
        chosen = int(permutation(len(examples), seed, epoch)[place])
        broken, reason = list[str](), ""
        for step in range(len(examples)):
            example = examples[(chosen + step) % len(examples)]
            try:
                random = np.random.default_rng([seed, draw])
                return _Drawn(example, training_clip(example.path, self._spec, self._augmentation, random), broken)
            except VideoError as error:
                broken.append(str(example.path))
                reason = str(error)
        raise UnusableListing(f"none of the {len(examples)} videos can be read; the last: {broken[-1]}: {reason}")


class _Drawn(NamedTuple):
    example: Example
    clip: Pixels  # [T, S, S, 3]
    broken: list[str]
