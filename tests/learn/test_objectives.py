"""Each objective's loss, activation and metric, written out longhand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from nonlocal_core.learn.objectives import OBJECTIVES, Objective

LOGITS = torch.tensor([[2.0, 0.0], [1.0, 3.0]])


class Answers(nn.Module):
    """A model that answers its parameter, whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(LOGITS.clone())

    def forward(self, _clips):
        return self.logits


class Darkness(Objective):
    """An objective without labels: clips are to be dark."""

    name, labelling = "darkness", "none"

    def module(self, _model):
        class Light(nn.Module):
            def forward(self, clips, _targets):
                return {"loss": clips.mean(), "bright": (clips > 0.5).float().mean()}

        return Light()

    def scores(self, logits):
        return logits

    def metrics(self, _scores, _targets):
        return {}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_softmax_loss_is_the_mean_of_minus_log_of_the_true_class():
    module = OBJECTIVES["softmax"].module(Answers())
    measured = module(torch.zeros(2), torch.tensor([0, 0]))

    first, second = math.exp(2) / (math.exp(2) + 1), math.exp(1) / (math.exp(1) + math.exp(3))
    assert measured["loss"].item() == pytest.approx(-(math.log(first) + math.log(second)) / 2)
    assert measured["error"].item() == 0.5  # the second is taken for class 1
    assert module(torch.zeros(2), torch.tensor([0, 1]))["error"].item() == 0


def test_sigmoid_loss_is_the_mean_over_clips_and_classes():
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0]])

    loss = OBJECTIVES["sigmoid"].module(Answers())(torch.zeros(2), targets)["loss"]

    each = [sigmoid(2), sigmoid(0), 1 - sigmoid(1), sigmoid(3)]
    assert loss.item() == pytest.approx(-sum(map(math.log, each)) / 4)


def test_scores_are_probabilities_of_one_class_or_of_each():
    assert OBJECTIVES["softmax"].scores(LOGITS).sum(1).tolist() == pytest.approx([1, 1])
    assert OBJECTIVES["sigmoid"].scores(LOGITS)[1].tolist() == pytest.approx([sigmoid(1), sigmoid(3)])


def test_the_loss_teaches_the_model_and_its_measures_do_not():
    answers = Answers()
    measured = OBJECTIVES["softmax"].module(answers)(torch.zeros(2), torch.tensor([0, 0]))

    measured["loss"].backward()

    assert answers.logits.grad is not None
    assert not measured["error"].requires_grad


def test_softmax_is_measured_by_top_1_and_by_top_5_only_among_more_than_five():
    scores = np.eye(6)[[0, 1, 2, 3]]  # each sure of another class

    figures = OBJECTIVES["softmax"].metrics(scores, np.array([0, 1, 2, 5]))

    assert figures == {"top1": 0.75, "top5": 0.75, "error": 0.25}  # 5 comes last among equals
    assert "top5" not in OBJECTIVES["softmax"].metrics(scores[:, :5], np.array([0, 1, 2, 3]))


def test_sigmoid_is_measured_by_mean_average_precision():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    targets = np.array([[1, 1], [0, 0], [1, 0]])

    figures = OBJECTIVES["sigmoid"].metrics(scores, targets)

    expected = ((1 / 1 + 2 / 3) / 2 + 1 / 3) / 2  # hits at ranks 1 and 3; at rank 3
    assert figures == pytest.approx({"map": expected, "error": 1 - expected})


@pytest.mark.parametrize(
    ("name", "targets"), [("softmax", torch.tensor([0, 0])), ("sigmoid", torch.tensor([[1.0, 0.0], [1.0, 1.0]]))]
)
def test_validation_in_parts_equals_the_whole_at_once(name, targets):
    objective, answers = OBJECTIVES[name], Answers()
    with torch.no_grad():
        module = objective.module(answers)
        whole = objective.judge(module, torch.zeros(2), targets)
        parts = []
        for i in range(2):
            answers.logits = nn.Parameter(LOGITS[i : i + 1])
            parts.append(objective.judge(module, torch.zeros(1), targets[i : i + 1]))

    joined = objective.summary({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})

    assert joined == pytest.approx(objective.summary(whole))
    answers.logits = nn.Parameter(LOGITS)
    assert joined["loss"] == pytest.approx(module(torch.zeros(2), targets)["loss"].item())


def test_an_objective_without_labels_is_measured_by_its_own_module():
    darkness, clips = Darkness(), torch.tensor([[0.0, 0.2], [0.6, 1.0]])
    module = darkness.module(nn.Identity())

    parts = [darkness.judge(module, clips[i : i + 1], torch.zeros(1, 0)) for i in range(2)]
    figures = darkness.summary({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})

    assert figures == pytest.approx({"loss": 0.45, "bright": 0.5})
