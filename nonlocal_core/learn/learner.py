"""A run in memory: the network, its optimiser and its data, and one step of them. `train.py` says when; this, how.

batch -> forward and backward, in parts -> mean over processes -> optimiser
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonlocal_core.errors import TrainingFailed, UnsupportedPrecision, UnusableListing
from nonlocal_core.learn.listing import Listing, read_listing
from nonlocal_core.learn.loading import Batch, batches
from nonlocal_core.learn.objectives import OBJECTIVES, Objective
from nonlocal_core.learn.optimiser import lr_at, optimiser_of, set_lr
from nonlocal_core.learn.parallel import Process, apart
from nonlocal_core.learn.recipe import Recipe
from nonlocal_core.learn.start import build, set_training
from nonlocal_core.learn.state import Record, TrainingState, fingerprint
from nonlocal_core.learn.validate import validate
from nonlocal_core.model.precision import has_bfloat16
from nonlocal_core.zoo.cards import MODELS

Measured = dict[str, float]

_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Learner:
    """Everything that the loop changes, made from a recipe."""

    def __init__(self, recipe: Recipe, process: Process, *, models: Path = MODELS) -> None:
        self.recipe, self.process = recipe, process
        self.objective = objective_of(recipe)
        self.listing = _listing_for(self.objective, read_listing(recipe.data, videos=recipe.videos))
        self.validation: Listing | None = None
        if recipe.validation:
            measured_on = read_listing(recipe.validation, videos=recipe.videos, classes=self.listing.classes)
            self.validation = _listing_for(self.objective, measured_on)
        self._check_recipe()
        start = build(recipe, self.listing.classes, models=models)
        self.notes, self._licence = start.notes, start.licence
        self.model = start.model.to(process.device)
        # bfloat16 convolutions take half the time on a processor in this layout; the types of torch do not know it
        self.model.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
        self.module = self.objective.module(self.model).to(process.device)
        parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.trained = sum(parameter.numel() for parameter in parameters)
        self._optimiser = optimiser_of(parameters, recipe)
        self._scaler = torch.amp.GradScaler(process.device.type, enabled=recipe.precision == "float16")
        self._wrapped = process.wrapped(self.module)
        self._best, self._broken = math.inf, 0
        self._clock = time.perf_counter()

    def batches(self, first: int) -> Iterator[Batch]:
        """This process's part of every batch, from iteration `first` on."""
        recipe = self.recipe
        set_training(self.module)
        self._clock = time.perf_counter()
        return batches(
            self.listing, self.model.spec, recipe.augmentation,
            seed=recipe.seed, batch=recipe.batch, first=first, last=recipe.iterations,
            workers=recipe.workers, rank=self.process.rank, processes=self.process.count,
        )  # fmt: skip

    def step(self, iteration: int, batch: Batch) -> Record:
        """Learn from one batch; what the log says about it.

        Raises:
            TrainingFailed: the loss is not finite; the weights are still those of before the step.
        """
        set_lr(self._optimiser, lr := lr_at(iteration, self.recipe))
        torch.manual_seed(step_seed(self.recipe, iteration, self.process.rank))
        self._optimiser.zero_grad()
        everyone = self.process.gathered((self._gradients(batch), batch.broken))
        measured = _mean([theirs for theirs, _ in everyone])
        if not math.isfinite(measured["loss"]):
            raise TrainingFailed(
                f"the loss of iteration {iteration + 1} is {measured['loss']}; try a smaller lr or a longer warmup"
            )
        self._scaler.step(self._optimiser)
        self._scaler.update()
        unreadable = [name for _, broken in everyone for name in broken]
        self._broken += len(unreadable)
        record: Record = {**measured, "lr": lr, "clips_per_s": self._rate(), "broken": self._broken}
        return record | ({"unreadable": unreadable} if unreadable else {})

    def _gradients(self, batch: Batch) -> Measured:
        """Add up the gradients of a batch, part by part; the means of what was measured."""
        parts = self.recipe.accumulate
        pairs = list(zip(batch.clips.chunk(parts), batch.targets.chunk(parts), strict=True))
        with apart(self._wrapped):
            measured = [self._backward(*pair) for pair in pairs[:-1]]
        return _mean([*measured, self._backward(*pairs[-1])])

    def _backward(self, clips: Tensor, targets: Tensor) -> Measured:
        device = self.process.device
        with self._precision():
            measured: dict[str, Tensor] = self._wrapped(clips.to(device), targets.to(device))
        self._scaler.scale(measured["loss"] / self.recipe.accumulate).backward()
        return {name: float(value.detach()) for name, value in measured.items()}

    def _precision(self) -> AbstractContextManager[Any]:
        wanted = _AUTOCAST.get(self.recipe.precision)
        return torch.autocast(self.process.device.type, wanted) if wanted else nullcontext()

    def _rate(self) -> float:
        """Clips a second of all processes, since the last step."""
        before, self._clock = self._clock, time.perf_counter()
        return round(self.recipe.batch / (self._clock - before), 2)

    def validate(self, listing: Listing) -> Record:
        """The objective's figures on a listing, and how many of its videos could not be read."""
        with self._precision():
            found = validate(
                self.objective, self.module, self.model.spec, listing,
                process=self.process, workers=self.recipe.workers,
            )  # fmt: skip
        set_training(self.module)
        self._clock = time.perf_counter()
        return {**found.figures, "broken": len(found.broken)}

    def is_best(self, figures: Record) -> bool:
        """Whether these are the best so far, by their error, or by their loss where there is none."""
        measured = figures.get("error", figures["loss"])
        better = measured < self._best
        self._best = min(measured, self._best)
        return better

    def state(self, iteration: int) -> TrainingState:
        """Everything that the steps so far have changed."""
        return TrainingState(
            iteration=iteration,
            weights=self.module.state_dict(),
            optimiser=self._optimiser.state_dict(),
            scaler=self._scaler.state_dict(),
            best=self._best,
            broken=self._broken,
            listing=fingerprint(self.listing),
        )

    def restore(self, state: TrainingState | None) -> int:
        """Go back to a state; how many iterations are done: 0 without one."""
        if state is None:
            return 0
        self.module.load_state_dict(state.weights)
        self._optimiser.load_state_dict(state.optimiser)
        self._scaler.load_state_dict(state.scaler)
        self._best, self._broken = state.best, state.broken
        return state.iteration

    def provenance(self, iteration: int) -> dict[str, str]:
        """What a model file says about how it was made."""
        recipe = self.recipe
        licence = {"licence": f"of the weights it started from: {self._licence}"} if self._licence else {}
        return licence | {
            "source": f"nonlocal-lens train, {recipe.objective} on {recipe.data.name}, from {recipe.model}",
            "recipe": recipe.model_dump_json(),
            "data": recipe.data.name,
            "data_sha256": fingerprint(self.listing),
            "seed": str(recipe.seed),
            "iterations": str(iteration),
            "notes": "\n".join(self.notes),
        }

    def _check_recipe(self) -> None:
        recipe, processes = self.recipe, self.process.count
        if recipe.precision == "bfloat16" and not has_bfloat16(self.process.device.type):
            raise UnsupportedPrecision(recipe.precision)
        if recipe.batch % (processes * recipe.accumulate):
            raise TrainingFailed(
                f"batch={recipe.batch} cannot be cut into accumulate={recipe.accumulate} equal parts for each of "
                f"{processes} processes; choose a multiple of {processes * recipe.accumulate}"
            )


def objective_of(recipe: Recipe) -> Objective:
    """The objective that the recipe names.

    Raises:
        TrainingFailed: there is none of that name.
    """
    if recipe.objective not in OBJECTIVES:
        raise TrainingFailed(f"no objective {recipe.objective!r}; choose one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[recipe.objective]


def step_seed(recipe: Recipe, iteration: int, rank: int) -> int:
    """Seed of what is random in a step besides the clips, such as dropout; each process has its own."""
    return int(np.random.SeedSequence([recipe.seed, iteration, rank]).generate_state(1)[0])


def _listing_for(objective: Objective, listing: Listing) -> Listing:
    if objective.labelling not in ("none", listing.labelling):
        raise UnusableListing(
            f"objective {objective.name} needs a listing of kind {objective.labelling!r}, but this one is "
            f"{listing.labelling!r}: softmax takes one class a video, sigmoid several"
        )
    return listing


def _mean(measured: Sequence[Measured]) -> Measured:
    return {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}
