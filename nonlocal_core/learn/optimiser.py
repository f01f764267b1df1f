"""How the weights move: the optimiser of a recipe and the learning rate of an iteration, a pure function."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from nonlocal_core.learn.recipe import Recipe


def optimiser_of(parameters: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of all parameters, as one group.

    Norms and biases decay like all else: video-nonlocal-net, lib/core/config.py, WEIGHT_DECAY_BN = WEIGHT_DECAY.
    """
    trained = list(parameters)
    if recipe.optimiser == "adamw":
        betas = (recipe.momentum, 0.999)  # Loshchilov & Hutter 2019 keep Adam's
        return torch.optim.AdamW(trained, recipe.lr, betas, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(trained, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)


def lr_at(iteration: int, recipe: Recipe) -> float:
    """The learning rate of step `iteration`, from 0: the schedule's, times a rising part while it warms up."""
    risen = min(1.0, (iteration + 1) / recipe.warmup) if recipe.warmup else 1.0
    return recipe.lr * risen * _fallen(iteration, recipe)


def _fallen(iteration: int, recipe: Recipe) -> float:
    if recipe.schedule == "step":
        return recipe.gamma ** sum(milestone <= iteration for milestone in recipe.milestones)
    if recipe.schedule == "cosine":  # Loshchilov & Hutter 2017, Eq. 5, without restarts
        return 0.5 * (1 + math.cos(math.pi * iteration / recipe.iterations))
    return 1.0


def set_lr(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Use this rate from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = lr
