"""A question to a block, whole, and its answer. The page answers the same way in static/js/ask.js.

    values   p_ij, or what it carries, or either minus the mean row             for one asked cell
             -> mean or max over the cells of a region, or each cell for itself
    allowed  same group, wanted frames, outside the neighbourhood
    arrows   the k highest allowed values, or the fewest that hold a share of the allowed mass

One object, written five ways: the page's link, the API's JSON and its query string, `nl.Query`, command-line flags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.arrows import TOP_ARROWS, Arrow, Indices, fewest_indices, top_indices
from nonlocal_core.affinity.field import WHOLE, AffinityField, Direction, Floats
from nonlocal_core.errors import InvalidQuery
from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, Span, cell_at, cell_of, flat_index, span_of

Value = Literal["weight", "contribution"]
Pool = Literal["mean", "max", "each"]

MOST_CELLS = 1024  # of one region: 1024 rows over 3136 keys are 13 MB
WHEN = re.compile(r"all|others|same|(\d{1,6})-(\d{1,6})")


_PLAIN = ("block", "pool", "direction", "k", "mass", "when", "value", "minus_mean")  # the same in `Query` and flat


@dataclass(frozen=True)
class Near:
    """A neighbourhood to leave out: within `cells` of the answering grid in rows and columns, and `frames` in time.

    0 cells are those that the question's own box touches, 0 frames those that it shares.
    """

    cells: int
    frames: int


@dataclass(frozen=True)
class Query:
    """What does this place look at (forward), or who looks at it (reverse), in this block?

    Args:
        block: its name.
        point: the place; its cell on the asking grid asks.
        to: the opposite corner of a region, whose cells then ask together.
        pool: how a region's cells answer: by their mean, their maximum, or each for itself, where the k highest of all
            pairs are drawn.
        direction: forward asks on the queries' grid, reverse on the keys'.
        k: so many arrows.
        mass: instead of k, as few arrows as hold this percentage of the allowed weight.
        near: leave out this neighbourhood.
        when: all frames, only `others` than the question's, only the `same`, or a range such as `8-15`.
        value: `weight` is f(x_i, x_j) / C(x); `contribution` is |W_z g_j| times that, the length of what z_i gets.
        minus_mean: subtract the mean over all questions of the block: what is special about this one?

    Raises:
        InvalidQuery: a number or a word is out of its range.
    """

    block: str
    point: ClipPoint
    to: ClipPoint | None = None
    pool: Pool = "mean"
    direction: Direction = "forward"
    k: int = TOP_ARROWS
    mass: float | None = None
    near: Near | None = None
    when: str = "all"
    value: Value = "weight"
    minus_mean: bool = False

    def __post_init__(self) -> None:
        found = WHEN.fullmatch(self.when)
        if not found or (found[1] and int(found[1]) > int(found[2])):
            raise InvalidQuery(f"when={self.when!r}: say all, others, same, or a range of frames such as 8-15")
        if self.k < 1:
            raise InvalidQuery(f"k={self.k}: ask for at least one arrow")
        if self.mass is not None and not 0 < self.mass <= 100:
            raise InvalidQuery(f"mass={self.mass}: a percentage above 0, up to 100")
        if self.near and min(self.near.cells, self.near.frames) < 0:
            raise InvalidQuery(f"near={self.near.cells},{self.near.frames}: cells and frames from 0 on")

    @classmethod
    def of(cls, names: Mapping[str, Any]) -> Query:
        """A question from the flat names of the API and the command line: frame, x, y, to_frame, near_cells and so on.

        Raises:
            InvalidQuery: a region has not all of its corner.
        """
        corner = [names[name] for name in ("to_frame", "to_x", "to_y")]
        if None in corner and corner != [None] * 3:
            raise InvalidQuery("a region needs all of to_frame, to_x and to_y")
        near = names["near_cells"]
        return cls(
            point=ClipPoint(names["frame"], names["x"], names["y"]),
            to=None if None in corner else ClipPoint(*corner),
            near=None if near is None else Near(near, names["near_frames"]),
            **{name: names[name] for name in _PLAIN},
        )

    def cells(self, field: AffinityField, frames: int) -> list[GridPoint]:
        """The cells that ask, in flat order: one, or all between the two corners of a region.

        Raises:
            PointOutsideClip: a corner lies outside the clip.
            InvalidQuery: the region has more than `MOST_CELLS` cells.
        """
        grid = field.asking_grid(self.direction)
        a = cell_at(grid, self.point, frames)
        b = a if self.to is None else cell_at(grid, self.to, frames)
        t, h, w = ((min(low, high), max(low, high) + 1) for low, high in ((a.t, b.t), (a.h, b.h), (a.w, b.w)))
        if (count := (t[1] - t[0]) * (h[1] - h[0]) * (w[1] - w[0])) > MOST_CELLS:
            raise InvalidQuery(f"the region has {count} cells of {self.block}; ask with at most {MOST_CELLS}")
        return [GridPoint(i, j, k) for i in range(*t) for j in range(*h) for k in range(*w)]


@dataclass(frozen=True, eq=False)
class Answer:
    """`values` [cells of the answering grid] for a heat map, `arrows` best first, and the `cells` that asked."""

    cells: list[GridPoint]
    values: Floats
    arrows: list[Arrow]


def answer(field: AffinityField, query: Query, frames: int) -> Answer:
    """Answer `query` in a clip of `frames` frames.

    Where each cell of a region asks for itself, `values` are the strongest of each answering cell, and masses are
    shares of what all asking cells look at.

    Raises:
        PointOutsideClip, InvalidQuery: the question does not fit the clip or the block.
    """
    cells = query.cells(field, frames)
    values, pairs = _pooled(
        [_values(field, cell, query) for cell in cells], query.pool
    )  # [A], [N, A] with N = 1 or all
    seen = _allowed(field, cells, query, frames)
    each = pairs.shape[1] if seen is None else len(seen)  # answers there may be to each asking cell
    flat = (pairs if seen is None else pairs[:, seen]).ravel()
    best = top_indices(flat, query.k) if query.mass is None or not len(flat) else fewest_indices(flat, query.mass)
    weights = flat[best]
    order: list[int] = best.tolist()
    masses: list[float] = (np.cumsum(weights, dtype=np.float64) / len(pairs)).tolist()
    places: list[int] = (best % each if seen is None else seen[best % each]).tolist() if order else []
    grid = field.answering_grid(query.direction)
    arrows = [
        Arrow(rank, cells[n // each], cell_of(grid, place), weight, mass)
        for rank, (n, place, weight, mass) in enumerate(zip(order, places, weights.tolist(), masses, strict=True), 1)
    ]
    return Answer(cells, values, arrows)


def _pooled(rows: list[Floats], pool: Pool) -> tuple[Floats, Floats]:
    """The values of one map [A], and the values that arrows are chosen from: that map, or each cell's own [N, A]."""
    if len(rows) == 1:
        return rows[0], rows[0][None]
    every = np.stack(rows)  # [N, A]
    values = every.mean(0, dtype=np.float64).astype(np.float32) if pool == "mean" else every.max(0)
    return values, every if pool == "each" else values[None]


def box_span(grid: Grid, cells: list[GridPoint], frames: int) -> Span:
    """What a region's `cells`, in flat order, cover together."""
    first, last = span_of(grid, cells[0], frames), span_of(grid, cells[-1], frames)
    return Span(first.first, last.last, first.left, first.top, last.right, last.bottom)


def _values(field: AffinityField, cell: GridPoint, query: Query) -> Floats:
    """p of one cell over the answering grid, less the mean, times |W_z g_j|: as far as the query wants it."""
    values = field.weights(cell, query.direction)
    if query.minus_mean:
        values = values - field.mean(query.direction)
    if query.value == "weight":
        return values
    if field.carried is None:
        raise InvalidQuery(
            f"{query.block}: what its keys carry is not known (the block adds nothing to the network, or the clip was "
            "analysed by an earlier version: analyse it again)"
        )
    own = query.direction == "reverse"
    return values * (field.carried[flat_index(field.key_grid, cell)] if own else field.carried)


def _allowed(field: AffinityField, cells: list[GridPoint], query: Query, frames: int) -> Indices | None:
    """The answering cells that may be answers, flat and rising; None when all may."""
    if query.when == "all" and query.near is None and field.groups == WHOLE:
        return None
    grid = field.answering_grid(query.direction)
    asked = box_span(field.asking_grid(query.direction), cells, frames)
    first = -(-np.arange(grid.t) * frames // grid.t)  # [T], as `span_of` has it
    last = -(-np.arange(1, grid.t + 1) * frames // grid.t) - 1
    allowed = np.zeros((grid.t, grid.h, grid.w), np.bool_)
    allowed[_wanted(first, last, asked, query.when)] = True
    if query.near:
        away = np.maximum(0, np.maximum(first - asked.last, asked.first - last))  # [T], frames between the two
        rows, columns = _touched(field, cells, query, query.near.cells)
        beside = np.zeros((grid.h, grid.w), np.bool_)
        beside[rows, columns] = True
        allowed[away <= query.near.frames] &= ~beside
    flat = allowed.ravel()
    reached = np.zeros_like(flat)
    for cell in cells:
        reached[field.reach(cell, query.direction)] = True
    return np.flatnonzero(flat & reached)


def _wanted(first: NDArray[np.intp], last: NDArray[np.intp], asked: Span, when: str) -> NDArray[np.bool_]:
    """Which time steps, of frames `first` to `last` [T], may hold an answer: [T]."""
    if when == "all":
        return np.ones(len(first), np.bool_)
    low, high = (asked.first, asked.last) if when in ("same", "others") else map(int, when.split("-"))
    shared = (first <= high) & (last >= low)
    return ~shared if when == "others" else shared


def _touched(field: AffinityField, cells: list[GridPoint], query: Query, margin: int) -> tuple[slice, slice]:
    """The rows and columns of the answering grid that the asked box touches, and `margin` more on each side."""
    asking, grid = field.asking_grid(query.direction), field.answering_grid(query.direction)
    (top, left), (bottom, right) = ((cell.h, cell.w) for cell in (cells[0], cells[-1]))
    rows = (top * grid.h // asking.h, -(-(bottom + 1) * grid.h // asking.h))
    columns = (left * grid.w // asking.w, -(-(right + 1) * grid.w // asking.w))
    return tuple(slice(max(0, low - margin), high + margin) for low, high in (rows, columns))  # pyright: ignore[reportReturnType]
