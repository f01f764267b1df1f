"""What arrows are worth that nobody trained: raw pixels, the frozen features themselves, blocks with random weights.

pixels      non-local means (Buades et al. 2005): cells of like colours
cosine      the features that the block stands behind, divided by their length, at a temperature of 0.1
untrained   theta and phi as a new block has them: normal with a standard deviation of 0.01, biases zero

The last two read the network without any block's residual, so a trained block cannot help the baseline of the next.
All three stand on the grids of the block that they are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nonlocal_core.affinity.capture import capture, field_of
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.learn.cells import cell_means
from nonlocal_core.learn.views import Shown
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model, stage_widths
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.model.spec import BlockSpec
from nonlocal_core.zoo.cards import TEMPERATURE

PIXELS, COSINE, UNTRAINED = "pixels", "cosine", "untrained"
SEED = 0  # of the untrained blocks
_SIDE = 4  # a cell is compared by its 4x4 mean colours

Blocks = dict[str, NonLocalBlock]  # by name


def pixel_field(rgb: NDArray[np.uint8], like: AffinityField) -> AffinityField:
    """Non-local means on the grids of `like`: f = exp(-|a - b|^2) of the cells' 4x4 mean colours, in [0, 1].

    |a - b|^2 = |a|^2 - 2 a.b + |b|^2, and |a|^2 is the same for a whole row, so theta = [a, 1], phi = [2b, -|b|^2].
    """
    a, b = (cell_means(rgb, grid, like.query_grid, _SIDE) / 255 for grid in (like.query_grid, like.key_grid))
    theta = np.concatenate([a, np.ones((len(a), 1), np.float32)], 1)  # [Q, 49]
    phi = np.concatenate([2 * b, -(b * b).sum(1, keepdims=True)], 1)  # [K, 49]
    return replace(like, kind="gaussian", scale=1.0, theta=theta, phi=phi, given_log_sum_exp=None)


def baseline_blocks(model: Model) -> dict[str, Blocks]:
    """The blocks of `cosine`, and of `untrained` where the model's own have something to train."""
    widths, device = stage_widths(model.spec), next(model.parameters()).device
    found = {COSINE: {spec.after: _cosine_block(spec, widths[spec.after]) for spec in model.spec.blocks}}
    if any(spec.kind != "gaussian" for spec in model.spec.blocks):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            found[UNTRAINED] = {spec.after: _untrained_block(spec, widths[spec.after]) for spec in model.spec.blocks}
    return {name: {after: block.to(device).eval() for after, block in each.items()} for name, each in found.items()}


def _cosine_block(spec: BlockSpec, channels: int) -> NonLocalBlock:
    like = {"kind": "gaussian", "similarity": "cosine", "scale": 1 / TEMPERATURE, "residual": "absent"}
    return NonLocalBlock(spec.model_copy(update=like), channels)


def _untrained_block(spec: BlockSpec, channels: int) -> NonLocalBlock:
    """Only looked at: it takes theta, phi and w_f of a new block, and has no use for g and W_z."""
    new = NonLocalBlock(spec.model_copy(update={"residual": "learned"}), channels)
    block = NonLocalBlock(spec.model_copy(update={"residual": "absent"}), channels)
    block.theta, block.phi, block.pairwise = new.theta, new.phi, new.pairwise
    return block


def stage_outputs(model: Model, batch: Tensor) -> dict[str, Tensor]:
    """The features behind which the blocks stand, of the network without them: {name: [1, C, T, H, W]}."""
    found: dict[str, Tensor] = {}
    x = batch
    for name, stage in model.stages.items():
        x = stage(x)
        if name in model.blocks:
            found[name] = x
        if len(found) == len(model.blocks):
            break
    return found


def affinities_of(block: NonLocalBlock, x: Tensor) -> AffinityField:
    """What a block that is only looked at relates in x [1, C, T, H, W]."""
    found: list[Affinity] = []

    def hook(_module: nn.Module, _inputs: object, affinity: Affinity) -> None:
        found.append(affinity)

    handle = block.pairwise.register_forward_hook(hook)
    try:
        block(x)
    finally:
        handle.remove()
    return field_of(found[0])


def own_fields(model: Model, shown: Shown) -> dict[str, AffinityField]:
    """What the model's own blocks relate, as computed (`analysis.py` keeps them rounded to float16)."""
    _, fields = capture(model, shown.batch(model.spec).to(next(model.parameters()).device))
    return fields


def baseline_fields(model: Model, blocks: dict[str, Blocks], shown: Shown) -> Iterator[tuple[str, str, AffinityField]]:
    """Baseline, block and affinities, one at a time: those of 28x28 cells are some 50 MB."""
    with torch.inference_mode():
        outputs = stage_outputs(model, shown.batch(model.spec).to(next(model.parameters()).device))
        for after, x in outputs.items():
            fields = {name: affinities_of(each[after], x) for name, each in blocks.items()}
            yield from ((name, after, field) for name, field in fields.items())
            yield PIXELS, after, pixel_field(shown.rgb, fields[COSINE])
