"""Null models: what is taken away, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.analysis import read_clip
from nonlocal_core.errors import UnfitVariant
from nonlocal_core.model.build import Model
from nonlocal_core.model.randomise import with_random_projections
from nonlocal_core.model.spec import BlockSpec, Kind, ModelSpec
from nonlocal_core.variant import VARIANTS, ensure_fits, frame_order, notes_of


def test_each_order_is_what_its_name_says():
    assert frame_order("none", 5).tolist() == [0, 1, 2, 3, 4]
    assert frame_order("random_weights", 5).tolist() == [0, 1, 2, 3, 4]
    assert frame_order("reversed", 5).tolist() == [4, 3, 2, 1, 0]
    assert frame_order("frozen", 5).tolist() == [0] * 5
    shuffled = frame_order("shuffled", 32)
    assert sorted(shuffled) == list(range(32)) != shuffled.tolist()
    assert shuffled.tolist() == frame_order("shuffled", 32).tolist()


@pytest.mark.parametrize("variant", ["shuffled", "reversed", "frozen"])
def test_the_network_sees_the_frames_in_that_order_on_the_clip_s_own_clock(sample, variant):
    spec = ModelSpec(backbone="inception_v1", frames=8, size_px=64, short_side_px=64, mean=(0.5,) * 3, std=(0.5,) * 3)
    clip, _ = read_clip(sample, spec)
    changed, _ = read_clip(sample, spec, variant=variant)

    order = frame_order(variant, 8)
    np.testing.assert_array_equal(changed.rgb, clip.rgb[order])
    np.testing.assert_array_equal(changed.indices, clip.indices[order])
    np.testing.assert_array_equal(changed.times_s, clip.times_s)


def random_model(kind: Kind) -> Model:
    torch.manual_seed(0)
    block = BlockSpec(after="mixed_4b", kind=kind)
    return Model(ModelSpec(backbone="inception_v1", mean=(0, 0, 0), std=(1, 1, 1), blocks=(block,))).eval()


@pytest.mark.parametrize("kind", ["embedded_gaussian", "dot_product", "concatenation"])
def test_random_weights_are_the_same_numbers_in_another_order_in_theta_and_phi_only(kind):
    model = random_model(kind)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    changed = with_random_projections(model, seed=0).state_dict()

    differ = {name for name, value in changed.items() if not torch.equal(value, before[name])}
    wanted = {f"blocks.mixed_4b.{name}" for name in ("theta.weight", "phi.weight", "pairwise.w_f")}
    assert differ == wanted & set(before)
    for name in differ:
        torch.testing.assert_close(changed[name].flatten().sort()[0], before[name].flatten().sort()[0])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = with_random_projections(model, seed=0).state_dict()
    assert all(torch.equal(value, changed[name]) for name, value in again.items())


def test_a_model_without_theta_and_phi_has_no_random_weights(sample):
    with pytest.raises(UnfitVariant, match="no weights to make random"):
        nl.analyse(sample, random_model("gaussian"), variant="random_weights")
    ensure_fits("random_weights", ["gaussian", "dot_product"])
    ensure_fits("shuffled", ["gaussian"])


def test_an_analysis_says_which_null_model_it_is(sample):
    model = random_model("embedded_gaussian")
    model.spec = model.spec.model_copy(update={"frames": 8, "size_px": 64, "short_side_px": 64})

    for variant in VARIANTS:
        assert nl.analyse(sample, model, variant=variant).notes == notes_of(variant)
    assert notes_of("none") == ()
