"""Recording affinities while a network runs: forward hooks on its `Pairwise` modules, nothing parked on a module."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nonlocal_core.affinity.field import WHOLE, AffinityField, box_of_each_cell
from nonlocal_core.geometry import Grid
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.pairwise import Affinity

_EXACT_BYTES = 10_000_000  # of theta and phi in float32: up to it they are kept so, see docs/decisions/0002
_CHUNK = 2048  # queries at a time in `_log_sum_exp`: 2048 x 3136 float32 are 26 MB


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


def capture(model: Model, batch: Tensor) -> tuple[Tensor, dict[str, AffinityField]]:
    """Run one clip through the network and keep what its blocks relate.

    Args:
        batch: normalised clip, float32 [1, 3, T, S, S].

    Returns:
        logits float32 [1, classes] and {block: AffinityField in float32}, in network order.
    """
    if len(batch) != 1:
        raise ValueError(f"capture takes one clip at a time, got a batch of {len(batch)}; call it per clip")
    with torch.inference_mode(), recorded_affinities(model) as found:
        logits = model(batch)
        return logits, {name: field_of(affinity) for name, affinity in found.items()}


def field_of(affinity: Affinity) -> AffinityField:
    """The `AffinityField` of a batch of one, float32, with both grids and the groups read from the affinity."""
    theta, phi = affinity.theta, affinity.phi
    return AffinityField(
        kind=affinity.kind,
        scale=affinity.scale,
        query_grid=_grid(theta),
        key_grid=_grid(phi),
        theta=_places(theta),
        phi=_places(phi),
        groups=Grid(*affinity.groups),
    )


def as_kept(field: AffinityField) -> AffinityField:
    """The field as it is stored and asked: large operands rounded to float16, and the log-sum-exp of just these.

    With the log-sum-exp of the rounded operands the rounding of a column's logits cancels in part, as it does in a row.
    """
    dtype = np.float32 if field.theta.nbytes + field.phi.nbytes <= _EXACT_BYTES else np.float16
    kept = replace(field, theta=field.theta.astype(dtype), phi=field.phi.astype(dtype))
    return replace(kept, given_log_sum_exp=_log_sum_exp(kept)) if field.has_softmax else kept


def _grid(operand: Tensor) -> Grid:
    t, h, w = operand.shape[2:]
    return Grid(t, h, w)


def _places(operand: Tensor) -> NDArray[np.float32]:
    return operand[0].flatten(1).T.float().contiguous().detach().cpu().numpy()  # [cells, C]


def _log_sum_exp(field: AffinityField) -> NDArray[np.float32]:
    """As `AffinityField.log_sum_exp`, on all cores."""
    theta, phi = torch.from_numpy(field.theta), torch.from_numpy(field.phi).float()
    of_query, of_key = (torch.from_numpy(box_of_each_cell(g, field.groups)) for g in (field.query_grid, field.key_grid))
    parts: list[Tensor] = []
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        logits = field.scale * (theta[part].float() @ phi.T)  # [chunk, K]
        if field.groups != WHOLE:
            logits.masked_fill_(of_query[part, None] != of_key, -torch.inf)
        parts.append(logits.logsumexp(1))
    return torch.cat(parts).numpy()
