from __future__ import annotations

import numpy as np
import pytest

from nonlocal_core.errors import QueryError
from nonlocal_core.video import crop_clip, normalise

RNG = np.random.default_rng(5)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("height", "width", "top", "left"), [(6, 9, 1, 2), (9, 6, 2, 1), (4, 4, 0, 0), (5, 4, 0, 0)], ids=str
)
def test_the_crop_is_the_middle(height, width, top, left):
    rgb = RNG.integers(0, 256, (2, height, width, 3), dtype=np.uint8)

    cropped = crop_clip(rgb, 4)

    assert (cropped == rgb[:, top : top + 4, left : left + 4]).all()
    assert cropped.flags.c_contiguous


@pytest.mark.parametrize(("height", "width"), [(3, 9), (9, 3)])
def test_frames_smaller_than_the_crop_are_refused(height, width):
    with pytest.raises(QueryError, match=f"{width}×{height}"):
        crop_clip(np.zeros((2, height, width, 3), np.uint8), 4)


def test_normalising_is_the_formula_written_longhand():
    clip = RNG.integers(0, 256, (3, 2, 2, 3), dtype=np.uint8)

    normal = normalise(clip, MEAN, STD)

    assert (normal.shape, normal.dtype) == ((1, 3, 3, 2, 2), np.float32)
    assert normal.flags.c_contiguous
    for t, y, x, colour in np.ndindex(3, 2, 2, 3):
        expected = (clip[t, y, x, colour] / 255 - MEAN[colour]) / STD[colour]
        assert normal[0, colour, t, y, x] == pytest.approx(expected, abs=1e-6)


def test_an_even_mean_and_spread_map_0_and_255_to_minus_and_plus_one():
    ends = np.array([0, 255], np.uint8).repeat(3).reshape(2, 1, 1, 3)

    assert normalise(ends, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))[0, :, :, 0, 0].tolist() == [[-1, 1]] * 3
