"""The learning rate of an iteration, longhand, and what the optimiser does to a weight."""

import math

import pytest
import torch
from torch import nn

from nonlocal_core.learn.optimiser import lr_at, optimiser_of, set_lr
from nonlocal_core.learn.recipe import Recipe, recipe_of


def asked(**fields) -> Recipe:
    return recipe_of({"data": "videos", "lr": 0.8, **fields})


def stepped(recipe: Recipe, gradients: list[float]) -> float:
    """A weight of 1 after steps along these gradients."""
    weight = nn.Parameter(torch.ones(()))
    optimiser = optimiser_of([weight], recipe)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimiser.step()
    return weight.item()


def test_the_papers_rate_falls_tenfold_every_150k_iterations():
    recipe = recipe_of({"data": "videos"})

    found = [lr_at(i, recipe) for i in (0, 149_999, 150_000, 299_999, 300_000, 399_999)]

    assert found == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001])


def test_a_cosine_falls_from_the_rate_to_nothing():
    recipe = asked(schedule="cosine", iterations=4)

    found = [lr_at(i, recipe) for i in range(5)]

    assert found == pytest.approx([0.8, 0.4 * (1 + math.sqrt(0.5)), 0.4, 0.4 * (1 - math.sqrt(0.5)), 0], abs=1e-9)


def test_warm_up_rises_in_equal_steps_to_the_rate():
    recipe = asked(schedule="constant", warmup=4)

    assert [lr_at(i, recipe) for i in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_warm_up_multiplies_the_schedule():
    recipe = asked(schedule="step", warmup=4, milestones=(2,), gamma=0.5)

    assert [lr_at(i, recipe) for i in range(5)] == pytest.approx([0.2, 0.4, 0.3, 0.4, 0.4])


def test_sgd_remembers_and_decays():
    recipe = asked(lr=0.1, momentum=0.5, weight_decay=0.2)

    first = 1 - 0.1 * (1 + 0.2 * 1)
    second = first - 0.1 * (0.5 * 1.2 + 1 + 0.2 * first)
    assert stepped(recipe, [1.0, 1.0]) == pytest.approx(second)


def test_adamw_decays_apart_from_its_step_of_the_rates_size():
    recipe = asked(optimiser="adamw", lr=0.1, weight_decay=0.2)

    assert stepped(recipe, [7.0]) == pytest.approx(1 - 0.1 * 0.2 - 0.1, abs=1e-5)  # the first step is lr, whatever g


def test_adamws_momentum_is_its_first_beta():
    steps = {beta: stepped(asked(optimiser="adamw", momentum=beta), [1.0, -1.0]) for beta in (0.0, 0.9)}

    assert steps[0.0] > steps[0.9]  # one forgets the first gradient, the other still follows it


def test_norms_and_biases_decay_like_weights():
    norm = nn.BatchNorm3d(1)
    optimiser = optimiser_of(norm.parameters(), asked(lr=0.1, weight_decay=0.5))

    nn.init.ones_(norm.bias)
    for parameter in norm.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()

    assert [p.item() for p in norm.parameters()] == pytest.approx([0.95, 0.95])


def test_a_new_rate_holds_from_the_next_step_on():
    weight = nn.Parameter(torch.ones(()))
    optimiser = optimiser_of([weight], asked(momentum=0, weight_decay=0))

    set_lr(optimiser, 0.25)
    weight.grad = torch.ones(())
    optimiser.step()

    assert weight.item() == 0.75
