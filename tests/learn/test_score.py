"""The score of arrows: perfect, blind, and measured on clips with known truth."""

import numpy as np
import pytest

from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.geometry import Grid
from nonlocal_core.learn.score import format_scorecard, mean_score, other_frames, pixel_field, score_field, scorecard
from nonlocal_core.learn.truth import coverage_of_cells, truth_clips

QUERIES, KEYS = Grid(4, 8, 8), Grid(4, 4, 4)


def moving_square() -> np.ndarray:
    """A quarter of the crop that moves right, one key cell in each time step: [8, 32, 32]."""
    crop = np.zeros((8, 32, 32), np.float32)
    for frame in range(8):
        crop[frame, 8:24, 8 * (frame // 2) : 8 * (frame // 2) + 8] = 1
    return crop


def field_that_knows(crop, *, sharpness: float) -> AffinityField:
    """theta and phi are the truth itself: object with object, rest with rest."""
    operands = [np.stack([c, 1 - c], 1) for c in (coverage_of_cells(crop, QUERIES), coverage_of_cells(crop, KEYS))]
    return AffinityField("embedded_gaussian", sharpness, QUERIES, KEYS, *operands)


def test_arrows_that_know_the_object_hit_it_as_often_as_it_has_cells():
    crop = moving_square()

    score = mean_score(score_field(field_that_knows(crop, sharpness=20), crop))

    assert score.hit == pytest.approx(6 / 20)  # only 2 cells in each of the 3 other steps are object
    assert score.mass > 0.99
    assert score.chance == pytest.approx(2 / 16)


def test_blind_arrows_score_chance():
    crop = moving_square()

    score = mean_score(score_field(field_that_knows(crop, sharpness=0), crop))

    assert score.mass == pytest.approx(score.chance)
    assert score.entropy == pytest.approx(1)


def test_keys_that_share_a_frame_with_the_query_do_not_count(make_field):
    field = make_field(query_grid=Grid(4, 2, 2), key_grid=Grid(2, 1, 1))

    assert other_frames(field, 0).tolist() == [False, True]
    assert other_frames(field, 3).tolist() == [True, False]


def test_arrows_of_raw_pixels_follow_a_colour(make_field):
    rgb = np.zeros((8, 32, 32, 3), np.uint8)
    crop = moving_square()
    rgb[crop > 0] = (250, 20, 20)
    like = make_field(query_grid=QUERIES, key_grid=KEYS)

    score = mean_score(score_field(pixel_field(rgb, like), crop))

    assert score.hit == pytest.approx(6 / 20)


def test_the_score_is_measured_on_clips_with_known_truth(model, sample, tmp_path):
    for path in sample.parent.glob("two-cups.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    told = []

    card = scorecard({"default": model}, truth_clips(tmp_path), told.append)

    assert told == ["two-cups: far cup", "two-cups: near cup", "two-cups: ball"]
    assert set(card) == {"default", "pixels"}
    for score in card["default"].values():
        assert score.queries > 20
        assert score.hit > 1.2 * score.chance
    assert "mixed_4f" in format_scorecard(card)
