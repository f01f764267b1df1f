"""Motion: a square that moves against its background is found, and the background's own motion is not mistaken."""

import sys

import numpy as np
import pytest

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.learn.motion import motion_of, opencv
from tests.learn.moving import PAN, STEP, panned, square_clip, square_mask, texture

pytest.importorskip("cv2", reason="pip install 'nonlocal-lens[train]'")

LARGE = {"size": 96, "side": 40}  # small things are smoothed away in part, so their speed is understated


def in_cells(mask, cell):
    """The share of each cell: [T, S, S] -> [T, S / cell, S / cell]."""
    t, side = len(mask), mask.shape[1] // cell
    return mask.reshape(t, side, cell, side, cell).mean((2, 4))


@pytest.mark.parametrize("seed", range(3))
def test_what_moves_by_itself_is_the_square(seed):
    motion = motion_of(square_clip(seed))

    on, off = (in_cells(mask[:-1], 4) == 1 for mask in (square_mask(), ~square_mask()))
    moves = motion.residual > motion.threshold_px
    assert motion.understood
    assert moves[on].mean() > 0.9
    assert moves[off].mean() < 0.06  # flow is smooth, so the square's edge bleeds a few pixels


def test_flow_says_where_square_and_background_go_in_fractions_of_the_crop():
    flow = 96 * motion_of(square_clip(0, **LARGE)).flow.astype(np.float32)

    on, off = (in_cells(mask[:-1], 8) == 1 for mask in (square_mask(**LARGE), ~square_mask(**LARGE)))
    assert np.allclose(np.median(flow[on], 0), [STEP, 0], atol=0.25)
    assert np.allclose(np.median(flow[off], 0), [-PAN, 0], atol=0.1)


def test_residual_is_the_motion_relative_to_the_camera():
    residual = motion_of(square_clip(0, **LARGE)).residual.astype(np.float32)

    on = in_cells(square_mask(**LARGE)[:-1], 4) == 1
    assert np.median(residual[on]) == pytest.approx(STEP + PAN, abs=0.3)


@pytest.mark.parametrize("clip", [panned(0), np.repeat(panned(0)[:1], 4, 0)], ids=["panned", "still"])
def test_a_camera_that_pans_or_rests_moves_nothing_by_itself(clip):
    motion = motion_of(clip)

    assert motion.inliers > 0.95
    assert (motion.residual > motion.threshold_px).mean() < 0.02


def test_a_repeated_frame_that_was_coded_anew_is_still():
    frame = panned(0)[0].clip(2, 253)

    motion = motion_of(np.stack([frame, frame + 2, frame]))

    assert not motion.flow.any()
    assert not motion.residual.any()
    assert motion.inliers == 1


def test_where_no_motion_is_the_cameras_nothing_is_believed():
    shifts = [(1, 1), (-1, 1), (1, -1), (-1, -1)]  # of four quarters, in opposite directions
    clip = np.zeros((6, 64, 64, 3), np.uint8)
    for t, frame in enumerate(clip):
        for n, (down, right) in enumerate(shifts):
            y, x, top, left = 16 + 2 * t * down, 16 + 2 * t * right, n // 2 * 32, n % 2 * 32
            frame[top : top + 32, left : left + 32] = texture(n, 64)[y : y + 32, x : x + 32]

    assert not motion_of(clip).understood


def test_residuals_stay_finite_under_a_wild_homography(monkeypatch):
    wild = np.diag([1e6, 1e6, 1.0])
    monkeypatch.setattr(opencv(), "findHomography", lambda *_, **__: (wild, np.ones(9)))

    assert motion_of(square_clip(0, frames=2)).residual.max() == 64  # the crop's side


def test_without_opencv_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(TrainingFailed, match=r"pip install 'nonlocal-lens\[train\]'"):
        opencv()
