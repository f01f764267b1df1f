"""The score of arrows and of rows: perfect, blind, collapsed, and cells that do not divide the picture."""

from itertools import combinations

import numpy as np
import pytest

from nonlocal_core.affinity.arrows import TOP_ARROWS, top_indices
from nonlocal_core.affinity.field import WHOLE, AffinityField
from nonlocal_core.geometry import Grid, cell_of
from nonlocal_core.learn.baselines import pixel_field
from nonlocal_core.learn.cells import cell_means, coverage
from nonlocal_core.learn.rows import Rows, mean_rows, rows_of
from nonlocal_core.learn.score import mean_score, other_frames, score_field

QUERIES, KEYS = Grid(4, 8, 12), Grid(4, 4, 6)  # of a picture that is wider than high


def moving_square() -> np.ndarray:
    """A part of the picture that moves right, one key cell in each time step: [8, 32, 48]."""
    crop = np.zeros((8, 32, 48), np.float32)
    for frame in range(8):
        crop[frame, 8:24, 8 * (frame // 2) : 8 * (frame // 2) + 8] = 1
    return crop


def field_that_knows(crop, *, sharpness: float, groups: Grid = WHOLE) -> AffinityField:
    """theta and phi are the truth itself: object with object, rest with rest."""
    operands = [np.stack([c, 1 - c], 1) for c in (coverage(crop, grid, QUERIES) for grid in (QUERIES, KEYS))]
    return AffinityField("embedded_gaussian", sharpness, QUERIES, KEYS, *operands, groups=groups)


def field_of_rows(rows: np.ndarray, queries: Grid, keys: Grid) -> AffinityField:
    """A field with these rows, [Q, K], each of which sums to 1."""
    theta, phi = np.log(rows + 1e-30).astype(np.float32), np.eye(keys.cells, dtype=np.float32)
    return AffinityField("embedded_gaussian", 1.0, queries, keys, theta, phi)


def test_arrows_that_know_the_object_hit_it_as_often_as_it_has_cells():
    crop = moving_square()

    score = mean_score(score_field(field_that_knows(crop, sharpness=20), crop))

    assert score.hit == pytest.approx(6 / 20)  # only 2 cells in each of the 3 other steps are object
    assert score.mass > 0.99
    assert score.chance == pytest.approx(2 / 24)
    assert score.lift == pytest.approx(0.3 * 12)


def test_blind_arrows_score_chance():
    crop = moving_square()

    score = mean_score(score_field(field_that_knows(crop, sharpness=0), crop))

    assert score.mass == pytest.approx(score.chance)
    assert score.entropy == pytest.approx(1)


def test_keys_that_share_a_frame_with_the_query_do_not_count(make_field):
    field = make_field(query_grid=Grid(4, 2, 2), key_grid=Grid(2, 1, 1))

    assert other_frames(field, 0).tolist() == [False, True]
    assert other_frames(field, 3).tolist() == [True, False]


def test_keys_of_other_groups_are_no_candidates():
    crop = moving_square()
    crop[4:] = 1  # in the second half the object is everywhere, but no arrow of the first half may end there

    scores = score_field(field_that_knows(crop, sharpness=0, groups=Grid(2, 1, 1)), crop)

    assert {round(score.chance, 3) for score in scores} == {0.083, 1.0}


def test_a_block_that_looks_at_its_own_frame_only_has_no_score():
    crop = moving_square()

    score = mean_score(score_field(field_that_knows(crop, sharpness=1, groups=Grid(4, 1, 1)), crop))

    assert score.queries == 0
    assert np.isnan(score.hit)


def test_arrows_of_raw_pixels_follow_a_colour(make_field):
    crop = moving_square()
    rgb = np.zeros((8, 32, 48, 3), np.uint8)
    rgb[crop > 0] = (250, 20, 20)
    like = make_field(query_grid=QUERIES, key_grid=KEYS)

    score = mean_score(score_field(pixel_field(rgb, like), crop))

    assert score.hit == pytest.approx(6 / 20)


def test_raw_pixels_are_compared_by_the_distance_of_4x4_mean_colours(make_field):
    rgb = np.random.default_rng(0).integers(0, 256, (8, 32, 48, 3), np.uint8)
    field = pixel_field(rgb, make_field(query_grid=QUERIES, key_grid=KEYS))

    a = rgb[2:4, 4:8, 8:12].mean(0) / 255  # query (1, 1, 2): 4x4 pixels, so each patch is one of them
    b = rgb[4:6, 8:16, 0:8].mean(0).reshape(4, 2, 4, 2, 3).mean((1, 3)) / 255  # key (2, 1, 0)
    other = rgb[0:2, 0:8, 0:8].mean(0).reshape(4, 2, 4, 2, 3).mean((1, 3)) / 255  # key (0, 0, 0)

    row = field.row(cell_of(QUERIES, 1 * 96 + 1 * 12 + 2))
    assert np.log(row[2 * 24 + 6] / row[0]) == pytest.approx(((a - other) ** 2).sum() - ((a - b) ** 2).sum(), abs=1e-4)


def test_a_key_covers_the_query_cells_that_were_pooled_and_an_odd_last_one_belongs_to_none():
    picture = np.zeros((1, 6, 6, 1), np.float32)
    picture[0, 4:, :] = picture[0, :, 4:] = 9  # the third of three query cells, dropped by 2x2 pooling
    picture[0, 0, 0] = 16

    means = cell_means(picture, Grid(1, 1, 1), Grid(1, 3, 3))

    assert means.tolist() == [[pytest.approx(1)]]  # 16 over 4x4 pixels


def test_cells_that_cut_pixels_take_their_parts():
    picture = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1)

    means = cell_means(picture, Grid(1, 1, 2), Grid(1, 1, 2))

    assert means[:, 0].tolist() == pytest.approx([(0 + 1 + 2 / 2) / 2.5, (2 / 2 + 3 + 4) / 2.5])


def test_patches_of_a_cell_come_in_rows_then_columns():
    picture = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1)

    means = cell_means(picture, Grid(1, 1, 2), Grid(1, 1, 2), side=2)

    assert means.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_rows_that_are_all_alike_have_no_distance_and_one_top_20(make_field):
    field = make_field(query_grid=Grid(2, 4, 4), key_grid=Grid(2, 4, 4))
    field.theta[:] = field.theta[0]

    rows = rows_of(field)

    assert rows.distance == pytest.approx(0, abs=1e-6)
    assert rows.overlap == 1


def test_rows_without_a_common_key_are_at_distance_1_and_their_steps_are_counted():
    grid = Grid(2, 2, 2)
    own_cell = np.eye(8)

    rows = rows_of(field_of_rows(own_cell, grid, grid))

    assert rows.distance == pytest.approx(1)
    assert rows.by_step == pytest.approx((1, 0))
    assert rows.evenly == pytest.approx((0.5, 0.5))


def test_distance_and_common_top_20_of_rows_are_those_written_out(make_field):
    queries, keys = Grid(3, 2, 2), Grid(3, 4, 4)
    field = make_field(query_grid=queries, key_grid=keys)
    rows = [field.row(cell_of(queries, i)) for i in range(12)]
    tops = [set(top_indices(row, TOP_ARROWS).tolist()) for row in rows]

    found = rows_of(field)

    pairs = list(combinations(range(12), 2))
    assert found.distance == pytest.approx(np.mean([abs(rows[i] - rows[j]).sum() / 2 for i, j in pairs]), rel=1e-5)
    assert found.overlap == pytest.approx(np.mean([len(tops[i] & tops[j]) / 20 for i, j in pairs]))
    at_2 = [rows[i][32:].sum() for i in range(4)] + [rows[i][:16].sum() for i in range(8, 12)]
    assert found.by_step[2] == pytest.approx(sum(at_2) / 12, rel=1e-5)
    assert sum(found.by_step) == pytest.approx(1)


def test_rows_of_clips_are_averaged():
    one, other = Rows(0.2, 0.5, (1.0, 0.0), (0.5, 0.5)), Rows(0.4, 0.1, (0.0, 1.0), (0.5, 0.5))

    assert mean_rows([one, other]) == Rows(pytest.approx(0.3), pytest.approx(0.3), (0.5, 0.5), (0.5, 0.5))
