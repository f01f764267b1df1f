"""`AffinityField`: theta and phi of one block of one clip, and the rows and columns of the matrix they stand for.

The matrix itself is never kept: five blocks of a 32-frame clip would be hundreds of megabytes, theta and phi are a
few, and one row is one small product. NumPy only; the browser does the same arithmetic in static/js/field.js.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.geometry import Grid, GridPoint, cell_of, flat_index
from nonlocal_core.model.spec import SOFTMAX_KINDS, Kind

Direction = Literal["forward", "reverse"]
Floats = NDArray[np.float32]

WHOLE = Grid(1, 1, 1)  # one group: every query sees every key
_CHUNK = 1024  # queries at a time in `log_sum_exp`: 1024 x 3136 float32 are 13 MB


@dataclass(frozen=True, eq=False)
class AffinityField:
    """f(x_i, x_j) / C(x) of one block of one clip, for every query x_i and key x_j.

    theta [Q, C] and phi [K, C], float16 or float32, are indexed by the cells of `query_grid` and `key_grid` in
    time-major, then row, then column order. Queries and keys live on different grids when keys are pooled.
    `log_sum_exp` [Q] is needed for columns of the softmax kinds; it is computed when it is not given. So are the means
    over all rows and all columns. `carried` [K] is |W_z g_j|, the length of what key j adds to an output per unit of
    weight; `added` [Q] is |z_i - x_i| / |x_i|, how much the block adds to its input: None where they are not known.

    Both grids are cut into `groups` equal boxes along time, height and width; x_i sees only the keys of its own box
    (4x1x1: four groups of frames, Tx1x1: space-only, 1xHxW: time-only). A weight between two boxes is 0.
    """

    kind: Kind
    scale: float
    query_grid: Grid
    key_grid: Grid
    theta: NDArray[np.floating]
    phi: NDArray[np.floating]
    given_log_sum_exp: Floats | None = None
    groups: Grid = WHOLE
    given_means: tuple[Floats, Floats] | None = None
    carried: Floats | None = None
    added: Floats | None = None

    def __post_init__(self) -> None:
        if min(self.groups.t, self.groups.h, self.groups.w) < 1:
            raise ValueError(f"a grid cannot be cut into {self.groups} boxes")
        for name, array, grid in (("theta", self.theta, self.query_grid), ("phi", self.phi, self.key_grid)):
            if array.ndim != 2 or len(array) != grid.cells:
                raise ValueError(f"{name} has shape {array.shape}; a grid {grid} needs [{grid.cells}, C]")
            if grid.t % self.groups.t or grid.h % self.groups.h or grid.w % self.groups.w:
                raise ValueError(f"{name}'s grid {grid} cannot be cut into {self.groups} boxes")
        if self.theta.shape[1] != self.phi.shape[1]:
            raise ValueError(f"theta is {self.theta.shape[1]} wide, phi {self.phi.shape[1]}; they must agree")

    @property
    def has_softmax(self) -> bool:
        """Whether a row sums to 1: the Gaussian kinds; the other two are divided by the number of keys instead."""
        return self.kind in SOFTMAX_KINDS

    @cached_property
    def _theta32(self) -> Floats:
        return self.theta.astype(np.float32, copy=False)

    @cached_property
    def _phi32(self) -> Floats:
        return self.phi.astype(np.float32, copy=False)

    @cached_property
    def _box_of_query(self) -> NDArray[np.intp]:
        return box_of_each_cell(self.query_grid, self.groups)

    @cached_property
    def _box_of_key(self) -> NDArray[np.intp]:
        return box_of_each_cell(self.key_grid, self.groups)

    @cached_property
    def log_sum_exp(self) -> Floats:
        """Per query the logarithm of C(x) = sum_j f(x_i, x_j): [Q]. Only the softmax kinds have one."""
        if self.given_log_sum_exp is not None:
            return self.given_log_sum_exp
        out = np.empty(self.query_grid.cells, np.float32)
        for start in range(0, len(out), _CHUNK):
            part = slice(start, start + _CHUNK)
            logits = self.scale * (self._theta32[part] @ self._phi32.T)  # [chunk, K]
            if self.groups != WHOLE:
                logits[self._box_of_query[part, None] != self._box_of_key] = -np.inf
            peak = logits.max(1)
            out[part] = peak + np.log(np.exp(logits - peak[:, None]).sum(1))
        return out

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """The mean of all rows [K] and of all columns [Q], each over the cells that see it.

        What every question of the block has in common; a row minus it is what is special about one question.
        """
        if self.given_means is not None:
            return self.given_means
        of_rows, of_columns = np.zeros(self.key_grid.cells), np.empty(self.query_grid.cells, np.float32)
        for start in range(0, len(of_columns), _CHUNK):
            part = range(start, min(start + _CHUNK, len(of_columns)))
            rows = np.stack([self.row(cell_of(self.query_grid, i)) for i in part])  # [chunk, K]
            of_rows += rows.sum(0, dtype=np.float64)
            of_columns[part.start : part.stop] = rows.sum(1)
        of_rows *= self.groups.cells / self.query_grid.cells
        of_columns *= self.groups.cells / self.key_grid.cells
        return of_rows.astype(np.float32), of_columns

    def mean(self, direction: Direction) -> Floats:
        """The mean of `weights` over all cells that may ask in a direction, flat over `answering_grid(direction)`."""
        return self.means[0 if direction == "forward" else 1]

    def cell(self, index: int) -> GridPoint:
        """The key cell behind place `index` of a row."""
        return cell_of(self.key_grid, index)

    def row(self, query: GridPoint) -> Floats:
        """What x_i looks at: f(x_i, x_j) / C(x) over all keys j, [K]; sums to 1 for the Gaussian kinds.

        Raises:
            CellOutsideGrid: `query` is not a cell of `query_grid`.
        """
        logits = self.scale * (self._phi32 @ self.theta[flat_index(self.query_grid, query)].astype(np.float32))  # [K]
        seen = self._seen(query, "forward")
        weights = np.zeros_like(logits)
        if self.has_softmax:
            f = np.exp(logits[seen] - logits[seen].max())
            weights[seen] = f / f.sum()
        else:
            weights[seen] = self._divided_by_keys(logits[seen])
        return weights

    def column(self, key: GridPoint) -> Floats:
        """Who looks at x_j: f(x_i, x_j) / C(x) over all queries i, [Q], each normalised along its own row.

        Raises:
            CellOutsideGrid: `key` is not a cell of `key_grid`.
        """
        logits = self.scale * (self._theta32 @ self.phi[flat_index(self.key_grid, key)].astype(np.float32))  # [Q]
        seen = self._seen(key, "reverse")
        weights = np.zeros_like(logits)
        if self.has_softmax:
            weights[seen] = np.exp(logits[seen] - self.log_sum_exp[seen])
        else:
            weights[seen] = self._divided_by_keys(logits[seen])
        return weights

    def _divided_by_keys(self, logits: Floats) -> Floats:
        f = logits if self.kind == "dot_product" else np.maximum(logits, 0)  # Eq. 4; Eq. 5's ReLU
        return f / np.float32(self.key_grid.cells // self.groups.cells)

    def reach(self, cell: GridPoint, direction: Direction) -> NDArray[np.intp]:
        """The flat indices, rising, of the answering cells in the group of `cell`: all of them in an ungrouped block.

        Raises:
            CellOutsideGrid: `cell` is not a cell of `asking_grid(direction)`.
        """
        index = flat_index(self.asking_grid(direction), cell)
        if self.groups == WHOLE:
            return np.arange(self.answering_grid(direction).cells)
        asking, answering = self._box_of_query, self._box_of_key
        if direction == "reverse":
            asking, answering = answering, asking
        return np.flatnonzero(answering == asking[index])

    def _seen(self, cell: GridPoint, direction: Direction) -> NDArray[np.intp] | slice:
        """`reach` as an index; of an ungrouped block one that copies nothing."""
        return slice(None) if self.groups == WHOLE else self.reach(cell, direction)

    def asking_grid(self, direction: Direction) -> Grid:
        """The grid a question is asked on: queries look forward, keys are looked at."""
        return self.query_grid if direction == "forward" else self.key_grid

    def answering_grid(self, direction: Direction) -> Grid:
        """The grid the arrows end on."""
        return self.key_grid if direction == "forward" else self.query_grid

    def weights(self, cell: GridPoint, direction: Direction) -> Floats:
        """The row (forward) or the column (reverse) of `cell`, flat over `answering_grid(direction)`."""
        return self.row(cell) if direction == "forward" else self.column(cell)


def box_of_each_cell(grid: Grid, groups: Grid) -> NDArray[np.intp]:
    """The number of the box that each cell lies in, in time-major order: [cells] in [0, groups.cells)."""
    t, h, w = np.indices((grid.t, grid.h, grid.w))
    boxes = (t * groups.t // grid.t, h * groups.h // grid.h, w * groups.w // grid.w)
    return np.ravel_multi_index(boxes, (groups.t, groups.h, groups.w)).ravel()
