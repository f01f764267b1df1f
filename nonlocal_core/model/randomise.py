"""A model whose blocks relate by chance: the null model `random_weights`."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model


def with_random_projections(model: Model, seed: int) -> Model:
    """A copy whose theta, phi and w_f hold their own numbers in a random order; all else is as it was.

    The numbers stay and so do the sizes of the logits: rows are about as peaked as the trained ones, and a difference
    between the two is not one of scale. The copy of the whole model is dear in memory but safe beside other threads.
    """
    random = torch.Generator().manual_seed(seed)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for block in changed.blocks.values():
            assert isinstance(block, NonLocalBlock)
            for module in (block.theta, block.phi, block.pairwise):
                for parameter in module.parameters():
                    _shuffle(parameter, random)
    return changed


def _shuffle(parameter: nn.Parameter, random: torch.Generator) -> None:
    order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
    parameter.copy_(parameter.flatten()[order].view_as(parameter))
