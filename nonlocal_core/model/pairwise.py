"""The pairwise function f of a non-local block: four kinds, and two ways to use one.

    y_i = 1/C(x) sum_j f(x_i, x_j) g(x_j)                                     Wang et al. 2018, Eq. 1

A `Pairwise` module takes theta and phi and gives their `Affinity`: the relation before it is multiplied out.
`Affinity.aggregate(g)` is what the network needs (y, by the exact routes of `aggregate.py`); `Affinity.matrix()` is
the formula written out. A forward hook on the `Pairwise` module sees the `Affinity`, hence theta, phi, both grids
and the groups: that is all the recording there is (`affinity/capture.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nonlocal_core.model.aggregate import attend, concatenate, dot_product
from nonlocal_core.model.groups import WHOLE, Groups, box_of_each_place, fold, unfold
from nonlocal_core.model.spec import SOFTMAX_KINDS, Kind


@dataclass(frozen=True)
class Affinity:
    """f(x_i, x_j) for all i, j of a batch, not yet multiplied out.

    theta [N, C, T, H, W] holds the queries x_i, phi [N, C, T', H', W'] the keys x_j; scale * theta_i . phi_j is the
    logit of every kind, also of the concatenation, whose f separates (see `Pairwise`). Both grids are cut into
    `groups`: x_i and x_j of different groups have no affinity, and N in C(x) = N counts the keys of one group.
    """

    kind: Kind
    scale: float
    theta: Tensor
    phi: Tensor
    groups: Groups = WHOLE

    def matrix(self) -> Tensor:
        """f(x_i, x_j) / C(x), written out: [N, Q, K], zero between groups. For tests and small inputs."""
        logits = self.scale * torch.einsum("ncq,nck->nqk", self.theta.flatten(2), self.phi.flatten(2))
        of_query, of_key = (box_of_each_place(_grid(x), self.groups, x.device) for x in (self.theta, self.phi))
        apart = of_query[:, None] != of_key  # [Q, K]
        if self.kind in SOFTMAX_KINDS:
            return logits.masked_fill(apart, -torch.inf).softmax(-1)
        f = (logits if self.kind == "dot_product" else logits.relu()).masked_fill(apart, 0)
        by_t, by_h, by_w = self.groups
        return f * (by_t * by_h * by_w / logits.shape[-1])  # C(x) = N, Eq. 4 and Section 3.2

    def aggregate(self, g: Tensor) -> Tensor:
        """y_i = 1/C(x) sum_j f(x_i, x_j) g_j, in the precision of g [N, D, T', H', W']: [N, D, T, H, W]. No matrix."""
        queries, keys, values = (fold(x.to(g.dtype), self.groups) for x in (self.theta, self.phi, g))
        if self.kind in SOFTMAX_KINDS:
            y = attend(queries, keys, values, self.scale)
        elif self.kind == "dot_product":
            y = dot_product(queries, keys, values, self.scale)
        else:
            y = concatenate(queries, keys, values, self.scale)
        return unfold(y, _grid(self.theta), self.groups)


def _grid(operand: Tensor) -> tuple[int, int, int]:
    t, h, w = operand.shape[2:]
    return t, h, w


class Pairwise(nn.Module):
    """theta [N, C, T, H, W], phi [N, C, T', H', W'] -> their `Affinity`.

    gaussian, embedded_gaussian   f = exp(scale * theta_i . phi_j),    C(x) = sum_j f       Eq. 2, 3
    dot_product                   f = scale * theta_i . phi_j,         C(x) = N             Eq. 4
    concatenation                 f = ReLU(w_f^T [theta_i, phi_j]),    C(x) = N             Eq. 5

    w_f^T [theta_i, phi_j] = a_i + b_j, so the concatenation's affinity is kept as theta' = [a_i, 1], phi' = [1, b_j]:
    theta' . phi' is the same number, and one form serves all four kinds.
    """

    def __init__(self, kind: Kind, channels: int, scale: float) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.scale = scale
        self.w_f = nn.Parameter(torch.empty(2, channels)) if kind == "concatenation" else None
        if self.w_f is not None:
            nn.init.normal_(self.w_f, std=0.01)

    def forward(self, theta: Tensor, phi: Tensor, groups: Groups = WHOLE) -> Affinity:
        """The affinity of every query with every key of its group."""
        if self.w_f is not None:
            a = torch.einsum("c,nc...->n...", self.w_f[0], theta)
            b = torch.einsum("c,nc...->n...", self.w_f[1], phi)
            theta = torch.stack([a, torch.ones_like(a)], 1)  # [N, 2, T, H, W]
            phi = torch.stack([torch.ones_like(b), b], 1)  # [N, 2, T', H', W']
        return Affinity(self.kind, self.scale, theta, phi, groups)
