"""Many rows of one block at once, as distributions over the keys: what measures, tours and scores are made of.

A share is s_ij = |f(x_i, x_j)| / sum_j |f(x_i, x_j)|. For the Gaussian kinds it is the row itself (Wang et al. 2018,
Eq. 2 and 3); the other kinds divide by the number of keys (Eq. 4, 5) and a dot product may be negative, so their rows
are made comparable here. Next: `measures.py`, `tour.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import WHOLE, AffinityField, Floats, box_of_each_cell
from nonlocal_core.geometry import Grid

SAMPLE = 60  # queries whose rows are compared with each other: 1770 pairs
NEAR_CELLS = 1  # the neighbourhood: this many cells of the keys' grid around a place, in time, rows and columns
_CHUNK = 512  # queries at a time: 512 x 3136 float32 are 6 MB, and about six such arrays are held at once

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Places = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]  # t, h, w


def sampled_queries(field: AffinityField, count: int = SAMPLE, seed: int = 0) -> Indices:
    """At most `count` different query cells drawn at random with a seed, flat: [N]."""
    cells = field.query_grid.cells
    return np.random.default_rng(seed).choice(cells, min(count, cells), replace=False)


def in_chunks(queries: Indices) -> Iterator[Indices]:
    """The same queries in order, a few at a time, so that the matrix is never held."""
    return (queries[start : start + _CHUNK] for start in range(0, len(queries), _CHUNK))


def shares(field: AffinityField, queries: Indices) -> Floats:
    """s_ij of each of `queries` [N]: float32 [N, K], rows sum to 1; 0 outside of a query's group.

    A row that is zero throughout, as the ReLU of the concatenation may leave it, stays so.
    """
    logits = field.theta[queries].astype(np.float32) @ field.phi.astype(np.float32).T  # [N, K]
    logits *= np.float32(field.scale)
    if field.groups != WHOLE:
        logits[~reachable(field, queries)] = -np.inf if field.has_softmax else 0
    if field.has_softmax:
        f = np.exp(logits - logits.max(1, keepdims=True))
    else:
        f = np.abs(logits) if field.kind == "dot_product" else np.maximum(logits, 0)
    return f / np.maximum(f.sum(1, keepdims=True), np.finfo(np.float32).tiny)


def reachable(field: AffinityField, queries: Indices) -> Mask:
    """Which keys lie in the group of each of `queries` [N]: [N, K]."""
    if field.groups == WHOLE:
        return np.ones((len(queries), field.key_grid.cells), np.bool_)
    boxes = box_of_each_cell(field.query_grid, field.groups)[queries]
    return boxes[:, None] == box_of_each_cell(field.key_grid, field.groups)


def neighbourhood(field: AffinityField, queries: Indices) -> Mask:
    """Which keys are at most `NEAR_CELLS` away from each of `queries` [N] in time, in rows and in columns: [N, K]."""
    apart = zip(_own_key(field, queries), _places(field.key_grid, np.arange(field.key_grid.cells)), strict=True)
    near = np.ones((len(queries), field.key_grid.cells), np.bool_)
    for own, key in apart:
        near &= np.abs(key - own[:, None]) <= NEAR_CELLS
    return near


def other_frames(field: AffinityField, steps: NDArray[Any] | int) -> Mask:
    """Which keys share no frame with queries of time step `steps`: [K] for one step, [N, K] for N."""
    of_query, of_key = field.query_grid.t, field.key_grid.t
    first, key = np.asarray(steps)[..., None] * of_key, np.arange(of_key) * of_query
    # Step s of n covers the part [s/n, (s+1)/n) of the clip; two parts meet unless one ends before the other begins.
    apart = (key + of_query <= first) | (key >= first + of_key)
    return np.repeat(apart, field.key_grid.h * field.key_grid.w, axis=-1)


def mass_by_step(field: AffinityField, queries: Indices, weights: NDArray[Any]) -> NDArray[np.float64]:
    """How much of `weights` [N, K] lies how many time steps of the keys after its query: [2T - 1], summed over rows.

    Entry d + T - 1 is of the keys d steps later (d < 0: earlier), T = key_grid.t.
    """
    steps = field.key_grid.t
    at_step = weights.reshape(len(weights), steps, field.key_grid.h * field.key_grid.w).sum(2)  # [N, T]
    later = np.arange(steps) - _own_key(field, queries)[0][:, None] + steps - 1  # [N, T]
    return np.bincount(later.ravel(), at_step.ravel(), minlength=2 * steps - 1).astype(np.float64, copy=False)


def distances(rows: Floats) -> NDArray[np.float64]:
    """Total variation of each pair of rows: [N, K] -> [N, N], half of the sum of |p - q|."""
    table = np.empty((len(rows), len(rows)))
    for n, row in enumerate(rows):
        table[n] = np.abs(rows - row).sum(1) / 2
    return table


def mean_of_pairs(table: NDArray[Any]) -> float:
    """The mean over pairs of different queries; NaN where there is but one."""
    pairs = table[np.triu_indices(len(table), 1)]
    return float(pairs.mean()) if len(pairs) else float("nan")


def _places(grid: Grid, indices: Indices) -> Places:
    t, h, w = np.unravel_index(indices, (grid.t, grid.h, grid.w))
    return t, h, w


def _own_key(field: AffinityField, queries: Indices) -> Places:
    """The key cell in which the centre of each query's cell lies: t, h, w, each [N]."""
    query, key = field.query_grid, field.key_grid
    t, h, w = _places(query, queries)
    sizes = ((t, query.t, key.t), (h, query.h, key.h), (w, query.w, key.w))
    own_t, own_h, own_w = ((2 * place + 1) * keys // (2 * asking) for place, asking, keys in sizes)
    return own_t, own_h, own_w
