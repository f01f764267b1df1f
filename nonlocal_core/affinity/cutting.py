"""Running a network with arrows cut: what does the prediction owe to them?

    y_i = 1/C_i sum_{j in S_i} f(x_i, x_j) g(x_j)        S_i: the keys of x_i's group that the cut leaves to it

C_i runs over the same S_i: the sum of f over it for the Gaussian kinds, |S_i| for the other two, so that what is left
takes the place of what is gone. Where nothing is left y_i = 0 and z_i = x_i + W_z(0). Cutting the block itself is
z_i = x_i. Rows that a cut leaves alone are computed by the very route of an uncut run; a cut of nothing is that run.

Only the rows that change are written out, `_CHUNK` at a time: no matrix is held.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nonlocal_core.affinity.cut import Cut
from nonlocal_core.errors import UnknownBlock
from nonlocal_core.geometry import Grid
from nonlocal_core.model.build import Model
from nonlocal_core.model.groups import WHOLE, box_of_each_place
from nonlocal_core.model.pairwise import Affinity
from nonlocal_core.model.spec import SOFTMAX_KINDS

_CHUNK = 1024  # rows written out at a time: 1024 x 12544 float32 (64 frames at 28x28, not pooled) are 51 MB


def cut_and_run(model: Model, batch: Tensor, cut: Cut) -> Tensor:
    """Run clips through the network with arrows of one block cut.

    Args:
        batch: normalised clips, float32 [N, 3, T, S, S]; the same cells are cut in each.

    Returns:
        logits float32 [N, classes].

    Raises:
        UnknownBlock: the model has no such block.
        CellOutsideGrid: the block has no such cell.
    """
    with torch.inference_mode(), cut_arrows(model, cut):
        return model(batch)


@contextmanager
def cut_arrows(model: Model, cut: Cut) -> Generator[None]:
    """Within it each forward pass of `model` runs with the arrows cut.

    Raises:
        UnknownBlock: the model has no such block.
    """
    if cut.block not in model.blocks:
        raise UnknownBlock(cut.block, tuple(model.blocks))
    if cut.is_empty:
        yield
        return
    block = model.blocks[cut.block]
    if cut.keys == "block":
        handle = block.register_forward_hook(_without_block(cut))
    else:
        handle = block.get_submodule("pairwise").register_forward_hook(_without_keys(cut))
    try:
        yield
    finally:
        handle.remove()


def _without_block(cut: Cut):
    def hook(_module: nn.Module, inputs: tuple[Tensor], z: Tensor) -> Tensor:
        (x,) = inputs
        if cut.queries is None:
            return x
        grid = Grid(*x.shape[2:])
        cut.ensure_inside(grid, grid)
        places = torch.tensor(sorted(set(cut.queries)), device=x.device)
        return z.flatten(2).index_copy(2, places, x.flatten(2)[:, :, places]).view_as(z)

    return hook


def _without_keys(cut: Cut):
    def hook(_module: nn.Module, _inputs: object, affinity: Affinity) -> Affinity:
        return CutAffinity(**vars(affinity), cut=cut)

    return hook


@dataclass(frozen=True)
class CutAffinity(Affinity):
    """An affinity from which the keys of a `Cut` are gone."""

    cut: Cut = field(kw_only=True)

    def matrix(self) -> Tensor:
        """f(x_i, x_j) / C_i, written out: [N, Q, K], zero where cut and between groups. For tests and small inputs."""
        return self._rows(torch.arange(self.theta[0, 0].numel(), device=self.theta.device))

    def aggregate(self, g: Tensor) -> Tensor:
        """y_i over the keys that are left: g [N, D, T', H', W'] -> [N, D, T, H, W].

        Raises:
            CellOutsideGrid: the cut names a cell that is not there.
        """
        grid = Grid(*self.theta.shape[2:])
        self.cut.ensure_inside(grid, Grid(*self.phi.shape[2:]))
        values = g.flatten(2)  # [N, D, K]
        if self.cut.queries is None:
            queries = torch.arange(grid.cells, device=g.device)
            y = values.new_empty((*values.shape[:2], grid.cells))  # [N, D, Q]
        else:
            queries = torch.tensor(sorted(set(self.cut.queries)), device=g.device)
            y = super().aggregate(g).flatten(2)  # [N, D, Q]
        for start in range(0, len(queries), _CHUNK):
            part = queries[start : start + _CHUNK]
            y[:, :, part] = torch.einsum("nqk,ndk->ndq", self._rows(part).to(values.dtype), values)
        return y.reshape(*y.shape[:2], grid.t, grid.h, grid.w)

    def _rows(self, queries: Tensor) -> Tensor:
        """The rows of these queries [q]: [N, q, K]."""
        left = self._left(queries)  # [q, K]
        logits = self.scale * torch.einsum("ncq,nck->nqk", self.theta.flatten(2)[:, :, queries], self.phi.flatten(2))
        if self.kind in SOFTMAX_KINDS:
            return logits.masked_fill(~left, -torch.inf).softmax(-1).masked_fill(~left, 0)  # no key left: not NaN but 0
        f = (logits if self.kind == "dot_product" else logits.relu()).masked_fill(~left, 0)
        return f / left.sum(1, keepdim=True).clamp(min=1)

    def _left(self, queries: Tensor) -> Tensor:
        """Which keys are left to these queries [q]: bool [q, K]."""
        of_query, of_key = (_grid(self.theta), _grid(self.phi))
        keys = torch.arange(self.phi[0, 0].numel(), device=queries.device)
        left = torch.ones(len(queries), len(keys), dtype=torch.bool, device=queries.device)
        if self.groups != WHOLE:
            box_of_query, box_of_key = (box_of_each_place(g, self.groups, queries.device) for g in (of_query, of_key))
            left &= box_of_query[queries][:, None] == box_of_key
        if self.cut.keys == "other_frames":
            own = queries // (of_query[1] * of_query[2]) * of_key[0] // of_query[0]  # each query's step among the keys'
            left &= own[:, None] == keys // (of_key[1] * of_key[2])
        else:
            left[:, torch.tensor(self.cut.keys, device=queries.device)] = False
        return left


def _grid(operand: Tensor) -> tuple[int, int, int]:
    t, h, w = operand.shape[2:]
    return t, h, w
