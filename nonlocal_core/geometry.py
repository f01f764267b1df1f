"""Places in a clip and cells of a feature map, and the only conversions between them.

Two coordinate spaces, never mixed: a `ClipPoint` is what a person points at (a frame and fractions of the
crop the model saw), a `GridPoint` is what the network computes on (a cell of a feature map). Cells tile the
clip evenly in time, height and width. The receptive field's true centre may differ by up to a stride's
padding; Fig. 3 of Wang et al. 2018 needs no better.

No torch here: a query needs numpy and starts fast. Next: `affinity/field.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nonlocal_core.errors import CellOutsideGrid, PointOutsideClip


@dataclass(frozen=True)
class Grid:
    """Size of a feature map in cells: t in time, h rows, w columns."""

    t: int
    h: int
    w: int

    @property
    def cells(self) -> int:
        """How many cells there are; flat indices run time-major, then rows, then columns."""
        return self.t * self.h * self.w


@dataclass(frozen=True)
class GridPoint:
    """A cell of a feature map: t in [0, grid.t), row h, column w."""

    t: int
    h: int
    w: int


@dataclass(frozen=True)
class ClipPoint:
    """A place in the clip: frame index in [0, frames); x (right) and y (down) as fractions of the crop, in [0, 1)."""

    frame: int
    x: float
    y: float


@dataclass(frozen=True)
class Span:
    """The part of the clip that one cell covers: frames first..last (inclusive) and a box in fractions of the crop."""

    first: int
    last: int
    left: float
    top: float
    right: float
    bottom: float


def flat_index(grid: Grid, cell: GridPoint) -> int:
    """The index of `cell` in time-major, then row, then column order.

    Raises:
        CellOutsideGrid: the cell is not in the grid.
    """
    if not (0 <= cell.t < grid.t and 0 <= cell.h < grid.h and 0 <= cell.w < grid.w):
        raise CellOutsideGrid(f"cell {cell} is outside the grid {grid.t}x{grid.h}x{grid.w}")
    return (cell.t * grid.h + cell.h) * grid.w + cell.w


def cell_of(grid: Grid, index: int) -> GridPoint:
    """The inverse of `flat_index`.

    Raises:
        CellOutsideGrid: the index is not in [0, grid.cells).
    """
    if not 0 <= index < grid.cells:
        raise CellOutsideGrid(f"index {index} is outside the grid {grid.t}x{grid.h}x{grid.w} of {grid.cells} cells")
    t, within = divmod(index, grid.h * grid.w)
    h, w = divmod(within, grid.w)
    return GridPoint(t, h, w)


def cell_at(grid: Grid, point: ClipPoint, frames: int) -> GridPoint:
    """The cell of `grid` that covers `point`.

    Args:
        grid: size of a feature map, in cells; at most one cell in time per frame.
        point: frame index in [0, frames); x, y as fractions of the crop, in [0, 1).
        frames: length T of the clip, in frames.

    Raises:
        PointOutsideClip: the point lies outside those ranges.
    """
    if not 0 <= point.frame < frames:
        raise PointOutsideClip(f"frame {point.frame} is outside the clip; it has frames 0 to {frames - 1}")
    if not (0 <= point.x < 1 and 0 <= point.y < 1):
        raise PointOutsideClip(f"x={point.x}, y={point.y} lie outside the crop; both must be in [0, 1)")
    return GridPoint(point.frame * grid.t // frames, math.floor(point.y * grid.h), math.floor(point.x * grid.w))


def span_of(grid: Grid, cell: GridPoint, frames: int) -> Span:
    """What `cell` covers: every point for which `cell_at` gives `cell`, and no other.

    Raises:
        CellOutsideGrid: the cell is not in the grid.
    """
    flat_index(grid, cell)
    first = -(-cell.t * frames // grid.t)  # ceil: the first frame that cell_at sends here
    last = -(-(cell.t + 1) * frames // grid.t) - 1
    return Span(first, last, cell.w / grid.w, cell.h / grid.h, (cell.w + 1) / grid.w, (cell.h + 1) / grid.h)


def centre_of(grid: Grid, cell: GridPoint, frames: int) -> ClipPoint:
    """The centre of `cell`: its middle frame (the earlier of two) and the middle of its box.

    `cell_at(grid, centre_of(grid, cell, frames), frames) == cell` for every cell of a grid with grid.t <= frames.

    Raises:
        CellOutsideGrid: the cell is not in the grid.
    """
    span = span_of(grid, cell, frames)
    return ClipPoint((span.first + span.last) // 2, (cell.w + 0.5) / grid.w, (cell.h + 0.5) / grid.h)
