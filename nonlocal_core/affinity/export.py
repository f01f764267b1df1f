"""An answer as a file that other programs read: CSV (the arrows, or the whole map of values) and NPZ (all of it)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.query import Answer, Query
from nonlocal_core.geometry import cell_of, centre_of

ARROW_COLUMNS = (
    "rank", "weight", "mass", "start_t", "start_h", "start_w", "end_t", "end_h", "end_w", "frame", "x", "y", "time_s",
)  # fmt: skip


def arrows_csv(field: AffinityField, query: Query, found: Answer, times_s: Sequence[float]) -> str:
    """One line an arrow, best first: its cells on both grids, and its end as frame, fractions of the crop, seconds."""
    grid = field.answering_grid(query.direction)

    def line(rank: int) -> list[Any]:
        arrow = found.arrows[rank]
        end = centre_of(grid, arrow.end, len(times_s))
        cells = (getattr(cell, axis) for cell in (arrow.start, arrow.end) for axis in "thw")
        return [arrow.rank, repr(arrow.weight), repr(arrow.mass), *cells, end.frame, end.x, end.y, times_s[end.frame]]

    return _csv(ARROW_COLUMNS, (line(rank) for rank in range(len(found.arrows))))


def values_csv(field: AffinityField, query: Query, found: Answer) -> str:
    """One line a cell of the answering grid, in time-major order: its place and its value."""
    grid = field.answering_grid(query.direction)
    cells = (cell_of(grid, n) for n in range(grid.cells))
    lines = ([cell.t, cell.h, cell.w, value] for cell, value in zip(cells, found.values.tolist(), strict=True))
    return _csv(("t", "h", "w", "value"), lines)


def answer_npz(field: AffinityField, query: Query, found: Answer, times_s: Sequence[float]) -> bytes:
    """`values` [T, H, W]; of the arrows `weight` [n], `mass` [n], `start` and `end` [n, 3] as t, h, w; `times_s` [T'].

    `query` is the question as JSON; `theta`, `phi` and the other numbers of the block are in `field_npz`.
    """
    grid = field.answering_grid(query.direction)
    return _npz(
        values=found.values.reshape(grid.t, grid.h, grid.w),
        weight=np.array([arrow.weight for arrow in found.arrows], np.float32),
        mass=np.array([arrow.mass for arrow in found.arrows]),
        start=np.array([astuple(arrow.start) for arrow in found.arrows], np.int64).reshape(-1, 3),
        end=np.array([astuple(arrow.end) for arrow in found.arrows], np.int64).reshape(-1, 3),
        times_s=np.array(times_s),
        query=np.array(json.dumps(asdict(query))),
    )


def field_npz(field: AffinityField) -> bytes:
    """theta [T, H, W, C] and phi [T', H', W', C] as they are kept, `scale`, `kind`, and what else is known per cell."""
    query, key = ((grid.t, grid.h, grid.w) for grid in (field.query_grid, field.key_grid))
    known: dict[str, NDArray[Any]] = {"log_sum_exp": field.log_sum_exp.reshape(query)} if field.has_softmax else {}
    if field.carried is not None and field.added is not None:
        known |= {"carried": field.carried.reshape(key), "added": field.added.reshape(query)}
    return _npz(
        theta=field.theta.reshape(*query, -1),
        phi=field.phi.reshape(*key, -1),
        scale=np.float64(field.scale),
        kind=np.array(field.kind),
        groups=np.array([field.groups.t, field.groups.h, field.groups.w]),
        mean_row=field.mean("forward").reshape(key),
        mean_column=field.mean("reverse").reshape(query),
        **known,
    )


def _csv(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return out.getvalue()


def _npz(**arrays: NDArray[Any] | np.generic) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()
