"""A run on disk, so that it can be killed at any moment and go on as if it had not been.

    RUN/recipe.json           what was asked for; written first
    RUN/log.jsonl             one line an iteration; lines after the saved state are cut off when the run goes on
    RUN/state.pt              everything that the loop changes, after some iteration; replaced whole or not at all
    RUN/weights.safetensors   the network of that moment, a model file of ours
    RUN/best.safetensors      the network of the lowest validation error

What is random in a step follows from the recipe's seed and the step's number (`train.py`), so it is not stored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nonlocal_core.durable import replace, sync
from nonlocal_core.errors import ResumeMismatch, TrainingFailed
from nonlocal_core.learn.listing import Listing
from nonlocal_core.learn.recipe import Recipe, read_recipe
from nonlocal_core.model.build import Model
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, write_checkpoint
from nonlocal_core.zoo.convert import wanted_tensors

Record = dict[str, Any]


@dataclass
class TrainingState:
    """What has to be known to go on after `iteration` steps."""

    iteration: int
    weights: dict[str, Any]
    optimiser: dict[str, Any]
    scaler: dict[str, Any]
    best: float  # lowest validation error so far; infinite before the first
    broken: int  # draws that could not be read so far
    listing: str  # fingerprint of the training data


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @classmethod
    def created(cls, path: Path, recipe: Recipe) -> RunFolder:
        """A new run.

        Raises:
            TrainingFailed: there is one already.
        """
        run = cls(path)
        if run.recipe_file.exists():
            raise TrainingFailed(f"{path} holds a run already; go on with --resume {path}, or choose another --out")
        path.mkdir(parents=True, exist_ok=True)
        replace(run.recipe_file, lambda file: file.write_text(recipe.model_dump_json(indent=2) + "\n", "utf-8"))
        return run

    @property
    def recipe_file(self) -> Path:
        """What was asked for."""
        return self.path / "recipe.json"

    @property
    def log_file(self) -> Path:
        """What happened."""
        return self.path / "log.jsonl"

    @property
    def state_file(self) -> Path:
        """Where it stands."""
        return self.path / "state.pt"

    def recipe(self) -> Recipe:
        """The run's recipe.

        Raises:
            TrainingFailed: there is no run here.
        """
        return read_recipe(self.recipe_file)

    def save(self, state: TrainingState) -> None:
        """Replace the saved state; the log up to it is on the disk before."""
        if self.log_file.exists():
            sync(self.log_file)
        replace(self.state_file, lambda file: torch.save(vars(state), file))

    def saved(self, listing: Listing) -> TrainingState | None:
        """The saved state; None where the run was ended before its first.

        Raises:
            ResumeMismatch: it was trained on other data.
        """
        if not self.state_file.exists():
            return None
        state = TrainingState(**torch.load(self.state_file, map_location="cpu", weights_only=True))
        if state.listing != fingerprint(listing):
            raise ResumeMismatch(
                f"{self.path} was trained on other data than its `data` names now (videos or labels were added, "
                "removed or renamed); put them back, or start a new run from its weights.safetensors"
            )
        return state

    def write_weights(self, name: str, model: Model, provenance: dict[str, str]) -> None:
        """Replace a model file of the run."""
        state = model.state_dict()
        tensors = {key: state[key].float().cpu().numpy() for key in wanted_tensors(model)}
        checkpoint = Checkpoint(Header(model.spec, model.labels, provenance), tensors)
        replace(self.path / name, lambda file: write_checkpoint(file, checkpoint))

    def log(self, record: Record) -> None:
        """Add a line to the log."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def forget_after(self, iteration: int) -> None:
        """Cut the log's lines of later iterations off: they will be run again."""
        kept = [record for record in read_log(self.log_file) if record["iteration"] <= iteration]
        lines = "".join(json.dumps(record) + "\n" for record in kept)
        replace(self.log_file, lambda file: file.write_text(lines, "utf-8"))


def read_log(path: Path) -> list[Record]:
    """The records of a log, in order; a last line that was cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def fingerprint(listing: Listing) -> str:
    """SHA-256 of the classes, and of each video's name, folder and labels, wherever the data lies; in hex."""
    rows = [["/".join(example.path.parts[-2:]), example.targets] for example in listing.examples]
    return hashlib.sha256(json.dumps([listing.classes, rows]).encode()).hexdigest()
