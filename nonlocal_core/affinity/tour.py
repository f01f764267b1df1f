"""A tour of good questions: places whose affinity is far-reaching, focused and their own, spread over the clip.

Pointing at random mostly finds places that look at their neighbours, or at the same few keys as everybody. One number
per query tells what is worth showing; then the tour is thinned so that it does not stop twice at one thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.measures import entropy_of
from nonlocal_core.affinity.shares import (
    Indices,
    in_chunks,
    neighbourhood,
    other_frames,
    reachable,
    sampled_queries,
    shares,
)
from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, cell_of, centre_of

STOPS = 8  # as many as the page can pin
MOST_SCORED = 4096  # queries; where there are more, that many are drawn at random
APART_SPACE, APART_TIME = 0.2, 0.25  # stops are farther from each other than this share of the crop, or of the clip
_LEAST = 1e-4  # a lower score is rounding: even rows of 3136 keys come to 1e-7


@dataclass(frozen=True)
class Stop:
    """One question of the tour.

    Attributes:
        rank: from 1, by score.
        cell: of the block's query grid; `point` is its centre in the clip.
        score: information in what goes far; see `tour`.
        far: share of the row's mass on far keys: outside the neighbourhood and in other frames.
        entropy: of the row, 1 = even.
        end: the far key, of the block's key grid, that gets most.
    """

    rank: int
    cell: GridPoint
    point: ClipPoint
    score: float
    far: float
    entropy: float
    end: GridPoint


def tour(field: AffinityField, frames: int, *, count: int = STOPS, seed: int = 0) -> list[Stop]:
    """At most `count` places of a clip of `frames` frames that are good to ask this block about, best first.

    The score of query i, with shares s_ij, their mean over queries m_j, K keys, and F_i the keys outside the
    neighbourhood of x_i (as `Measures` has it) that share no frame with x_i:

        score_i = sum_{j in F_i} s_ij log(s_ij / m_j) / log K

    Over all keys the sum would be the divergence of row i from the mean row, whose mean over queries is the mutual
    information of the place that asks and the place that answers (Cover and Thomas, 2006, Eq. 2.28 and 2.35): what one
    learns about where an arrow ends by knowing where it starts. A hub that everybody looks at earns nothing, nor does
    an even row; few ends earn more than many; only far ones count. Where the block relates no two frames, F_i are all
    keys in reach outside the neighbourhood.

    Cells at the crop's edge are left out: half of what they see is padding. A stop rules out lower ones that are near
    it in x, y and time at once (`APART_SPACE`, `APART_TIME`). What scores nothing is left out, so a block without
    structure has no tour. `seed` draws the queries where there are more than `MOST_SCORED`; the same field, count and
    seed give the same tour.
    """
    queries = np.sort(sampled_queries(field, MOST_SCORED, seed))
    found = _findings(field, queries)
    score = np.where(_at_edge(field.query_grid, queries), 0, found.score)
    best = _spread(score, queries, field.query_grid, count)
    return [_stop(field, found, queries, n, rank, frames) for rank, n in enumerate(best, 1)]


class _Findings(NamedTuple):
    """What was found of each query, [N]."""

    score: NDArray[Any]
    far: NDArray[Any]
    entropy: NDArray[Any]
    end: NDArray[Any]  # flat index of a key


def _stop(field: AffinityField, found: _Findings, queries: Indices, n: int, rank: int, frames: int) -> Stop:
    cell = cell_of(field.query_grid, int(queries[n]))
    return Stop(
        rank=rank,
        cell=cell,
        point=centre_of(field.query_grid, cell, frames),
        score=float(found.score[n]),
        far=float(found.far[n]),
        entropy=float(found.entropy[n]),
        end=cell_of(field.key_grid, int(found.end[n])),
    )


def _findings(field: AffinityField, queries: Indices) -> _Findings:
    common = np.zeros(field.key_grid.cells)
    for part in in_chunks(queries):
        common += shares(field, part).sum(0, dtype=np.float64)
    common /= len(queries)  # [K]
    parts = [_findings_of_part(field, part, common) for part in in_chunks(queries)]
    return _Findings(*(np.concatenate(of_parts) for of_parts in zip(*parts, strict=True)))


def _findings_of_part(field: AffinityField, queries: Indices, common: NDArray[np.float64]) -> _Findings:
    rows, seen = shares(field, queries), reachable(field, queries)
    away = seen & ~neighbourhood(field, queries)
    if field.groups.t < field.key_grid.t:  # else the keys in reach are all of one time step
        away &= other_frames(field, queries // (field.query_grid.h * field.query_grid.w))
    news = rows * np.log(np.divide(rows, common, out=np.ones(rows.shape), where=rows > 0))  # [N, K]
    return _Findings(
        score=news.sum(1, where=away) / np.log(max(2, field.key_grid.cells)),
        far=rows.sum(1, where=away),
        entropy=entropy_of(rows) / np.log(np.maximum(2, seen.sum(1))),
        end=np.where(away, rows, -1).argmax(1),
    )


def _at_edge(grid: Grid, queries: Indices) -> NDArray[np.bool_]:
    """Which of `queries` [N] touch the crop's edge along a side that has cells that do not."""
    _, h, w = np.unravel_index(queries, (grid.t, grid.h, grid.w))
    edge = np.zeros(len(queries), np.bool_)
    for place, cells in ((h, grid.h), (w, grid.w)):
        if cells > 2:
            edge |= (place == 0) | (place == cells - 1)
    return edge


def _spread(score: NDArray[Any], queries: Indices, grid: Grid, count: int) -> list[int]:
    """The best `count` of `queries` [N] of which no two are near: their places in [N], the highest score first."""
    size = (grid.t, grid.h, grid.w)
    places = np.stack(np.unravel_index(queries, size), 1)  # [N, 3]
    free, apart = score > _LEAST, (APART_TIME, APART_SPACE, APART_SPACE)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        best = int(np.argmax(np.where(free, score, -1)))  # of equal ones the first
        chosen.append(best)
        free &= (np.abs(places - places[best]) / size > apart).any(1)
    return chosen
