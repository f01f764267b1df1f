"""Windows: which frames they are, what is left out, what is kept of a network, and what of each cell moves."""

import numpy as np
import pytest
import torch

from nonlocal_core.errors import TrainingFailed
from nonlocal_core.geometry import Grid
from nonlocal_core.learn.listing import read_listing
from nonlocal_core.learn.motion import Motion
from nonlocal_core.learn.windows import (
    Scene,
    clips_of,
    moving_shares,
    stage_outputs,
    window_frames,
    windows_of,
)
from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import BlockSpec
from nonlocal_core.video import normalise
from tests.learn.films import SPEC, broken_film, count_film
from tests.learn.moving import square_clip, square_films

STAGES = ("mixed_3c", "mixed_4b")
LITTLE = SPEC.model_copy(update={"size_px": 64, "short_side_px": 64, "frames": 16, "stride": 1})


@pytest.fixture(scope="module")
def network():
    """Random weights and a block that is not silent, which must not be run."""
    torch.manual_seed(0)
    block = BlockSpec(after="mixed_3b", kind="embedded_gaussian", norm="affine")
    model = Model(LITTLE.model_copy(update={"blocks": (block,)})).eval()
    for part in model.blocks["mixed_3b"].w_z:
        torch.nn.init.constant_(part.weight, 3.0)
    return model


def motion(residual, *, inliers=1.0):
    """Of a residual alone, in pixels."""
    residual = np.asarray(residual, np.float16)
    return Motion(np.zeros((len(residual), 2, 2, 2), np.float16), residual, inliers)


@pytest.mark.parametrize(
    ("count", "most", "starts"),
    [
        (16, 2, [0]),
        (37, 2, [0]),
        (38, 2, [0, 22]),  # 38 frames are more than 2 * 16 * 150 / 128
        (38, 1, [0]),
        (100, 2, [0, 84]),
        (57, 3, [0, 20, 41]),
    ],
)
def test_windows_lie_evenly_where_a_video_is_long_enough_for_them(count, most, starts):
    frames = window_frames(count, SPEC, most=most)

    assert frames.tolist() == [list(range(start, start + 16, 2)) for start in starts]


def test_a_window_that_would_repeat_frames_is_left_out(tmp_path):
    long, short = count_film(tmp_path / "long.avi", 15), count_film(tmp_path / "short.avi", 13)

    (clip,) = clips_of(long, SPEC, most=2)

    assert (clip[:, 0, 0, 0] // 2).tolist() == list(range(0, 15, 2))
    assert list(clips_of(short, SPEC, most=2)) == []


def test_stages_give_what_the_network_without_blocks_has_there(network):
    pytest.importorskip("cv2")
    found = {}
    bare = Model(LITTLE).eval()
    bare.stages.load_state_dict(network.stages.state_dict())
    for name in STAGES:
        bare.stages[name].register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out}))
    rgb = square_clip(0)
    with torch.no_grad():
        bare(torch.from_numpy(normalise(rgb, LITTLE.mean, LITTLE.std)))

    outputs = stage_outputs(network, rgb, STAGES)

    assert outputs.keys() == found.keys()
    for name, expected in found.items():
        assert outputs[name].shape == expected.shape
        assert (outputs[name].float() - expected).norm() < 0.02 * expected.norm()  # bfloat16 has eight bits


def test_features_motion_and_the_number_of_the_video_are_kept(network, tmp_path):
    pytest.importorskip("cv2")
    films = square_films(tmp_path / "films", 2)
    broken_film(films / "00a.avi")
    count_film(films / "00b.avi", 9)
    lines = []

    windows = windows_of(network, read_listing(films), STAGES, tmp_path, each=2, tell=lines.append)

    assert [window.video for window in windows] == [0, 3]
    scene = windows[1].scene("mixed_3c")
    expected = stage_outputs(network, square_clip(1), STAGES)["mixed_3c"][0].permute(1, 2, 3, 0)
    assert scene.features.dtype == torch.float16
    assert torch.equal(scene.features, expected.half())
    assert scene.moving.shape == (8, 8, 8)
    assert scene.moving_keys.shape == (8, 4, 4)
    assert scene.usable
    assert scene.flow.shape == (15, 8, 8, 2)
    assert "00a.avi" in lines[0]
    assert lines[-1] == "[4/4] videos, 2 windows of 2 of them"


def test_a_folder_that_cannot_hold_the_features_is_named(network, tmp_path):
    pytest.importorskip("cv2")
    listing = read_listing(square_films(tmp_path / "films", 1))

    with pytest.raises(TrainingFailed, match=r"gone cannot hold the features .* --scratch"):
        windows_of(network, listing, STAGES, tmp_path / "gone", each=1, tell=print)


def test_a_place_moves_when_its_residual_averaged_over_a_time_step_passes_the_threshold():
    residual = np.zeros((3, 4, 4))  # of four frames, two to a time step
    residual[:2, 0, 0] = (1.0, 0.6)  # mean 0.8: moves in the first step
    residual[:2, 0, 1] = (1.4, 0.0)  # mean 0.7: does not
    residual[2, 3, 2:] = 0.8  # the last frame as the one before: mean 0.8

    moving, moving_keys = moving_shares(motion(residual), Grid(2, 2, 2))

    assert moving.tolist() == [[[0.25, 0], [0, 0]], [[0, 0], [0, 0.5]]]
    assert moving_keys.tolist() == [[[1 / 16]], [[1 / 8]]]


def test_the_threshold_follows_the_flows_own_error():
    assert motion(np.full((3, 4, 4), 0.1)).threshold_px == 0.75
    assert motion(np.full((3, 4, 4), 0.5)).threshold_px == 1.5


@pytest.mark.parametrize(
    ("share", "inliers", "usable"),
    [(0.02, 1.0, False), (0.03, 1.0, True), (0.03, 0.6, False), (0.39, 0.7, True), (0.4, 0.7, False)],
)
def test_a_scene_is_usable_where_the_camera_is_understood_and_something_but_not_most_moves(
    tmp_path, share, inliers, usable
):
    moving = torch.zeros(2, 10, 10)
    moving.view(-1)[: round(share * 200)] = 1
    understood = motion(np.zeros((3, 4, 4)), inliers=inliers).understood

    scene = Scene(tmp_path, moving, torch.zeros(2, 5, 5), torch.zeros(3, 2, 2, 2), understood)

    assert scene.usable is usable
