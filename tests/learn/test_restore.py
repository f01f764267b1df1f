"""g and W_z in closed form: the least squares solution, and blocks that restore what is hidden."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nonlocal_core.learn.hidden import ALL_TIME, Halves, cells_of_a_lesson, visible_cells
from nonlocal_core.learn.restore import Moments, restore, share_kept
from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec

SPEC = ModelSpec(
    backbone="resnet",
    resnet=ResNetSpec(stem_stride_t=1, pool1_kernel_t=1, pool1_stride_t=1, pool2_t=1),
    classes=5,
    frames=4,
    size_px=32,
    short_side_px=32,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    blocks=tuple(
        BlockSpec(after=stage, kind="embedded_gaussian", inner_channels=48, norm="affine")
        for stage in ("res2_0", "res3_1")
    ),
)


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Model(SPEC).eval()


def test_the_map_is_the_least_squares_solution():
    random = np.random.default_rng(0)
    a, r = random.standard_normal((3, 50)), random.standard_normal((3, 50))
    moments = Moments(3)

    moments.add(torch.from_numpy(a[:, :20]), torch.from_numpy(r[:, :20]), weight=4.0)
    moments.add(torch.from_numpy(a[:, 20:]), torch.from_numpy(r[:, 20:]), weight=1.0)
    w, g, b = moments.solved(3)

    root = np.sqrt(np.where(np.arange(50) < 20, 4, 1))
    design = np.concatenate([a, np.ones((1, 50))]) * root
    wanted = np.linalg.lstsq(design.T, (r * root).T, rcond=None)[0].T
    assert np.allclose((w @ g).numpy(), wanted[:, :3], atol=5e-3)  # the ridge is 1e-3
    assert np.allclose(b.numpy(), wanted[:, 3], atol=5e-3)


def test_a_narrow_map_keeps_what_moves_the_output_most():
    random = np.random.default_rng(1)
    a = random.standard_normal((4, 4000)) * np.array([[10.0], [1], [1], [0.1]])
    true = np.diag([0.1, 3, 0.2, 5.0])  # their effects have sizes 1, 3, 0.2 and 0.5
    moments = Moments(4)

    moments.add(torch.from_numpy(a), torch.from_numpy(true @ a), weight=1.0)
    w, g, _ = moments.solved(2)

    assert np.allclose((w @ g).numpy(), np.diag([0.1, 3, 0, 0]), atol=0.1)  # the ridge takes 0.08


def test_a_tube_hides_a_place_at_all_times():
    seen = visible_cells((6, 8, 10), (ALL_TIME, 2), 0.5, torch.Generator().manual_seed(0))[0, 0]

    assert seen.shape == (6, 8, 10)
    assert (seen == seen[:1]).all()
    boxes = seen[0].reshape(4, 2, 5, 2)
    assert (boxes == boxes[:, :1, :, :1]).all()
    assert 0 < seen.mean() < 1


def test_a_box_larger_than_what_is_left_is_cut():
    assert visible_cells((3, 5, 7), (2, 4), 0.0).shape == (1, 1, 3, 5, 7)


def test_halves_together_are_the_network(small):
    clips = torch.randn(1, 3, 4, 32, 32)
    for block in small.blocks.values():
        torch.nn.init.normal_(block.w_z[0].weight, std=0.1)
    halves = Halves(small)

    x = halves.front(clips)
    logits, kept = halves.rest(x, "with")

    assert torch.allclose(logits, small(clips), atol=1e-5)
    assert torch.allclose(halves.reaching("res3_1", x, "with") + 0, _before(small, clips, "res3_1"), atol=1e-5)
    assert not torch.allclose(logits, halves.rest(x, "without")[0], atol=1e-3)
    assert len(kept) == 2


def _before(model, clips, block):
    found = {}
    handle = model.blocks[block].register_forward_pre_hook(lambda _, inputs: found.update(x=inputs[0]))
    model(clips)
    handle.remove()
    return found["x"]


def test_blocks_restore_what_is_hidden_and_leave_whole_clips_nearly_alone(small, tmp_path, monkeypatch):
    halves, lines = Halves(small), []
    torch.manual_seed(1)
    files = [tmp_path / f"{n}.npy" for n in range(6)]
    for file in files:
        clips = torch.nn.functional.interpolate(torch.randn(1, 3, 2, 4, 4), (4, 32, 32), mode="trilinear")
        np.save(file, halves.front(clips)[0].permute(1, 2, 3, 0).detach().numpy())
    x = torch.from_numpy(np.load(files[0])).permute(3, 0, 1, 2)[None]
    hidden = x * cells_of_a_lesson((4, 7, 7), torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = halves.reaching("res3_1", x, "without")
        before = (halves.reaching("res3_1", hidden, "with") - wanted).square().mean()

        restore(small, files, np.random.default_rng(0), clips=12, strength=1.0, tell=lines.append)

        after = (halves.reaching("res3_1", hidden, "with") - wanted).square().mean()
        astray = (halves.reaching("res3_1", x, "with") - wanted).square().mean()
        monkeypatch.setattr("nonlocal_core.learn.restore.WHOLE_WEIGHT", 1e-3)
        restore(small, files, np.random.default_rng(0), clips=12, strength=1.0, tell=lines.append)
        unweighted = (halves.reaching("res3_1", x, "with") - wanted).square().mean()
    assert after < 0.97 * before  # random weights know little; whole clips weigh more
    assert astray < 0.25 * before
    assert unweighted > 2 * astray
    assert [line.split(":")[0].strip() for line in lines[:2]] == ["res2_0", "res3_1"]


def test_strength_scales_what_every_block_adds(small, tmp_path):
    file = tmp_path / "0.npy"
    np.save(file, torch.rand(4, 7, 7, 256).numpy())
    x = torch.rand(1, 256, 4, 7, 7)

    added = []
    for strength in (1.0, 0.5):
        lines = []
        restore(small, [file], np.random.default_rng(0), clips=3, strength=strength, tell=lines.append)
        with torch.no_grad():
            added.append(small.blocks["res2_0"](x) - x)
        assert {block.w_z[1].weight[0].item() for block in small.blocks.values()} == {strength}
        assert f"W_z scaled by {strength:g}: " in lines[-1]

    assert added[0].abs().max() > 1e-4
    assert torch.allclose(added[1], added[0] / 2, atol=1e-6)


def test_the_share_of_classes_that_are_kept_counts_clips(small, monkeypatch):
    classes = {"without": torch.tensor([1, 2, 3, 4]), "with": torch.tensor([1, 2, 3, 0])}
    monkeypatch.setattr("nonlocal_core.learn.restore._classes", lambda _halves, _clips, blocks: classes[blocks])

    assert share_kept(Halves(small), [Path("a")] * 4) == 0.75
