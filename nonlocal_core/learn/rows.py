"""What a block's rows are like, whatever is in the clip: do they differ from query to query, and how far do they reach?

Rows that are all alike have collapsed: every place then looks at the same few others, and an arrow says nothing about
where it starts. Queries are drawn from the whole clip here, and rows are taken whole, their own frames included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.arrows import TOP_ARROWS, top_indices
from nonlocal_core.affinity.field import AffinityField, Floats
from nonlocal_core.geometry import GridPoint, cell_of

QUERIES = 60  # of one clip and block: 1770 pairs
SEED = 0
Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """What the rows of one block are like, averaged over queries or pairs of queries, then over clips."""

    distance: float  # total variation between two rows: 0 = all alike, 1 = no key in common
    overlap: float  # share of the top 20 that two rows have in common: 1 = all alike
    by_step: tuple[float, ...]  # share of the affinity at |dt| = 0, 1, 2, ... time steps
    evenly: tuple[float, ...]  # the same if every key in reach had the same weight


def rows_of(field: AffinityField) -> Rows:
    """The figures of one block in one clip."""
    count = field.query_grid.cells
    chosen = np.random.default_rng(SEED).choice(count, min(QUERIES, count), replace=False)
    queries = [cell_of(field.query_grid, int(index)) for index in chosen]
    reached = [field.reach(query, "forward") for query in queries]
    weights = np.stack([np.abs(field.row(query)) for query in queries])  # [N, K]
    p = weights / np.maximum(weights.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    even, best = np.zeros_like(p), np.zeros_like(p)
    for n, seen in enumerate(reached):
        even[n, seen] = 1 / len(seen)
        best[n, seen[top_indices(weights[n, seen], TOP_ARROWS)]] = 1
    return Rows(
        distance=_mean_of_pairs(_distances(p)),
        overlap=_mean_of_pairs(best @ best.T / best.sum(1)),
        by_step=_by_step(p, queries, field),
        evenly=_by_step(even, queries, field),
    )


def _distances(p: Floats) -> Array:
    """Total variation of each pair of rows: [N, K] -> [N, N], half of the sum of |p - q|."""
    return np.stack([np.abs(p - row).sum(1) / 2 for row in p])


def _mean_of_pairs(table: Array) -> float:
    """The mean over pairs of different queries; NaN where there is but one."""
    pairs = table[np.triu_indices(len(table), 1)]
    return float(pairs.mean()) if len(pairs) else float("nan")


def _by_step(p: Floats, queries: Sequence[GridPoint], field: AffinityField) -> tuple[float, ...]:
    """The mean share of the weights [N, K] at each distance in time, in steps of the keys."""
    of_query, of_key = field.query_grid.t, field.key_grid.t
    at_step = p.reshape(len(p), of_key, -1).sum(2)  # [N, T]
    own = np.array([query.t * of_key // of_query for query in queries])  # [N]
    apart = np.abs(np.arange(of_key) - own[:, None])  # [N, T]
    return tuple((np.bincount(apart.ravel(), at_step.ravel(), minlength=of_key) / len(p)).tolist())


def mean_rows(found: Sequence[Rows]) -> Rows:
    """The average over clips."""
    distance, overlap = np.mean([(rows.distance, rows.overlap) for rows in found], 0).tolist()
    by_step, evenly = (np.mean([getattr(rows, name) for rows in found], 0).tolist() for name in ("by_step", "evenly"))
    return Rows(distance, overlap, tuple(by_step), tuple(evenly))
