"""Which arrows to cut: keys taken from queries of one block, to run the network again without them.

No torch: the web process reads and checks cuts. `cutting.py` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nonlocal_core.errors import CellOutsideGrid
from nonlocal_core.geometry import Grid

TOP_CLASSES = 5  # of a prediction, before and after
Removed = Literal["other_frames", "block"]


@dataclass(frozen=True)
class Cut:
    """What is removed from a block of one clip.

    `keys` are flat key cells, or `other_frames`: for each query the keys of every time step but its own, or `block`:
    the block itself, z_i = x_i. `queries` are the flat query cells that lose them, None every one.
    """

    block: str
    keys: tuple[int, ...] | Removed
    queries: tuple[int, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is removed."""
        return self.keys == () or self.queries == ()

    def ensure_inside(self, query_grid: Grid, key_grid: Grid) -> None:
        """Check the cells.

        Raises:
            CellOutsideGrid: a key or a query is not a cell of the block.
        """
        keys = () if isinstance(self.keys, str) else self.keys
        for name, cells, grid in (("key", keys, key_grid), ("query", self.queries or (), query_grid)):
            for cell in cells:
                if not 0 <= cell < grid.cells:
                    raise CellOutsideGrid(
                        f"{name} {cell} is outside the grid {grid.t}x{grid.h}x{grid.w} of {grid.cells} cells"
                    )
