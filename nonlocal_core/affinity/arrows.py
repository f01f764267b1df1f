"""Arrows, and which cells get one: the highest weights, or the fewest that hold a share of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import Floats
from nonlocal_core.geometry import GridPoint

TOP_ARROWS = 20  # Wang et al. 2018, Fig. 3: "the 20 highest weighted arrows for each x_i"
MOST_ARROWS = 1000  # of one answer by mass: a flat row would give one for every cell

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Arrow:
    """One arrow: from the asked cell `start` to cell `end`. `mass` is the weight of this and all higher arrows."""

    rank: int
    start: GridPoint
    end: GridPoint
    weight: float
    mass: float


def top_indices(weights: Floats, k: int) -> Indices:
    """Indices of the k highest weights, falling; of equal weights the lower index comes first."""
    k = min(k, len(weights))
    if k == 0:
        return np.empty(0, np.intp)
    least = np.partition(weights, -k)[-k]
    candidates = np.flatnonzero(weights >= least)
    return candidates[np.argsort(-weights[candidates], kind="stable")][:k]


def fewest_indices(weights: Floats, percent: float) -> Indices:
    """Indices of the fewest weights that hold `percent` of the sum of all positive ones, falling as `top_indices`.

    At least one (if there is one at all), at most `MOST_ARROWS`, none but the first without weight of its own.
    """
    order = top_indices(weights, MOST_ARROWS)
    positive = np.maximum(weights, 0)
    held = np.cumsum(positive[order], dtype=np.float64)
    wanted = float(positive.sum(dtype=np.float64)) * percent / 100
    enough = int(np.searchsorted(held, wanted)) + 1
    return order[: max(1, min(enough, int((weights[order] > 0).sum())))]
