"""From a question to arrows: the places of highest affinity with one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import AffinityField, Direction, Floats
from nonlocal_core.geometry import ClipPoint, GridPoint, cell_at, cell_of

TOP_ARROWS = 20  # Wang et al. 2018, Fig. 3: "the 20 highest weighted arrows for each x_i"


@dataclass(frozen=True)
class Arrow:
    """One arrow: from the asked cell `start` to cell `end`. `mass` is the weight of this and all higher arrows."""

    rank: int
    start: GridPoint
    end: GridPoint
    weight: float
    mass: float


@dataclass(frozen=True)
class Query:
    """A question: what does this place look at (forward), or who looks at it (reverse), in this block?"""

    block: str
    point: ClipPoint
    k: int = TOP_ARROWS
    direction: Direction = "forward"


def top_indices(weights: Floats, k: int) -> NDArray[np.intp]:
    """Indices of the k highest weights, falling; of equal weights the lower index comes first."""
    k = min(k, len(weights))
    least = np.partition(weights, -k)[-k]
    candidates = np.flatnonzero(weights >= least)
    return candidates[np.argsort(-weights[candidates], kind="stable")][:k]


def top_arrows(field: AffinityField, cell: GridPoint, k: int, direction: Direction) -> list[Arrow]:
    """The k arrows of highest weight from `cell`, which lies on `field.asking_grid(direction)`; none leaves its group.

    Raises:
        CellOutsideGrid: the cell lies outside that grid.
    """
    weights = field.weights(cell, direction)
    grid = field.answering_grid(direction)
    seen = field.reach(cell, direction)
    best = seen[top_indices(weights[seen], k)]
    masses = np.cumsum(weights[best], dtype=np.float64)
    return [
        Arrow(rank, cell, cell_of(grid, int(index)), float(weights[index]), float(mass))
        for rank, (index, mass) in enumerate(zip(best, masses, strict=True), 1)
    ]


def answer(field: AffinityField, query: Query, frames: int) -> list[Arrow]:
    """The arrows of `query` in a clip of `frames` frames.

    Raises:
        PointOutsideClip: the point lies outside the clip.
    """
    cell = cell_at(field.asking_grid(query.direction), query.point, frames)
    return top_arrows(field, cell, query.k, query.direction)
