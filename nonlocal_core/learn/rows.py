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
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.shares import (
    distances,
    mass_by_step,
    mean_of_pairs,
    reachable,
    sampled_queries,
    shares,
)

QUERIES = 60  # of one clip and block: 1770 pairs
SEED = 0


@dataclass(frozen=True)
class Rows:
    """What the rows of one block are like, averaged over queries or pairs of queries, then over clips."""

    distance: float  # total variation between two rows: 0 = all alike, 1 = no key in common
    overlap: float  # share of the top 20 that two rows have in common: 1 = all alike
    by_step: tuple[float, ...]  # share of the affinity at |dt| = 0, 1, 2, ... time steps
    evenly: tuple[float, ...]  # the same if every key in reach had the same weight


def rows_of(field: AffinityField) -> Rows:
    """The figures of one block in one clip."""
    queries = sampled_queries(field, QUERIES, SEED)
    weights, seen = shares(field, queries), reachable(field, queries)  # [N, K]
    best = np.zeros_like(weights)
    for n, row in enumerate(weights):
        reached = np.flatnonzero(seen[n])
        best[n, reached[top_indices(row[reached], TOP_ARROWS)]] = 1
    return Rows(
        distance=mean_of_pairs(distances(weights)),
        overlap=mean_of_pairs(best @ best.T / best.sum(1)),
        by_step=_by_distance(mass_by_step(field, queries, weights) / len(queries)),
        evenly=_by_distance(mass_by_step(field, queries, seen / seen.sum(1, keepdims=True)) / len(queries)),
    )


def _by_distance(by_step: NDArray[Any]) -> tuple[float, ...]:
    """Earlier and later together: [2T - 1] -> [T]."""
    now = len(by_step) // 2
    later, earlier = by_step[now:].copy(), by_step[now::-1]
    later[1:] += earlier[1:]
    return tuple(later.tolist())


def mean_rows(found: Sequence[Rows]) -> Rows:
    """The average over clips."""
    distance, overlap = np.mean([(rows.distance, rows.overlap) for rows in found], 0).tolist()
    by_step, evenly = (np.mean([getattr(rows, name) for rows in found], 0).tolist() for name in ("by_step", "evenly"))
    return Rows(distance, overlap, tuple(by_step), tuple(evenly))
