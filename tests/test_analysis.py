"""The straight line on real videos."""

import math

import numpy as np
import pytest

import nonlocal_core as nl
from nonlocal_core.errors import PointOutsideClip, UnknownBlock


def test_an_analysis_holds_the_frames_the_scores_and_the_blocks(analysis):
    assert analysis.clip.rgb.shape == (32, 224, 224, 3)
    assert analysis.clip.times_s == pytest.approx(np.arange(0, 64, 2) / 25, abs=1e-3)
    assert analysis.scores.sum() == pytest.approx(1, abs=1e-5)
    assert analysis.blocks == ("mixed_3c", "mixed_4b", "mixed_4c", "mixed_4e", "mixed_4f")
    assert analysis["mixed_3c"].query_grid == nl.Grid(16, 28, 28)
    assert analysis["mixed_3c"].key_grid == nl.Grid(16, 14, 14)


def test_observing_blocks_leave_the_prediction_as_it_is_and_trained_ones_nearly(analysis, model, sample):
    import torch

    from nonlocal_core.video import normalise

    bare = nl.load_model(model.card.weights)  # the same weights without blocks
    with torch.inference_mode():
        logits = bare(torch.from_numpy(normalise(analysis.clip.rgb, model.spec.mean, model.spec.std)))[0].numpy()

    assert np.array_equal(logits, nl.analyse(sample, nl.load_model("i3d-observers")).logits)
    assert not np.array_equal(logits, analysis.logits)
    assert np.corrcoef(logits, analysis.logits)[0, 1] > 0.9


def test_arrows_of_an_unknown_block_or_a_place_outside_are_refused(analysis):
    with pytest.raises(UnknownBlock, match="mixed_4f"):
        analysis.arrows("res3_1", frame=0, x=0.5, y=0.5)
    with pytest.raises(PointOutsideClip):
        analysis.arrows("mixed_4c", frame=32, x=0.5, y=0.5)


def test_progress_rises_and_may_stop_the_work(model, sample):
    told = []
    nl.analyse(sample, model, progress=lambda stage, fraction: told.append((stage, fraction)))
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    assert {stage for stage, _ in told} == {"decode", "network"}

    with pytest.raises(KeyboardInterrupt):
        nl.analyse(sample, model, progress=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))


@pytest.mark.parametrize(
    ("clip", "label", "start_s", "within"),
    [
        ("juggle.mp4", "juggling soccer ball", 0.0, 1),
        ("arm_wrestling.mp4", "arm wrestling", 0.0, 1),
        ("stgcn_clean_and_jerk.mp4", "clean and jerk", 0.0, 1),
        ("stgcn_ta_chi.mp4", "tai chi", 0.0, 1),
        ("dog.mp4", "training dog", 0.0, 1),
        ("stgcn_skateboarding.mp4", "skateboarding", 0.0, 2),
        ("flipping_a_pancake.mkv", "flipping pancake", 2.0, 2),  # the first two seconds show no pancake yet
    ],
)
def test_the_network_knows_what_happens_in_real_videos(model, desk, clip, label, start_s, within):
    analysis = nl.analyse(desk / "media" / "clips" / clip, model, start_s=start_s)

    best = [model.labels[i] for i in np.argsort(-analysis.scores)[:within]]

    assert label in best
    if clip == "juggle.mp4":
        assert analysis.scores[model.labels.index(label)] >= 0.9


def longhand(theta: np.ndarray, phi: np.ndarray, scale: float) -> np.ndarray:
    """softmax(scale * theta phi^T) along the keys, float64: [Q, K]."""
    logits = scale * (theta.astype(np.float64) @ phi.astype(np.float64).T)
    f = np.exp(logits - logits.max(1, keepdims=True))
    return f / f.sum(1, keepdims=True)


@pytest.mark.parametrize("block", ["mixed_4b", "mixed_4f"])
def test_arrows_are_the_top_of_a_float64_softmax_over_theta_and_phi(analysis, block):
    field = analysis[block]
    matrix = longhand(field.theta, field.phi, field.scale)
    random = np.random.default_rng(3)
    for frame, x, y in zip(random.integers(0, 32, 20), random.random(20), random.random(20), strict=True):
        grid = field.query_grid
        i = (int(frame) * grid.t // 32 * grid.h + math.floor(y * grid.h)) * grid.w + math.floor(x * grid.w)

        arrows = analysis.arrows(block, frame=int(frame), x=x, y=y, k=20)

        assert [a.weight for a in arrows] == pytest.approx(sorted(matrix[i], reverse=True)[:20], rel=2e-3)
        ends = [(a.end.t * field.key_grid.h + a.end.h) * field.key_grid.w + a.end.w for a in arrows]
        assert matrix[i][ends] == pytest.approx([a.weight for a in arrows], rel=2e-3)
