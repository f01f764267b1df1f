"""What is learnt: each objective owns its loss, its activation and its metric, so that nobody else asks which it is.

`softmax` is one class a video (Kinetics), `sigmoid` any number of them (Charades). `hidden_cells` needs no labels: its
loss module does more than `model(clips)`, and what it measures is its metric.
Next: `train.py`, which asks these questions, and `metrics.py`, which answers the last of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.learn.hidden import Restoring
from nonlocal_core.learn.listing import Labelling
from nonlocal_core.learn.metrics import mean_average_precision, top_k
from nonlocal_core.model.build import Model

Array = NDArray[Any]


class Objective(ABC):
    """What a run minimises, and what its validation tells."""

    name: ClassVar[str]
    labelling: ClassVar[Labelling]
    """What a listing must tell of each video; "none" takes any."""

    @abstractmethod
    def module(self, model: nn.Module) -> nn.Module:
        """A module around `model` for training: forward(clips, targets) -> {"loss": scalar, ...}.

        "loss" is minimised; what else is there is logged beside it. It is one module, so that
        DistributedDataParallel can wrap it whole.
        """

    def judge(self, module: nn.Module, clips: Tensor, targets: Tensor) -> dict[str, Array]:
        """What validation keeps of N clips: arrays [N, ...], here what the loss module itself measured.

        The module is in evaluation mode and nothing asks for gradients.
        """
        measured: dict[str, Tensor] = module(clips, targets)
        return {name: np.full(len(clips), float(value)) for name, value in measured.items()}

    def summary(self, judged: Mapping[str, Array]) -> dict[str, float]:
        """The figures of a whole validation, of all that `judge` kept: here the means."""
        return {name: float(values.mean()) for name, values in judged.items()}


class Classification(nn.Module):
    """The loss of a classifier's logits, and whatever the objective measures while training."""

    def __init__(self, model: nn.Module, objective: Supervised) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, clips: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Clips [N, 3, T, S, S] -> the mean loss and the measures of these clips, scalars."""
        logits = self.model(clips).float()  # [N, C]
        return {"loss": self.objective.losses(logits, targets).mean(), **self.objective.measured(logits, targets)}


class Supervised(Objective):
    """An objective of logits and labels alone: it also says how a network answers, and how good the answers are."""

    @abstractmethod
    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each clip: [N, C] -> [N]."""

    @abstractmethod
    def scores(self, logits: Tensor) -> Tensor:
        """Probabilities [N, C] of logits [N, C]."""

    @abstractmethod
    def metrics(self, scores: Array, targets: Array) -> dict[str, float]:
        """Shares in [0, 1] of scores [N, C], such as top1; `error` is 1 minus the one that a curve shows."""

    def measured(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """What is logged beside the loss of a training batch: here nothing."""
        return {}

    def module(self, model: nn.Module) -> Classification:
        """The loss of what `model` answers."""
        return Classification(model, self)

    def judge(self, module: nn.Module, clips: Tensor, targets: Tensor) -> dict[str, Array]:
        """Scores [N, C], targets and losses [N]."""
        assert isinstance(module, Classification)
        logits = module.model(clips).float()
        kept = {"scores": self.scores(logits), "targets": targets, "loss": self.losses(logits, targets)}
        return {name: value.cpu().numpy() for name, value in kept.items()}

    def summary(self, judged: Mapping[str, Array]) -> dict[str, float]:
        """The mean loss and the metrics of all scores together."""
        return {"loss": float(judged["loss"].mean()), **self.metrics(judged["scores"], judged["targets"])}


class Softmax(Supervised):
    """One class a video: cross entropy; targets int64 [N]."""

    name, labelling = "softmax", "single"

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """-log of the true class's probability."""
        return functional.cross_entropy(logits, targets, reduction="none")

    def measured(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The top-1 error of the batch, as Wang et al. 2018 draw it in Figure 4."""
        return {"error": (logits.detach().argmax(1) != targets).float().mean()}

    def scores(self, logits: Tensor) -> Tensor:
        """Rows sum to 1."""
        return logits.softmax(1)

    def metrics(self, scores: Array, targets: Array) -> dict[str, float]:
        """top1 and error; top5 where there are more than five classes to choose from."""
        top1 = top_k(scores, targets, 1)
        five = {"top5": top_k(scores, targets, 5)} if scores.shape[1] > 5 else {}
        return {"top1": top1, **five, "error": 1 - top1}


class Sigmoid(Supervised):
    """Any number of classes a video, each on its own: binary cross entropy; targets float32 [N, C] of 0 and 1."""

    name, labelling = "sigmoid", "multi"

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean over classes, so that a learning rate means the same for 10 classes and for 157."""
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)

    def scores(self, logits: Tensor) -> Tensor:
        """Each class in [0, 1] for itself."""
        return logits.sigmoid()

    def metrics(self, scores: Array, targets: Array) -> dict[str, float]:
        """map: mean average precision over the classes that occur, Charades' measure; and error."""
        mean = mean_average_precision(scores, targets)
        return {"map": mean, "error": 1 - mean}


class HiddenCells(Objective):
    """Blocks restore what was hidden from a frozen network; `hidden.py` says how and measures it."""

    name, labelling = "hidden_cells", "none"

    def module(self, model: nn.Module) -> Restoring:
        """Raises TrainingFailed where the model has no block."""
        assert isinstance(model, Model)
        return Restoring(model)


SUPERVISED: dict[str, Supervised] = {objective.name: objective for objective in (Softmax(), Sigmoid())}
OBJECTIVES: dict[str, Objective] = {**SUPERVISED, HiddenCells.name: HiddenCells()}
