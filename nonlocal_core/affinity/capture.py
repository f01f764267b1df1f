"""Recording affinities while a network runs: forward hooks on its `Pairwise` modules, nothing parked on a module."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nonlocal_core.affinity.field import WHOLE, AffinityField, Floats, box_of_each_cell
from nonlocal_core.geometry import Grid
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Affinity

_EXACT_BYTES = 10_000_000  # of theta and phi in float32: up to it they are kept so, see docs/decisions/0002
_CHUNK = 2048  # queries at a time in `_over_rows`: 2048 x 3136 float32 are 26 MB


@contextmanager
def recorded_affinities(model: Model) -> Generator[dict[str, Affinity]]:
    """Within it, each forward pass of `model` leaves {block name: Affinity of the whole batch}, in network order."""
    found: dict[str, Affinity] = {}

    def hook_for(name: str):
        def hook(_module: nn.Module, _inputs: object, affinity: Affinity) -> None:
            found[name] = affinity

        return hook

    handles = [
        block.pairwise.register_forward_hook(hook_for(name))
        for name, block in model.blocks.items()
        if isinstance(block, NonLocalBlock)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def recorded_effects(model: Model) -> Generator[dict[str, tuple[Tensor, Tensor]]]:
    """Within it, each forward pass leaves, for each block with a residual, what its keys carry and what it adds.

    {block name: (|W_z g_j| [N, K], |z_i - x_i| / |x_i| [N, Q])}, the lengths over channels.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def hook_for(name: str):
        def hook(block: nn.Module, inputs: tuple[Tensor], z: Tensor) -> None:
            assert isinstance(block, NonLocalBlock)
            x = inputs[0]
            change, size = (z - x).square().sum(1).sqrt(), x.square().sum(1).sqrt()  # [N, T, H, W]
            found[name] = block.carried(x), (change / size.clamp_min(1e-12)).flatten(1)

        return hook

    with ExitStack() as hooks:
        for name, block in model.blocks.items():
            if isinstance(block, NonLocalBlock) and block.spec.residual == "learned":
                hooks.callback(block.register_forward_hook(hook_for(name)).remove)
        yield found


def capture(model: Model, batch: Tensor) -> tuple[Tensor, dict[str, AffinityField]]:
    """Run one clip through the network and keep what its blocks relate.

    Args:
        batch: normalised clip, float32 [1, 3, T, S, S].

    Returns:
        logits float32 [1, classes] and {block: AffinityField in float32}, in network order.
    """
    if len(batch) != 1:
        raise ValueError(f"capture takes one clip at a time, got a batch of {len(batch)}; call it per clip")
    with torch.inference_mode(), recorded_affinities(model) as found, recorded_effects(model) as effects:
        logits = model(batch)
        return logits, {name: field_of(affinity, effects.get(name)) for name, affinity in found.items()}


def field_of(affinity: Affinity, effect: tuple[Tensor, Tensor] | None = None) -> AffinityField:
    """The `AffinityField` of a batch of one, float32, with both grids and the groups read from the affinity."""
    theta, phi = affinity.theta, affinity.phi
    carried, added = (None, None) if effect is None else (x[0].float().cpu().numpy() for x in effect)
    return AffinityField(
        kind=affinity.kind,
        scale=affinity.scale,
        query_grid=_grid(theta),
        key_grid=_grid(phi),
        theta=_places(theta),
        phi=_places(phi),
        groups=Grid(*affinity.groups),
        carried=carried,
        added=added,
    )


def as_kept(field: AffinityField) -> AffinityField:
    """The field as it is stored and asked: large operands rounded to float16, and sums over rows of just these.

    With the log-sum-exp of the rounded operands the rounding of a column's logits cancels in part, as it does in a row.
    """
    dtype = np.float32 if field.theta.nbytes + field.phi.nbytes <= _EXACT_BYTES else np.float16
    kept = replace(field, theta=field.theta.astype(dtype), phi=field.phi.astype(dtype))
    log_sum_exp, means = _over_rows(kept)
    return replace(kept, given_log_sum_exp=log_sum_exp, given_means=means)


def _grid(operand: Tensor) -> Grid:
    t, h, w = operand.shape[2:]
    return Grid(t, h, w)


def _places(operand: Tensor) -> NDArray[np.float32]:
    return operand[0].flatten(1).T.float().contiguous().detach().cpu().numpy()  # [cells, C]


def _over_rows(field: AffinityField) -> tuple[Floats | None, tuple[Floats, Floats]]:
    """`AffinityField.log_sum_exp` and `.means`, on all cores and in one pass over the rows."""
    theta, phi = torch.from_numpy(field.theta), torch.from_numpy(field.phi).float()
    of_query, of_key = (torch.from_numpy(box_of_each_cell(g, field.groups)) for g in (field.query_grid, field.key_grid))
    boxes, (queries, keys) = field.groups.cells, (len(theta), len(phi))
    log_sum_exp, of_columns = torch.empty(queries), torch.full((queries,), boxes / keys)  # rows of a softmax sum to 1
    of_rows = torch.zeros(keys, dtype=torch.float64)
    for start in range(0, queries, _CHUNK):
        part = slice(start, start + _CHUNK)
        f = field.scale * (theta[part].float() @ phi.T)  # [chunk, K], the logits
        apart = None if field.groups == WHOLE else of_query[part, None] != of_key
        if field.has_softmax:
            if apart is not None:
                f.masked_fill_(apart, -torch.inf)
            log_sum_exp[part] = f.logsumexp(1)
            f = f.sub_(log_sum_exp[part, None]).exp_()
        else:
            f = (f if field.kind == "dot_product" else f.relu_()) * (boxes / keys)
            if apart is not None:
                f.masked_fill_(apart, 0)
            of_columns[part] = f.sum(1) * (boxes / keys)
        of_rows += f.sum(0)
    means = (of_rows * (boxes / queries)).float().numpy(), of_columns.numpy()
    return (log_sum_exp.numpy() if field.has_softmax else None), means
