"""Measures against their formulas written out one number at a time, for all kinds, whole and in groups."""

from dataclasses import astuple, replace
from fractions import Fraction
from itertools import combinations
from math import ceil, floor, log

import numpy as np
import pytest

from nonlocal_core.affinity import shares as shares_module
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.measures import measure
from nonlocal_core.affinity.shares import mass_by_step, neighbourhood, other_frames, reachable, shares
from nonlocal_core.geometry import Grid, cell_at, cell_of, centre_of
from nonlocal_core.model.spec import Kind

QUERIES, KEYS = Grid(4, 4, 6), Grid(4, 2, 3)
WHOLE, GROUPS = Grid(1, 1, 1), [Grid(1, 1, 1), Grid(2, 1, 1), Grid(4, 1, 1), Grid(1, 2, 3)]


def rows_of(field: AffinityField) -> list[list[float]]:
    """|f| / sum |f|, from the rows that users see."""
    rows = [np.abs(field.row(cell_of(field.query_grid, i)).astype(np.float64)) for i in range(field.query_grid.cells)]
    return [(row / row.sum()).tolist() for row in rows]


def longhand(field: AffinityField) -> dict:
    """Everything that `measure` gives, by loops over cells; no row may be zero throughout."""
    rows, keys = rows_of(field), [cell_of(field.key_grid, j) for j in range(field.key_grid.cells)]
    steps, count = field.key_grid.t, len(rows)
    out = {"outside": 0.0, "outside_evenly": 0.0, "entropy": 0.0}
    by_step, evenly = [0.0] * (2 * steps - 1), [0.0] * (2 * steps - 1)
    for i, row in enumerate(rows):
        query = cell_of(field.query_grid, i)
        own = cell_at(field.key_grid, centre_of(field.query_grid, query, 32), 32)
        seen = set(field.reach(query, "forward").tolist())
        for j, key in enumerate(keys):
            even = 1 / len(seen) if j in seen else 0
            if max(abs(key.t - own.t), abs(key.h - own.h), abs(key.w - own.w)) > 1:
                out["outside"] += row[j] / count
                out["outside_evenly"] += even / count
            by_step[key.t - own.t + steps - 1] += row[j] / count
            evenly[key.t - own.t + steps - 1] += even / count
            if row[j] > 0:
                out["entropy"] -= row[j] * log(row[j]) / log(len(seen)) / count
    of_key = [sum(row[j] for row in rows) / count for j in range(len(keys))]
    pairs = [sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2 for p, q in combinations(rows, 2)]
    best = sorted(range(len(keys)), key=lambda j: -of_key[j])
    return out | {
        "by_step": by_step,
        "by_step_evenly": evenly,
        "of_key": of_key,
        "best": best,
        "hub_mass": sum(of_key[j] for j in best[: ceil(len(keys) / 100)]),
        "pairs": pairs,
    }


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize("kind", Kind.__args__)
def test_measures_are_their_formulas_written_out(make_field, kind, groups, monkeypatch):
    field = replace(make_field(kind, query_grid=QUERIES, key_grid=KEYS), groups=groups)
    if kind == "concatenation":
        field.theta[:], field.phi[:] = np.abs(field.theta), np.abs(field.phi)  # so that no row is zero throughout
    monkeypatch.setattr(shares_module, "_CHUNK", 10)  # 96 queries: several chunks, the last one short
    expected = longhand(field)

    found = measure(field)

    assert (found.queries, found.silent) == (96, 0)
    for name in ("outside", "outside_evenly", "entropy", "hub_mass"):
        assert getattr(found, name) == pytest.approx(expected[name], rel=1e-4, abs=1e-6), name
    assert found.by_step == pytest.approx(expected["by_step"], rel=1e-4, abs=1e-6)
    assert found.by_step_evenly == pytest.approx(expected["by_step_evenly"], rel=1e-4, abs=1e-6)
    assert sum(found.by_step) == pytest.approx(1, abs=1e-5)
    assert [hub.cell for hub in found.hubs] == [cell_of(KEYS, j) for j in expected["best"][:8]]
    assert [hub.mass for hub in found.hubs] == pytest.approx(
        [expected["of_key"][j] for j in expected["best"][:8]], rel=1e-4
    )


def test_query_dependence_is_the_mean_distance_of_all_pairs_where_all_rows_are_drawn(make_field):
    field = make_field(query_grid=Grid(3, 2, 4), key_grid=Grid(3, 2, 2))

    assert measure(field).dependence == pytest.approx(np.mean(longhand(field)["pairs"]), rel=1e-5)


def test_rows_that_are_all_alike_do_not_depend_on_the_query_and_rows_without_a_common_key_do(make_field):
    alike = make_field(query_grid=KEYS, key_grid=KEYS)
    alike.theta[:] = alike.theta[0]
    own = np.eye(KEYS.cells, dtype=np.float32)
    apart = AffinityField("embedded_gaussian", 50.0, KEYS, KEYS, own, own)

    assert measure(alike).dependence == pytest.approx(0, abs=1e-6)
    assert measure(apart).dependence == pytest.approx(1, abs=1e-6)
    assert measure(apart).outside == pytest.approx(0, abs=1e-6)
    assert measure(apart).entropy == pytest.approx(0, abs=1e-6)


def test_an_even_block_measures_what_is_said_to_be_even(make_field):
    found = measure(make_field(scale=0.0, query_grid=QUERIES, key_grid=KEYS))

    assert found.outside == pytest.approx(found.outside_evenly)
    assert found.by_step == pytest.approx(found.by_step_evenly)
    assert found.entropy == pytest.approx(1)
    assert found.hub_mass == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    ("grid", "share"), [(Grid(4, 5, 5), 1 / 100), (Grid(5, 5, 5), 2 / 125), (KEYS, 1 / 24)], ids=str
)
def test_hub_mass_is_of_one_key_in_a_hundred_rounded_up(make_field, grid, share):
    even = make_field(scale=0.0, query_grid=grid, key_grid=grid)

    assert measure(even).hub_mass == pytest.approx(share, rel=1e-5)


def test_mass_in_the_future_lies_after_the_middle_of_the_array(make_field):
    field = make_field(query_grid=Grid(4, 1, 1), key_grid=Grid(4, 1, 1))
    weights = np.array([[0, 0, 0, 1.0]])  # query 1 looks at key 3, two steps later

    assert mass_by_step(field, np.array([1]), weights).tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_rows_that_are_zero_throughout_are_counted_and_left_out(make_field):
    field = make_field("concatenation", query_grid=QUERIES, key_grid=KEYS)
    field.phi[:] = np.abs(field.phi)
    field.theta[:] = np.abs(field.theta)
    lively = measure(field)
    field.theta[:24] *= -1  # the first time step: every logit is negative

    found = measure(field)

    assert (found.queries, found.silent) == (72, 24)
    assert sum(found.by_step) == pytest.approx(1, abs=1e-5)
    assert found.dependence > 0
    assert lively.silent == 0
    field.theta[24:] *= -1
    silent = measure(field)
    assert (silent.queries, silent.hubs) == (0, ())
    assert np.isnan([silent.dependence, silent.outside, silent.entropy, silent.hub_mass, *silent.by_step]).all()


@pytest.mark.parametrize("kind", Kind.__args__)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_grid_of_one_cell_is_no_trouble(make_field, kind, dtype):
    field = make_field(kind, query_grid=Grid(1, 1, 1), key_grid=Grid(1, 1, 1))
    field = replace(field, theta=np.abs(field.theta).astype(dtype), phi=np.abs(field.phi).astype(dtype))

    found = measure(field)

    assert (found.outside, found.entropy, found.by_step) == (0, 0, (1.0,))
    assert found.hubs[0].mass == pytest.approx(1)
    assert np.isnan(found.dependence)  # there is no pair


@pytest.mark.parametrize("kind", Kind.__args__)
def test_shares_do_not_overflow_and_do_not_leave_their_group(make_field, kind):
    field = replace(make_field(kind, scale=1e5, query_grid=QUERIES, key_grid=KEYS), groups=Grid(2, 1, 1))
    everyone = np.arange(QUERIES.cells)

    found = shares(field, everyone)

    assert np.isfinite(found).all()
    assert (found[~reachable(field, everyone)] == 0).all()


@pytest.mark.parametrize(
    ("queries", "keys"), [(Grid(4, 4, 6), Grid(2, 2, 3)), (Grid(2, 5, 7), Grid(4, 2, 3)), (KEYS, KEYS)], ids=str
)
def test_neighbours_are_cells_around_the_one_that_covers_the_centre(make_field, queries, keys):
    near = neighbourhood(make_field(query_grid=queries, key_grid=keys), np.arange(queries.cells))

    for i in range(queries.cells):
        query = cell_of(queries, i)
        own = [
            floor(Fraction(2 * place + 1, 2 * cells) * to)
            for place, cells, to in zip(astuple(query), astuple(queries), astuple(keys), strict=True)
        ]
        for j in range(keys.cells):
            away = max(abs(place - at) for place, at in zip(astuple(cell_of(keys, j)), own, strict=True))
            assert near[i, j] == (away <= 1)


def test_other_frames_of_many_queries_are_those_of_each(make_field):
    field = make_field(query_grid=Grid(4, 2, 2), key_grid=Grid(2, 1, 2))

    assert other_frames(field, 0).tolist() == [False, False, True, True]
    together = other_frames(field, np.arange(4))
    np.testing.assert_array_equal(together, [other_frames(field, t) for t in range(4)])
