"""Questions, whole: every choice against the same thing written out, and the numbers that the page is held to."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nonlocal_core.affinity.arrows import MOST_ARROWS
from nonlocal_core.affinity.query import Near, Query, answer
from nonlocal_core.affinity.store import field_from_bytes
from nonlocal_core.errors import InvalidQuery
from nonlocal_core.geometry import ClipPoint, Grid, GridPoint, cell_of, centre_of, span_of

FRAMES = 8
GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures" / "query.json").read_text())


@pytest.fixture
def field(make_field):
    """Queries 2x4x6, keys 2x2x3, with what the keys carry."""
    plain = make_field()
    return replace(plain, carried=np.linspace(0.1, 2, plain.key_grid.cells, dtype=np.float32))


def at(grid: Grid, t: int, h: int, w: int) -> ClipPoint:
    return centre_of(grid, GridPoint(t, h, w), FRAMES)


def ask(field, **choices):
    grid = field.asking_grid(choices.get("direction", "forward"))
    return answer(field, Query("b", at(grid, 1, 1, 1), **choices), FRAMES)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_the_answer_is_the_one_written_out_in_numpy(case):
    field = field_from_bytes(base64.b64decode(case["safetensors"]), "res3_1")
    choices = case["query"]
    near = Near(**choices["near"]) if choices["near"] else None
    points = {name: ClipPoint(**point) for name in ("point", "to") if (point := choices.get(name))}

    found = answer(field, Query(**choices | points | {"near": near}), case["frames"])

    np.testing.assert_allclose(found.values, case["values"], rtol=2e-4, atol=2e-6)
    assert [(vars(arrow.start), vars(arrow.end)) for arrow in found.arrows] == [
        (told["start"], told["cell"]) for told in case["top"]
    ]
    assert [arrow.weight for arrow in found.arrows] == pytest.approx(
        [told["weight"] for told in case["top"]], rel=1e-4, abs=1e-6
    )
    assert [arrow.mass for arrow in found.arrows] == pytest.approx(
        [told["mass"] for told in case["top"]], rel=1e-4, abs=1e-6
    )


def test_a_region_is_the_mean_or_the_maximum_of_its_rows(field):
    cells = [GridPoint(1, h, w) for h in (1, 2) for w in (1, 2, 3)]
    rows = np.stack([field.row(cell) for cell in cells])
    to = at(field.query_grid, 1, 2, 3)

    np.testing.assert_allclose(ask(field, to=to).values, rows.mean(0), rtol=1e-5)
    np.testing.assert_array_equal(ask(field, to=to, pool="max").values, rows.max(0))
    assert ask(field, to=to).cells == cells


def test_each_cell_for_itself_gives_the_highest_of_all_pairs_with_their_own_starts(field):
    to = at(field.query_grid, 0, 2, 3)  # corners in any order
    cells = [GridPoint(t, h, w) for t in (0, 1) for h in (1, 2) for w in (1, 2, 3)]
    pairs = [(float(p), cell, n) for cell in cells for n, p in enumerate(field.row(cell))]
    best = sorted(pairs, key=lambda pair: -pair[0])[:20]

    arrows = ask(field, to=to, pool="each").arrows

    assert [(arrow.weight, arrow.start) for arrow in arrows] == [(p, cell) for p, cell, _ in best]
    assert [arrow.end for arrow in arrows] == [field.cell(n) for _, _, n in best]
    assert arrows[-1].mass == pytest.approx(sum(p for p, _, _ in best) / len(cells))


def test_a_contribution_is_the_weight_times_what_the_key_carries(field):
    point = GridPoint(1, 1, 1)

    np.testing.assert_allclose(ask(field, value="contribution").values, field.row(point) * field.carried)
    column = ask(field, value="contribution", direction="reverse").values
    np.testing.assert_allclose(column, field.column(point) * field.carried[10], rtol=1e-6)


def test_minus_the_mean_leaves_nothing_of_what_all_questions_share(field):
    every = [Query("b", centre_of(field.query_grid, cell_of(field.query_grid, n), FRAMES), minus_mean=True)
             for n in range(field.query_grid.cells)]  # fmt: skip

    special = np.stack([answer(field, query, FRAMES).values for query in every])

    np.testing.assert_allclose(special.mean(0), 0, atol=1e-7)
    assert np.abs(special).max() > 0.01


@pytest.mark.parametrize("percent", [1, 30, 75, 100])
def test_by_mass_no_arrow_could_be_spared(field, percent):
    row = np.sort(field.row(GridPoint(1, 1, 1)).astype(np.float64))[::-1]

    arrows = ask(field, mass=percent).arrows

    fewest = int(np.searchsorted(np.cumsum(row), percent / 100 * row.sum() - 1e-7)) + 1
    assert len(arrows) == min(fewest, len(row))


def test_the_most_there_can_be_by_mass(make_field):
    field = make_field(scale=0.0, query_grid=Grid(1, 1, 1), key_grid=Grid(4, 20, 20))

    assert len(answer(field, Query("b", ClipPoint(0, 0.5, 0.5), mass=100), FRAMES).arrows) == MOST_ARROWS


@pytest.mark.parametrize(
    ("when", "steps"), [("same", {1}), ("others", {0}), ("0-3", {0}), ("3-4", {0, 1}), ("all", {0, 1})]
)
def test_answers_lie_in_the_wanted_frames(field, when, steps):
    assert {arrow.end.t for arrow in ask(field, when=when).arrows} == steps


def test_the_neighbourhood_is_what_the_cell_touches_and_a_margin_around_it(field):
    def left_out(**near):
        ends = {arrow.end for arrow in ask(field, near=Near(**near)).arrows}
        return {cell_of(field.key_grid, n) for n in range(field.key_grid.cells)} - ends

    assert left_out(cells=0, frames=0) == {GridPoint(1, 0, 0)}  # query cell 1, 1 lies in key cell 0, 0
    assert left_out(cells=1, frames=0) == {GridPoint(1, h, w) for h in (0, 1) for w in (0, 1)}
    assert left_out(cells=0, frames=1) == {GridPoint(0, 0, 0), GridPoint(1, 0, 0)}  # a frame away: the step before
    assert span_of(field.key_grid, GridPoint(0, 0, 0), FRAMES).last == 3


def test_leaving_out_everything_gives_no_arrows(field):
    assert ask(field, near=Near(99, 99)).arrows == []
    assert ask(field, near=Near(99, 99), mass=50).arrows == []


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"k": 0}, "at least one"),
        ({"mass": 0.0}, "above 0"),
        ({"mass": 101.0}, "up to 100"),
        ({"mass": float("nan")}, "percentage"),
        ({"when": "9-8"}, "8-15"),
        ({"when": "soon"}, "others"),
        ({"near": Near(-1, 0)}, "from 0 on"),
    ],
)
def test_a_question_out_of_range_is_refused_in_words(field, choices, words):
    with pytest.raises(InvalidQuery, match=words):
        ask(field, **choices)


def test_what_is_not_known_of_a_block_is_refused_in_words(make_field):
    with pytest.raises(InvalidQuery, match="analyse it again"):
        ask(make_field(), value="contribution")


def test_a_region_of_too_many_cells_is_refused(make_field):
    field = make_field(query_grid=Grid(4, 28, 28))

    with pytest.raises(InvalidQuery, match="3136 cells of b; ask with at most 1024"):
        answer(field, Query("b", ClipPoint(0, 0, 0), to=ClipPoint(7, 0.99, 0.99)), FRAMES)
