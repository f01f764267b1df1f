"""Pictures as the cells of a grid see them: what each cell covers, averaged exactly, whole pixels or not.

The queries' cells tile the picture. Keys are pooled two by two and an odd last row or column is dropped, so their
cells are as large as the pooling made them and may end before the picture does. Next: `score.py`, which asks how much
of each cell an object covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import Floats
from nonlocal_core.geometry import Grid

_POOL = 2  # the block's sub-sampling: 2x2 max-pooling with stride 2, rounded down


def cell_means(picture: NDArray[Any], grid: Grid, queries: Grid, side: int = 1) -> Floats:
    """The mean over each cell, cut into side x side patches: [T, H, W, C] -> float32 [cells, side * side * C].

    Args:
        picture: what the network saw, or something of the same size.
        grid: the cells, of the queries or of their keys.
        queries: the grid of the queries, which covers the whole picture.
        side: patches along each side of a cell, in rows, then columns.
    """
    x = picture.astype(np.float32)
    parts = ((grid.t, queries.t, 1), (grid.h, queries.h, side), (grid.w, queries.w, side))
    for axis, (cells, whole, patches) in enumerate(parts):
        part = _shares(x.shape[axis], cells * patches, _covered(cells, whole))
        x = np.moveaxis(np.tensordot(part, x, (1, axis)), 0, axis)
    cut = x.reshape(grid.t, grid.h, side, grid.w, side, -1)
    return np.ascontiguousarray(cut.transpose(0, 1, 3, 2, 4, 5)).reshape(grid.cells, -1)


def coverage(mask: Floats, grid: Grid, queries: Grid) -> Floats:
    """How much of each cell a mask [T, H, W] covers: [cells], flat as rows are."""
    return cell_means(mask[..., None], grid, queries)[:, 0]


def _covered(cells: int, whole: int) -> float:
    """The part of the picture that `cells` key cells cover, of a side of `whole` query cells."""
    step = 1 if cells == whole else _POOL if cells == whole // _POOL else whole // cells
    return cells * step / whole


def _shares(length: int, cells: int, covered: float) -> Floats:
    """The share of each cell that each of `length` pixels takes: [cells, length], rows sum to 1."""
    edges = np.linspace(0, covered * length, cells + 1)
    pixels = np.arange(length)
    common = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)  # [cells, length]
    return (common.clip(0) / (edges[1] - edges[0])).astype(np.float32)
