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

_CHUNK = 1024  # queries at a time in `log_sum_exp`: 1024 x 3136 float32 are 13 MB


@dataclass(frozen=True, eq=False)
class AffinityField:
    """f(x_i, x_j) / C(x) of one block of one clip, for every query x_i and key x_j.

    theta [Q, C] and phi [K, C], float16 or float32, are indexed by the cells of `query_grid` and `key_grid` in
    time-major, then row, then column order. Queries and keys live on different grids when keys are pooled.
    `log_sum_exp` [Q] is needed for columns of the softmax kinds; it is computed when it is not given.
    """

    kind: Kind
    scale: float
    query_grid: Grid
    key_grid: Grid
    theta: NDArray[np.floating]
    phi: NDArray[np.floating]
    given_log_sum_exp: Floats | None = None

    def __post_init__(self) -> None:
        for name, array, grid in (("theta", self.theta, self.query_grid), ("phi", self.phi, self.key_grid)):
            if array.ndim != 2 or len(array) != grid.cells:
                raise ValueError(f"{name} has shape {array.shape}; a grid {grid} needs [{grid.cells}, C]")
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
    def log_sum_exp(self) -> Floats:
        """Per query the logarithm of C(x) = sum_j f(x_i, x_j): [Q]. Only the softmax kinds have one."""
        if self.given_log_sum_exp is not None:
            return self.given_log_sum_exp
        out = np.empty(self.query_grid.cells, np.float32)
        for start in range(0, len(out), _CHUNK):
            logits = self.scale * (self._theta32[start : start + _CHUNK] @ self._phi32.T)  # [chunk, K]
            peak = logits.max(1)
            out[start : start + _CHUNK] = peak + np.log(np.exp(logits - peak[:, None]).sum(1))
        return out

    def cell(self, index: int) -> GridPoint:
        """The key cell behind place `index` of a row."""
        return cell_of(self.key_grid, index)

    def row(self, query: GridPoint) -> Floats:
        """What x_i looks at: f(x_i, x_j) / C(x) over all keys j, [K]; sums to 1 for the Gaussian kinds.

        Raises:
            CellOutsideGrid: `query` is not a cell of `query_grid`.
        """
        logits = self.scale * (self._phi32 @ self.theta[flat_index(self.query_grid, query)].astype(np.float32))  # [K]
        if self.has_softmax:
            weights = np.exp(logits - logits.max())
            return weights / weights.sum()
        return self._divided_by_keys(logits)

    def column(self, key: GridPoint) -> Floats:
        """Who looks at x_j: f(x_i, x_j) / C(x) over all queries i, [Q], each normalised along its own row.

        Raises:
            CellOutsideGrid: `key` is not a cell of `key_grid`.
        """
        logits = self.scale * (self._theta32 @ self.phi[flat_index(self.key_grid, key)].astype(np.float32))  # [Q]
        if self.has_softmax:
            return np.exp(logits - self.log_sum_exp)
        return self._divided_by_keys(logits)

    def _divided_by_keys(self, logits: Floats) -> Floats:
        f = logits if self.kind == "dot_product" else np.maximum(logits, 0)  # Eq. 4; Eq. 5's ReLU
        return f / np.float32(self.key_grid.cells)

    def asking_grid(self, direction: Direction) -> Grid:
        """The grid a question is asked on: queries look forward, keys are looked at."""
        return self.query_grid if direction == "forward" else self.key_grid

    def answering_grid(self, direction: Direction) -> Grid:
        """The grid the arrows end on."""
        return self.key_grid if direction == "forward" else self.query_grid

    def weights(self, cell: GridPoint, direction: Direction) -> Floats:
        """The row (forward) or the column (reverse) of `cell`, flat over `answering_grid(direction)`."""
        return self.row(cell) if direction == "forward" else self.column(cell)
