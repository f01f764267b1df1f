"""Ranking: the highest first, equal ones by index, ends on the right grid."""

import numpy as np
import pytest

from nonlocal_core.affinity.arrows import top_indices
from nonlocal_core.affinity.query import Query, answer
from nonlocal_core.errors import PointOutsideClip
from nonlocal_core.geometry import ClipPoint, GridPoint, centre_of, flat_index


def ask(field, cell, k, direction="forward"):
    grid = field.asking_grid(direction)
    return answer(field, Query("b", centre_of(grid, cell, 8), k=k, direction=direction), 8).arrows


def test_the_highest_weights_come_first_and_ties_in_the_order_of_cells():
    weights = np.array([0.1, 0.3, 0.2, 0.3, 0.1, 0.1], np.float32)

    assert top_indices(weights, 4).tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_arrows_carry_the_weights_of_their_cells(make_field, direction):
    field = make_field()
    asked = GridPoint(1, 0, 2)

    arrows = ask(field, asked, 5, direction)

    weights = field.weights(asked, direction)
    assert [arrow.weight for arrow in arrows] == sorted(weights.tolist(), reverse=True)[:5]
    for arrow in arrows:
        assert arrow.weight == weights[flat_index(field.answering_grid(direction), arrow.end)]
    assert arrows[-1].mass == pytest.approx(sum(arrow.weight for arrow in arrows))


def test_asking_for_more_arrows_than_cells_gives_them_all(make_field):
    field = make_field()

    assert len(ask(field, GridPoint(0, 0, 0), 1000)) == field.key_grid.cells


def test_a_reverse_question_is_asked_on_the_keys_grid(make_field):
    field = make_field()  # queries 2x4x6, keys 2x2x3

    arrows = answer(field, Query("b", ClipPoint(0, x=0.99, y=0.99), direction="reverse"), frames=8).arrows

    assert arrows[0].start == GridPoint(0, 1, 2)


def test_a_question_outside_the_clip_is_refused(make_field):
    with pytest.raises(PointOutsideClip, match="frame 8 is outside the clip; it has frames 0 to 7"):
        answer(make_field(), Query("b", ClipPoint(8, 0.5, 0.5)), frames=8)
