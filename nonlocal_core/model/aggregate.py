"""y_i = 1/C(x) sum_j f(x_i, x_j) g_j for each pairwise function, exact and without the matrix f [Q, K].

    Gaussian kinds    in parts of the queries, or by PyTorch's fused attention where that is better
    dot product       (theta phi^T) g = theta (phi^T g), whose middle is [C, D]
    concatenation     f = ReLU(a_i + b_j) is zero below b_j = -a_i: sort b once, then two prefix sums per query;
                      in parts of the queries where there are few keys

All take queries [N, Q, C], keys [N, K, C] and values [N, K, D], and give [N, Q, D] with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]

Function = Callable[..., Tensor]  # logits [N, Q, K] -> the weights of the values, into `out` where that is given

_CHUNK = 2048  # queries at a time in `_in_parts`: 2048 x 12544 float32 (64 frames at 28x28) are 103 MB
_FEW_KEYS = 512  # of a concatenation: up to here the matrix, in parts, is quicker than sorting


def attend(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = exp(scale * theta_i . phi_j), C(x) = sum_j f."""
    # Without heads, equal widths and adjacent channels PyTorch's kernel takes the whole matrix. Its float32 on a CPU
    # is no faster than parts, and slower below 3000 places; in bfloat16 it alone sums in float32.
    in_parts_at_least_as_fast = queries.is_cpu and queries.dtype == torch.float32 and not torch.is_grad_enabled()
    if in_parts_at_least_as_fast or queries.shape[-1] != values.shape[-1]:
        return _in_parts(_softmax, queries, keys, values, scale)
    q, k, v = (x[:, None].contiguous() for x in (queries, keys, values))
    return functional.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0]


def _in_parts(f: Function, queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f(scale * theta phi^T) values, for some queries at a time."""
    size = max(_CHUNK // len(queries), 64)
    parts = [slice(start, start + size) for start in range(0, queries.shape[1], size)]
    if torch.is_grad_enabled():
        return torch.cat([_recomputed(f, queries[:, part], keys, values, scale) for part in parts], 1)
    y = _empty_like(values, queries.shape[1])
    room = values.new_empty(len(y), min(size, y.shape[1]), keys.shape[1])  # used again for each part
    for part in parts:
        weights = room[:, : y[:, part].shape[1]]
        torch.matmul(scale * queries[:, part], keys.transpose(1, 2), out=weights)
        f(weights, out=weights)
        torch.matmul(weights, values, out=y[:, part])
    return y


def _softmax(logits: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.softmax(logits, -1, out=out)


def _relu(logits: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.clamp(logits, min=0, out=out)


def _empty_like(values: Tensor, n_queries: int) -> Tensor:
    """[N, Q, D] in the layout of the values [N, K, D], so that what follows has nothing to turn round."""
    n, _, width = values.shape
    if values.transpose(1, 2).is_contiguous():
        return values.new_empty(n, width, n_queries).transpose(1, 2)
    return values.new_empty(n, n_queries, width)


def _recomputed(f: Function, *given: Tensor | float) -> Tensor:
    """One part of y, whose weights are not kept for the backward pass but computed again there."""
    return cast(Tensor, checkpoint(_written_out, f, *given, use_reentrant=False, preserve_rng_state=False))


def _written_out(f: Function, queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    return f(scale * queries @ keys.transpose(1, 2)) @ values


def dot_product(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = scale * theta_i . phi_j, C(x) = N."""
    return queries @ (keys.transpose(1, 2) @ values) * (scale / keys.shape[1])


def concatenate(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """f = ReLU(a_i + b_j), C(x) = N, for queries [a, 1] and keys [1, b].

    With the keys in falling order of b, f is positive for the first m of them, those with b_j > -a_i. With b' the
    smallest of these, sum_j f g_j = (a_i + b') S_0 + S_1, where S_0 sums g and S_1 sums (b_j - b') g over the m keys.
    No weight in these sums is negative, so nothing cancels that would not in f g. In float64, so that they are as
    exact as the matrix.
    """
    if keys.shape[1] <= _FEW_KEYS:
        return _in_parts(_relu, queries, keys, values / keys.shape[1], scale)
    n, n_keys, _ = values.shape
    a = scale * queries[..., 0].double()  # [N, Q]
    b, order = (scale * keys[..., 1].double()).sort(1, descending=True)  # [N, K]
    m = torch.searchsorted(-b.detach(), a.detach())  # [N, Q]: as many b_j are greater than -a_i
    b = functional.pad(b, (1, 0))  # [N, K + 1]: in front of the keys one that counts for nothing; at m is b'
    g = functional.pad(values.gather(1, order[..., None].expand_as(values)), (0, 0, 1, 0))
    g = g.transpose(1, 2).to(torch.float64, memory_format=torch.contiguous_format)  # [N, D, K + 1]
    s_0 = g.cumsum(2)
    s_1 = torch.addcmul((b[:, None] * g).cumsum(2), b[:, None], s_0, value=-1)
    sums = torch.stack([s_0, s_1], 1).transpose(2, 3).flatten(0, 2)  # [N * 2 * (K + 1), D]
    rows = m + 2 * (n_keys + 1) * torch.arange(n, device=m.device)[:, None]
    rows = torch.stack([rows, rows + n_keys + 1], 2).flatten(0, 1)  # [N * Q, 2]
    weights = torch.stack([a + b.gather(1, m), torch.ones_like(a)], 2).flatten(0, 1) / n_keys
    y = functional.embedding_bag(rows, sums, mode="sum", per_sample_weights=weights)
    return y.to(values.dtype).reshape(*m.shape, -1)  # y_i = (a_i + b') S_0 / N + S_1 / N
