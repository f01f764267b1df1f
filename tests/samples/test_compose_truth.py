"""Clips composed for measuring: read as truth, the same for a seed, and of another look for another."""

import numpy as np
import pytest

pytest.importorskip("skimage", reason="clips are composed from scikit-image's photographs")

from compose_truth import FRAMES, first_seen, truth_recipe, write_clip
from samples.clip_file import read_video
from samples.compose import Truth, compose

from nonlocal_core.learn.truth import truth_clips


def test_a_composed_clip_is_read_as_truth_of_two_objects_that_the_network_sees(tmp_path):
    recipe = truth_recipe(0, 1)

    write_clip(recipe, tmp_path)

    clips = list(truth_clips(tmp_path))
    video = read_video(clips[0].video)
    assert len(clips) == 2
    for clip in clips:
        assert clip.object.shape == video.shape[:3] == (FRAMES, 256, 456)
        assert 0.005 < clip.object.mean() < 0.2
        inside, outside = (video[8][clip.object[8] == value].mean(0) for value in (1, 0))
        assert np.abs(inside - outside).max() > 10  # it does not look like the rest of the frame


def test_a_seed_and_a_number_give_one_clip_and_others_give_another():
    first, again, other = (compose(truth_recipe(*each), [0])[0] for each in ((0, 2), (0, 2), (1, 2)))

    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5


def test_the_suggested_question_asks_where_the_object_is_seen():
    hidden, half, whole = Truth(None, 0.0), Truth((0, 0, 4, 4), 0.4), Truth((0, 0, 8, 8), 0.9)

    assert first_seen({"ball": [hidden, half, whole]}) == ("ball", 2)
    assert first_seen({"ball": [hidden, half], "cup": [hidden, hidden]}) == ("ball", 1)
