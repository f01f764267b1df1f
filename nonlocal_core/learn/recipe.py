"""`Recipe`: everything that decides a training run, as data. It is saved beside the weights and travels inside them.

The defaults are those of Wang et al. 2018, Section 4.1, "Training", where it names one; where its release
(github.com/facebookresearch/video-nonlocal-net) differs, the field says so. Next: `start.py` reads the fields on
the network, `optimiser.py` those on its steps, `train.py` the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.learn.clips import Augmentation

OWN, RANDOM = "own", "random"


class Recipe(BaseModel):
    """One training run. The same recipe on the same machine gives the same weights, killed and resumed or not."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: Path = Field(description="training videos: a folder of class folders, a folder of videos, or a .csv")
    videos: Path | None = Field(default=None, description="folder that a .csv's names are relative to")
    validation: Path | None = Field(default=None, description="videos that only measure, listed as `data` is")
    model: str = Field(default="default", description="the network: a model's name, a model file, or a spec in .json")
    start: str = Field(
        default=OWN,
        description="weights to start from: own (the model's; random for a .json), random, a model's name, a "
        "checkpoint, or a 2D ResNet's state dict in torchvision's layout, which is inflated",
    )
    blocks: Literal["keep", "remove"] = Field(
        default="keep", description="remove trains the same network without its non-local blocks, to compare"
    )
    objective: str = Field(
        default="softmax",
        description="what is learnt: softmax (one class), sigmoid (several), or hidden_cells (unlabelled videos)",
    )
    iterations: int = Field(default=400_000, gt=0, description="optimiser steps")
    batch: int = Field(default=64, gt=0, description="clips a step, of all processes together")
    accumulate: int = Field(default=1, gt=0, description="parts that a process cuts its clips into, to save memory")
    optimiser: Literal["sgd", "adamw"] = Field(default="sgd", description="SGD with momentum, or AdamW")
    lr: float = Field(default=0.01, gt=0, description="learning rate after the warm-up")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD (without Nesterov); AdamW's beta 1")
    weight_decay: float = Field(default=1e-4, ge=0, description="on every parameter, norms and biases too")
    schedule: Literal["step", "cosine", "constant"] = Field(
        default="step", description="how the rate falls: by gamma at milestones, along a cosine to 0, or not at all"
    )
    milestones: tuple[int, ...] = Field(default=(150_000, 300_000), description="iterations where `step` steps")
    gamma: float = Field(default=0.1, gt=0, le=1, description="factor of each step")
    warmup: int = Field(default=0, ge=0, description="iterations in which the rate rises linearly to lr")
    batch_norm: Literal["trained", "frozen", "affine"] = Field(
        default="trained",
        description="trained; frozen (statistics, scale and shift stay; new blocks' are trained all the same); or "
        "affine (folded into a trained scale and shift; a ResNet only)",
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="before the classifier")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of the forward pass; weights are float32 always"
    )
    freeze: tuple[str, ...] = Field(
        default=(), description=r"regular expressions; a parameter that one fits whole is frozen, as stages\..*"
    )
    augmentation: Augmentation = Field(
        default=Augmentation(), description="how a training clip is cut from its video, as JSON"
    )
    seed: int = Field(default=0, ge=0, description="of all that is random: weights, order, crops, dropout")
    workers: int = Field(default=2, ge=0, description="decoding processes of each training process")
    validate_every: int = Field(default=5_000, gt=0, description="iterations between measures on `validation`")
    save_every: int = Field(default=1_000, gt=0, description="iterations between saved states")

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones={self.milestones} must rise")
        if self.batch % self.accumulate:
            raise ValueError(f"batch={self.batch} cannot be cut into accumulate={self.accumulate} equal parts")
        return self


def recipe_of(fields: dict[str, object]) -> Recipe:
    """A recipe from fields that a person gave; text is read as the number it spells.

    Raises:
        TrainingFailed: a field is unknown, missing or out of range; all of them are listed.
    """
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors()]
        raise TrainingFailed("the recipe cannot be used:\n  " + "\n  ".join(found)) from error


def read_recipe(path: Path) -> Recipe:
    """A recipe that was saved.

    Raises:
        TrainingFailed: the file is not there or holds no recipe.
    """
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TrainingFailed(f"{path} cannot be read: {error.strerror}; give a recipe.json or a run's folder") from None
    except ValidationError as error:
        raise TrainingFailed(f"{path} is no recipe: {error}") from error
