"""Tushar-N/pytorch-resnet3d's .pth files: a bare state dict, made from Caffe2's 32x2 models."""

from __future__ import annotations

from collections.abc import Collection

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo.caffe2 import MEAN, STD
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.rules import Ignored, Rule, Rules, Shapes, as_convolution
from nonlocal_core.zoo.source import Description, Source, batch_norm, blocks_of, classes_of, resnet_of

_THEIRS, _OURS = r"layer(\d)\.(\d+)", r"res+\1_\2"

RULES: Rules = [
    Ignored(r".+\.num_batches_tracked"),
    Rule(r"conv1\.weight", "stages.conv1.conv.weight"),  # conv1.weight -> stages.conv1.conv.weight
    batch_norm("bn1", "stages.conv1.norm"),  # bn1.running_var -> stages.conv1.norm.running_var
    # layer2.1.conv2.weight -> stages.res3_1.b.conv.weight
    Rule(rf"{_THEIRS}\.conv([123])\.weight", rf"stages.{_OURS}.#\3.conv.weight"),
    # layer4.2.bn3.running_mean -> stages.res5_2.c.norm.running_mean
    batch_norm(rf"{_THEIRS}\.bn([123])", rf"stages.{_OURS}.#\3.norm"),
    # layer2.0.downsample.0.weight -> stages.res3_0.shortcut.conv.weight
    Rule(rf"{_THEIRS}\.downsample\.0\.weight", f"stages.{_OURS}.shortcut.conv.weight"),
    # layer2.0.downsample.1.running_mean -> stages.res3_0.shortcut.norm.running_mean
    batch_norm(rf"{_THEIRS}\.downsample\.1", f"stages.{_OURS}.shortcut.norm"),
    # layer2.1.nl.theta.weight -> blocks.res3_1.theta.weight
    Rule(rf"{_THEIRS}\.nl\.(theta|phi|g)\.(weight|bias)", rf"blocks.{_OURS}.\3.\4"),
    # layer3.5.nl.out.bias -> blocks.res4_5.w_z.0.bias
    Rule(rf"{_THEIRS}\.nl\.out\.(weight|bias)", rf"blocks.{_OURS}.w_z.0.\3"),
    # layer2.1.nl.bn.weight -> blocks.res3_1.w_z.1.weight
    batch_norm(rf"{_THEIRS}\.nl\.bn", f"blocks.{_OURS}.w_z.1"),
    Rule(r"fc\.weight", "head.classifier.weight", as_convolution),  # fc.weight -> head.classifier.weight
    Rule(r"fc\.bias", "head.classifier.bias"),  # fc.bias -> head.classifier.bias
]


def describe(_contents: Contents, shapes: Shapes, _hint: str) -> Description:
    """models/resnet.py has one network, I3Res50, with or without blocks; all of it shows in the tensors."""
    if len(shapes.get("stages.conv1.conv.weight", ())) == 4:
        raise UnreadableCheckpoint("this is a 2D ResNet, which sees no video; it can only start a training (inflation)")
    spec = ModelSpec(
        backbone="resnet",
        resnet=resnet_of(shapes, head="global_average"),
        classes=classes_of(shapes),
        blocks=blocks_of(shapes, BlockSpec(after="", kind="embedded_gaussian", scale="inverse_sqrt")),
        mean=MEAN,
        std=STD,
    )
    return Description(spec, {"source": "Tushar-N/pytorch-resnet3d"})


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of a torchvision-like ResNet."""
    return "layer1.0.conv1.weight" in names or "layer2.1.nl.g.weight" in names


SOURCE = Source("Tushar-N/pytorch-resnet3d .pth", RULES, recognises, describe)
