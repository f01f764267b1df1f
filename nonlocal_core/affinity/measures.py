"""What one block does in one clip, in numbers: do its rows differ, how far do they reach, in space and in time?

Every row is looked at, a few at a time, so nothing is drawn by chance but the pairs of rows that are compared. Beside
each share stands what an even row would give: "80 % outside" says little where 99 % of the keys are outside. The
comparison with chance on marked objects is `nonlocal_core/learn/score.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.arrows import top_indices
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.shares import (
    Indices,
    distances,
    in_chunks,
    mass_by_step,
    mean_of_pairs,
    neighbourhood,
    reachable,
    sampled_queries,
    shares,
)
from nonlocal_core.geometry import GridPoint, cell_of

HUBS = 8
_TOP_SHARE = 0.01  # of the keys, for `Measures.hub_mass`

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Hub:
    """A key that many look at: `mass` is m_j = mean_i s_ij, its share of all mass."""

    cell: GridPoint
    mass: float


@dataclass(frozen=True)
class Measures:
    """A block in one clip; s_ij are its `shares`, Q queries, K keys, N_i keys in the group of x_i. NaN: no row counts.

    The definitions are this project's own. Total variation and entropy are the usual ones (Cover and Thomas, Elements
    of Information Theory, 2006: section 11.6 and Eq. 2.1).

    Attributes:
        queries: rows that count: all but those that are zero throughout.
        silent: how many are zero throughout (the concatenation's ReLU may leave such).
        dependence: query dependence: mean over pairs of rows i, i' of 1/2 sum_j |s_ij - s_i'j|; 0 = every place looks
            at the same, 1 = no two have a key in common. Over the pairs of 60 rows drawn with seed 0.
        outside: mean_i of sum_j s_ij over the keys outside the neighbourhood of x_i. The neighbourhood is every key at
            most one cell of the keys' grid away from the asked place in time, in rows and in columns.
        outside_evenly: the same if every key in reach had the share 1 / N_i.
        entropy: mean_i of -sum_j s_ij log s_ij / log N_i; 1 = even, 0 = all on one key.
        by_step: mass by time difference: mean_i of sum_j s_ij over the keys d time steps of the keys' grid later, at
            [d + T - 1] for d = -(T - 1) ... T - 1; sums to 1.
        by_step_evenly: the same if every key in reach had the share 1 / N_i.
        hubs: the 8 keys with the largest m_j = mean_i s_ij, falling.
        hub_mass: the sum of m_j over the ceil(K / 100) largest: 0.01 = no hubs.
    """

    queries: int
    silent: int
    dependence: float
    outside: float
    outside_evenly: float
    entropy: float
    by_step: tuple[float, ...]
    by_step_evenly: tuple[float, ...]
    hubs: tuple[Hub, ...]
    hub_mass: float


@dataclass
class _Sums:
    """What the rows so far add up to."""

    queries: int
    outside: float
    outside_evenly: float
    entropy: float
    by_step: Sums  # [2T - 1]
    by_step_evenly: Sums
    of_key: Sums  # [K]

    def add(self, field: AffinityField, queries: Indices) -> None:
        """Add the rows of some `queries`, flat [N]."""
        rows = shares(field, queries)  # [N, K]
        live = rows.any(1)
        queries, rows = queries[live], rows[live]
        even = reachable(field, queries).astype(np.float32)
        in_reach = even.sum(1, keepdims=True)  # [N, 1]
        even /= in_reach
        near = neighbourhood(field, queries)
        self.queries += len(queries)
        self.outside += len(queries) - float(rows.sum(where=near, dtype=np.float64))
        self.outside_evenly += len(queries) - float(even.sum(where=near, dtype=np.float64))
        self.entropy += float((entropy_of(rows) / np.log(np.maximum(2, in_reach[:, 0]))).sum())
        self.by_step += mass_by_step(field, queries, rows)
        self.by_step_evenly += mass_by_step(field, queries, even)
        self.of_key += rows.sum(0, dtype=np.float64)


def entropy_of(rows: NDArray[np.floating]) -> Sums:
    """-sum_j s_ij log s_ij of each row: [N, K] -> [N], in nats; 0 log 0 = 0."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    return -np.einsum("nk,nk->n", rows, logs, dtype=np.float64)


def measure(field: AffinityField) -> Measures:
    """The measures of one block in one clip; a second or so for 12544 queries and 3136 keys, 30 MB held at once."""
    steps, keys = 2 * field.key_grid.t - 1, field.key_grid.cells
    sums = _Sums(0, 0.0, 0.0, 0.0, np.zeros(steps), np.zeros(steps), np.zeros(keys))
    for queries in in_chunks(np.arange(field.query_grid.cells)):
        sums.add(field, queries)
    count = sums.queries or float("nan")
    of_key = (sums.of_key / count).astype(np.float32)  # [K]
    return Measures(
        queries=sums.queries,
        silent=field.query_grid.cells - sums.queries,
        dependence=_dependence(field),
        outside=sums.outside / count,
        outside_evenly=sums.outside_evenly / count,
        entropy=sums.entropy / count,
        by_step=tuple((sums.by_step / count).tolist()),
        by_step_evenly=tuple((sums.by_step_evenly / count).tolist()),
        hubs=tuple(Hub(cell_of(field.key_grid, int(key)), float(of_key[key])) for key in top_indices(of_key, HUBS)),
        hub_mass=float(np.sort(of_key)[-math.ceil(keys * _TOP_SHARE) :].sum()),
    )


def _dependence(field: AffinityField) -> float:
    rows = shares(field, sampled_queries(field))
    return mean_of_pairs(distances(rows[rows.any(1)]))
