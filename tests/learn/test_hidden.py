"""The hidden-cells objective: what its loss compares, and that blocks learn from it."""

import pytest
import torch

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.learn.objectives import OBJECTIVES
from nonlocal_core.model.build import Model
from tests.learn.test_restore import SPEC

OBJECTIVE = OBJECTIVES["hidden_cells"]
NOTHING = torch.zeros(2, 0)


@pytest.fixture
def module():
    torch.manual_seed(0)
    model = Model(SPEC.model_copy(update={"classes": 50})).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("blocks.") and (".g." in name or ".w_z." in name))
        if ".g." in name and parameter.ndim == 5:
            torch.nn.init.normal_(parameter, std=0.1)
    return OBJECTIVE.module(model)


def clips(seed):
    noise = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, (4, 32, 32), mode="trilinear")


def test_silent_blocks_change_no_class_and_help_nothing(module):
    measured = module.eval()(clips(0), NOTHING)

    assert measured["clean"] == 1
    assert measured["hidden"] == measured["without_blocks"]


def test_the_loss_of_whole_clips_is_nothing_until_blocks_speak(module, monkeypatch):
    monkeypatch.setattr("nonlocal_core.learn.hidden.CLEAN", 1.0)
    module.train()
    module.model.eval()

    silent = module(clips(0), NOTHING)["loss"]
    torch.nn.init.normal_(module.model.blocks["res3_1"].w_z[0].weight, std=0.1)
    loud = module(clips(0), NOTHING)["loss"]

    assert silent.item() == pytest.approx(0, abs=1e-6)
    assert loud > 1e-3


def test_blocks_learn_to_restore_what_is_hidden(module, monkeypatch):
    monkeypatch.setattr("nonlocal_core.learn.hidden.CLEAN", 0.0)
    module.train()
    module.model.eval()  # as `set_training` leaves frozen batch norms
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-3)

    losses = []
    for _ in range(20):
        torch.manual_seed(5)  # the same cells every time
        loss = module(clips(1), NOTHING)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    assert losses[-1] < 0.9 * losses[0]


def test_a_network_without_blocks_cannot_restore():
    with pytest.raises(TrainingFailed, match="the model has none"):
        OBJECTIVE.module(Model(SPEC.model_copy(update={"blocks": ()})))
