"""What each source calls our tensors: the conversion tables backwards, written by hand. Not tests themselves."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch

from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import ModelSpec
from nonlocal_core.zoo.convert import wanted_tensors

Names = Callable[[str, str, str, str, str], str]  # part, stage, block, layer, leaf -> their name

_CAFFE2 = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
_PLACE = r"(stages|blocks|head)\.(?:res(\d)_(\d+)\.)?(.+)\.(\w+)"


def caffe2(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    suffix = _CAFFE2[leaf] if layer.endswith("norm") or layer == "w_z.1" else leaf[0]
    if part == "blocks":
        return f"nonlocal_conv{stage}_{block}_{ {'w_z.0': 'out', 'w_z.1': 'bn'}.get(layer, layer) }_{suffix}"
    if layer == "classifier":
        return f"pred_{suffix}"
    if not stage:
        return "conv1_w" if layer == "conv1.conv" else f"res_conv1_bn_{suffix}"
    letter, kind = layer.split(".")
    branch = "branch1" if letter == "shortcut" else f"branch2{letter}"
    return f"res{stage}_{block}_{branch}{'_bn' if kind == 'norm' else ''}_{suffix}"


def pyslowfast(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    if part == "blocks":
        named = {"w_z.0": "conv_out", "w_z.1": "bn"}.get(layer, f"conv_{layer}")
        return f"s{stage}.pathway0_nonlocal{block}.{named}.{leaf}"
    if layer == "classifier":
        return f"head.projection.{leaf}"
    if not stage:
        return f"s1.pathway0_stem.{'conv' if layer == 'conv1.conv' else 'bn'}.{leaf}"
    letter, kind = layer.split(".")
    branch = "branch1" if letter == "shortcut" else f"branch2.{letter}"
    return f"s{stage}.pathway0_res{block}.{branch}{'_bn' if kind == 'norm' else ''}.{leaf}"


def mmaction2(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    place = f"backbone.layer{int(stage or 0) - 1}.{block}"
    if part == "blocks":
        if leaf == "w_f":
            return f"{place}.non_local_block.concat_project.conv.weight"
        named = {"w_z.0": "conv_out.conv", "w_z.1": "conv_out.bn", "theta": "theta.conv"}.get(layer, f"{layer}.0.conv")
        return f"{place}.non_local_block.{named}.{leaf}"
    if layer == "classifier":
        return f"cls_head.fc_cls.{leaf}"
    owner, kind = layer.split(".")
    owner = {"shortcut": "downsample", "a": "conv1", "b": "conv2", "c": "conv3"}.get(owner, owner)
    return f"{place if stage else 'backbone'}.{owner}.{'bn' if kind == 'norm' else 'conv'}.{leaf}"


def _torchvision(place: str, layer: str, leaf: str) -> str:
    owner, kind = layer.split(".")
    if owner == "shortcut":
        return f"{place}downsample.{int(kind == 'norm')}.{leaf}"
    return f"{place}{'bn' if kind == 'norm' else 'conv'}{'abc'.find(owner) + 1}.{leaf}"


def tushar_n(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    place = f"layer{int(stage or 0) - 1}.{block}."
    if part == "blocks":
        return f"{place}nl.{ {'w_z.0': 'out', 'w_z.1': 'bn'}.get(layer, layer) }.{leaf}"
    if layer == "classifier":
        return f"fc.{leaf}"
    return _torchvision(place, layer, leaf) if stage else _torchvision("", layer.replace("conv1", "a"), leaf)


def gluoncv(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    place = f"res_layers.{int(stage or 0) - 2}.{block}."
    if part == "blocks":
        return f"{place}nonlocal_block.{ {'w_z.0': 'W', 'w_z.1': 'bn'}.get(layer, layer) }.{leaf}"
    if layer == "classifier":
        return f"fc.{leaf}"
    return _torchvision(place, layer, leaf) if stage else f"first_stage.{int(layer.endswith('norm'))}.{leaf}"


def gluoncv_mxnet(part: str, stage: str, block: str, layer: str, leaf: str) -> str:
    if layer.endswith("norm") or layer == "w_z.1":
        leaf = {"weight": "gamma", "bias": "beta"}.get(leaf, leaf)
    return gluoncv(part, stage, block, layer, leaf)


def named(ours: str, names: Names) -> str:
    """Their name of one of our tensors."""
    match = re.fullmatch(_PLACE, ours)
    assert match is not None, ours
    return names(*(group or "" for group in match.groups()))


def shapes(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Our tensors' shapes."""
    with torch.device("meta"):
        return wanted_tensors(Model(spec))


def stored(ours: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which every source stores it."""
    if ours == "head.classifier.weight":
        return shape[:2]
    return (1, 2 * shape[1], 1, 1) if ours.endswith("w_f") else shape


def state(spec: ModelSpec, names: Names) -> dict[str, np.ndarray]:
    """A whole checkpoint under their names. Every tensor is one number repeated, its place in our list: no memory."""
    return {
        named(ours, names): np.broadcast_to(np.float32(i), stored(ours, shape))
        for i, (ours, shape) in enumerate(shapes(spec).items())
    }
