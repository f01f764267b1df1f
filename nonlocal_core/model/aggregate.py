"""y_i = 1/C(x) sum_j f(x_i, x_j) g_j for each pairwise function, exact and without the matrix f [Q, K].

    Gaussian kinds    fused attention; in parts of the queries where its kernel would fall back to the matrix
    dot product       (theta phi^T) g = theta (phi^T g), whose middle is [C, D]
    concatenation     f = ReLU(a_i + b_j) is zero up to b_j = -a_i: sort b once, then two suffix sums per query

All take queries [N, Q, C], keys [N, K, C] and values [N, K, D], and give [N, Q, D] with gradients.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]

_CHUNK = 2048  # queries at a time in `_attend_in_parts`: 2048 x 12544 float32 (64 frames at 28x28) are 103 MB
_LOOK_UPS = 8192  # queries at a time in `concatenate`: 8192 x 256 float64 are 17 MB


def attend(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = exp(scale * theta_i . phi_j), C(x) = sum_j f."""
    if queries.shape[-1] != values.shape[-1]:
        return _attend_in_parts(queries, keys, values, scale)
    # The fused CPU kernel wants heads, equal widths and adjacent channels; without them PyTorch takes the matrix.
    q, k, v = (x[:, None].contiguous() for x in (queries, keys, values))
    return functional.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0]


def _attend_in_parts(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    parts = [slice(start, start + _CHUNK) for start in range(0, queries.shape[1], _CHUNK)]
    if torch.is_grad_enabled():
        return torch.cat([_recomputed(queries[:, part], keys, values, scale) for part in parts], 1)
    y = values.new_empty(*queries.shape[:2], values.shape[-1])  # [N, Q, D]
    room = values.new_empty(len(y), min(_CHUNK, y.shape[1]), keys.shape[1])  # used again for each part
    for part in parts:
        weights = room[:, : y[:, part].shape[1]]
        torch.matmul(scale * queries[:, part], keys.transpose(1, 2), out=weights)
        torch.softmax(weights, -1, out=weights)
        torch.matmul(weights, values, out=y[:, part])
    return y


def _recomputed(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """One part of y, whose weights are not kept for the backward pass but computed again there."""
    given = (queries, keys, values, scale)
    return cast(Tensor, checkpoint(_written_out, *given, use_reentrant=False, preserve_rng_state=False))


def _written_out(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    return (scale * queries @ keys.transpose(1, 2)).softmax(-1) @ values


def dot_product(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = scale * theta_i . phi_j, C(x) = N."""
    return queries @ (keys.transpose(1, 2) @ values) * (scale / keys.shape[1])


def concatenate(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = ReLU(a_i + b_j), C(x) = N, for queries [a, 1] and keys [1, b].

    With the keys in rising order of b, f is positive from the first key with b_j > -a_i on, so that
    sum_j f g_j = a_i S_0 + S_1 with the suffix sums S_0 of g and S_1 of b g. The two nearly cancel where f is small,
    hence float64.
    """
    a = scale * queries[..., 0].double()  # [N, Q]
    b, order = (scale * keys[..., 1].double()).sort(1)  # [N, K]
    g = values.gather(1, order[..., None].expand_as(values)).double()  # [N, K, D]
    s_0, s_1 = _suffix_sums(g), _suffix_sums(b[..., None] * g)  # [N, K + 1, D]
    first = torch.searchsorted(b.detach(), -a.detach(), right=True)  # [N, Q]
    parts: list[Tensor] = []
    for start in range(0, a.shape[1], _LOOK_UPS):
        part = slice(start, start + _LOOK_UPS)
        at = first[:, part, None].expand(-1, -1, g.shape[-1])
        y = (a[:, part, None] * s_0.gather(1, at) + s_1.gather(1, at)) / g.shape[1]
        parts.append(y.to(values.dtype))
    return torch.cat(parts, 1)


def _suffix_sums(x: Tensor) -> Tensor:
    """[N, K, D] -> [N, K + 1, D]: at j the sum from j on; zero at K, where no key is left."""
    return functional.pad(x.flip(1).cumsum(1).flip(1), (0, 0, 0, 1))
