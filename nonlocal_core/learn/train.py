"""The training loop: a batch, a step, a line in the log; now and then a measure and a saved state.

Everything random in a step follows from the recipe's seed and the step's number: the clips in `loading.py`, dropout in
`learner.py`. So a run that was killed goes on from its saved state, bit by bit, as if nothing had been.
Next: `learner.py`, which makes the steps, and `state.py`, which keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from nonlocal_core.learn.learner import Learner
from nonlocal_core.learn.parallel import Process
from nonlocal_core.learn.recipe import Recipe
from nonlocal_core.learn.state import Record, RunFolder
from nonlocal_core.zoo.cards import MODELS

Tell = Callable[[str], None]

ALONE = Process(rank=0, count=1, device=torch.device("cpu"))
_SPEAK_EVERY_S = 5.0  # a line of progress at most so often


def silent(_line: str) -> None:
    """A training that nobody watches."""


def train(run: RunFolder, process: Process = ALONE, *, models: Path = MODELS, tell: Tell = silent) -> None:
    """Train as the run's recipe says, from where it stands to its end.

    Args:
        run: a folder from `RunFolder.created`, new, or left behind by a run that was ended.
        process: this one among those that train together; the first writes the files and speaks.
        models: the folder that `models fetch` filled.
        tell: called with lines for people.

    Raises:
        LensError: the data, the model or the recipe is at fault; TrainingFailed also when the loss is no number.
    """
    recipe = run.recipe()
    learner = Learner(recipe, process, models=models)
    first = learner.restore(run.saved(learner.listing))
    speaker = _Speaker(recipe, tell if process.leads else silent)
    speaker.open(learner, first)
    if process.leads:
        run.forget_after(first)
    for done, batch in enumerate(learner.batches(first), first + 1):
        record: Record = {"iteration": done, **learner.step(done - 1, batch)}
        if learner.validation and is_due(done, recipe.validate_every, recipe):
            record["validation"] = learner.validate(learner.validation)
        if process.leads:
            _keep(run, learner, record)
        speaker.tell(record)


def is_due(done: int, every: int, recipe: Recipe) -> bool:
    """Whether something that happens `every` so many iterations happens after `done` of them; at the end always."""
    return done % every == 0 or done == recipe.iterations


def _keep(run: RunFolder, learner: Learner, record: Record) -> None:
    """Write what this iteration leaves: its line first, the state last, so that no state is ahead of the log."""
    done: int = record["iteration"]
    run.log(record)
    if "validation" in record and learner.is_best(record["validation"]):
        run.write_weights("best.safetensors", learner.model, learner.provenance(done))
    if is_due(done, learner.recipe.save_every, learner.recipe):
        run.write_weights("weights.safetensors", learner.model, learner.provenance(done))
        run.save(learner.state(done))


class _Speaker:
    """Tells people how it goes: every few seconds, and whenever something was measured or a video was broken."""

    def __init__(self, recipe: Recipe, tell: Tell) -> None:
        self._recipe, self._tell, self._spoken = recipe, tell, 0.0

    def open(self, learner: Learner, first: int) -> None:
        """What is about to be trained."""
        videos, classes = len(learner.listing.examples), len(learner.listing.classes)
        self._tell(f"{videos} videos, {classes or 'no'} classes; {learner.trained / 1e6:.2f} M parameters to train")
        for note in learner.notes:
            self._tell(f"  {note}")
        if first:
            self._tell(f"  goes on after iteration {first}")

    def tell(self, record: Record) -> None:
        """A line about an iteration."""
        notable = "validation" in record or "unreadable" in record or record["iteration"] == self._recipe.iterations
        if notable or time.monotonic() - self._spoken > _SPEAK_EVERY_S:
            self._spoken = time.monotonic()
            self._tell(line_of(record, self._recipe.iterations))


def line_of(record: Record, iterations: int) -> str:
    """A record in words."""
    told = f"[{record['iteration']:{len(str(iterations))}}/{iterations}] {_figures(record)}"
    told += f"  lr {record['lr']:.3g}  {record['clips_per_s']:.1f} clips/s"
    if record["broken"]:
        told += f"  {record['broken']} broken"
    for name in record.get("unreadable", ()):
        told += f"\n  cannot be read: {name}"
    if "validation" in record:
        told += f"\n  validation: {_figures(record['validation'])}"
    return told


def _figures(record: Record) -> str:
    """The loss as it is, shares in per cent."""
    words = {"top1": "top-1", "top5": "top-5", "map": "mAP"}
    loss = f"loss {record['loss']:.4f}"
    shares = [f"{words.get(name, name)} {100 * record[name]:.1f} %" for name in ("error", *words) if name in record]
    return "  ".join([loss, *shares])
