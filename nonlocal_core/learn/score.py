"""Do the arrows point at the right things? The share of arrows from an object that end on it in *other* frames.

For query cells that lie on a known object, the row is asked only for keys whose frames the query's cell does not
cover. An arrow counts by the part of its end cell that the object covers, so an arrow to anywhere scores the object's
mean area in those frames: that is chance, and it is stated beside every score. Next: `rows.py`, what rows are like;
`baselines.py`, what needs no training; `scorecard.py`, all of it over all clips.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nonlocal_core.affinity.arrows import TOP_ARROWS, top_indices
from nonlocal_core.affinity.field import AffinityField, Floats
from nonlocal_core.affinity.shares import other_frames
from nonlocal_core.geometry import cell_of
from nonlocal_core.learn.cells import coverage

ON_OBJECT = 0.7  # a query cell lies on the object when the object covers at least this much of it
MOST_QUERIES = 60  # of one clip and block, drawn at random with a fixed seed
SEED = 0


@dataclass(frozen=True)
class Score:
    """What the arrows of one block did, averaged over queries."""

    hit: float  # share of the top 20 that lands on the object
    mass: float  # share of the affinity that does
    chance: float  # the object's share of the candidate cells
    entropy: float  # of the rows, 1 = uniform; rows that are all alike and flat have collapsed
    queries: int

    @property
    def lift(self) -> float:
        """How many times chance."""
        return self.hit / self.chance if self.chance else float("nan")


def score_field(field: AffinityField, mask: Floats) -> list[Score]:
    """One score for each query cell on the object; none where the block relates nothing to other frames.

    Args:
        field: a block's affinities.
        mask: the object's share of each pixel that the network saw, [T, H, W] in [0, 1].
    """
    asked = coverage(mask, field.query_grid, field.query_grid)  # [Q]
    answered = coverage(mask, field.key_grid, field.query_grid)  # [K]
    candidates = np.flatnonzero(asked >= ON_OBJECT)
    chosen = np.random.default_rng(SEED).choice(candidates, min(MOST_QUERIES, len(candidates)), replace=False)
    scores = (_score_query(field, int(index), answered) for index in chosen)
    return [score for score in scores if score is not None]


def _score_query(field: AffinityField, index: int, answered: Floats) -> Score | None:
    query = cell_of(field.query_grid, index)
    seen = field.reach(query, "forward")
    elsewhere = seen[other_frames(field, query.t)[seen]]
    if not len(elsewhere):
        return None
    weights, covered = field.row(query)[elsewhere], answered[elsewhere]
    total = float(np.abs(weights).sum()) or 1.0
    best = top_indices(weights, TOP_ARROWS)
    return Score(
        hit=float(covered[best].mean()),
        mass=float((np.abs(weights) * covered).sum() / total),
        chance=float(covered.mean()),
        entropy=_entropy(np.abs(weights)),
        queries=1,
    )


def _entropy(weights: Floats) -> float:
    """Of the weights as a distribution, over that of the uniform one."""
    p = weights[weights > 0] / (weights.sum() or 1)
    return float(-(p * np.log(p)).sum() / np.log(max(2, len(weights))))


def mean_score(scores: Iterable[Score]) -> Score:
    """The average over queries."""
    rows = [(s.hit, s.mass, s.chance, s.entropy) for s in scores]
    if not rows:
        return Score(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    hit, mass, chance, entropy = (float(value) for value in np.mean(rows, 0))
    return Score(hit, mass, chance, entropy, len(rows))
