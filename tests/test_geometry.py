"""Clip points and cells: a pair of conversions and its inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonlocal_core.errors import CellOutsideGrid, PointOutsideClip
from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, cell_at, cell_of, centre_of, flat_index, span_of

GRIDS = [Grid(16, 28, 28), Grid(8, 14, 14), Grid(5, 3, 7)]

grids = st.builds(Grid, st.integers(1, 9), st.integers(1, 30), st.integers(1, 30))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_centre_of_every_cell_lies_in_that_cell(grid):
    for index in range(grid.cells):
        cell = cell_of(grid, index)
        assert cell_at(grid, centre_of(grid, cell, 32), 32) == cell


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_flat_indices_run_through_columns_first_then_rows_then_time(grid):
    assert [flat_index(grid, cell_of(grid, i)) for i in range(grid.cells)] == list(range(grid.cells))
    assert cell_of(grid, 1) == GridPoint(0, 0, 1)
    assert cell_of(grid, grid.w) == GridPoint(0, 1, 0)
    assert cell_of(grid, grid.w * grid.h) == GridPoint(1, 0, 0)


def test_x_chooses_the_column_and_y_the_row():
    assert cell_at(Grid(4, 2, 10), ClipPoint(0, x=0.95, y=0.1), 8) == GridPoint(0, h=0, w=9)


@given(grids, st.integers(9, 64), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.data())
def test_a_point_lies_in_the_span_of_its_cell(grid, frames, x, y, data):
    point = ClipPoint(data.draw(st.integers(0, frames - 1)), x, y)

    span = span_of(grid, cell_at(grid, point, frames), frames)

    assert span.first <= point.frame <= span.last
    assert span.left - 1e-12 <= x <= span.right + 1e-12
    assert span.top - 1e-12 <= y <= span.bottom + 1e-12


@given(grids, st.integers(9, 64))
def test_the_spans_of_cells_in_time_tile_the_frames(grid, frames):
    spans = [span_of(grid, GridPoint(t, 0, 0), frames) for t in range(grid.t)]

    covered = [frame for span in spans for frame in range(span.first, span.last + 1)]

    assert covered == list(range(frames))


@pytest.mark.parametrize(
    "point", [ClipPoint(32, 0.5, 0.5), ClipPoint(-1, 0.5, 0.5), ClipPoint(0, 1.0, 0.5), ClipPoint(0, 0.5, -0.1),
              ClipPoint(0, float("nan"), 0.5)],
)  # fmt: skip
def test_a_point_outside_the_clip_is_refused(point):
    with pytest.raises(PointOutsideClip):
        cell_at(Grid(8, 14, 14), point, 32)


def test_a_cell_outside_its_grid_is_refused():
    with pytest.raises(CellOutsideGrid, match="outside the grid 8x14x14"):
        flat_index(Grid(8, 14, 14), GridPoint(0, 14, 0))
    with pytest.raises(CellOutsideGrid, match="1568 cells"):
        cell_of(Grid(8, 14, 14), 8 * 14 * 14)
