"""mmaction2's .pth files, 0.x and 1.x: `meta` (with the configuration as text) and `state_dict`.

Blocks are mmcv's NonLocal3d: keys are pooled after the projection, there is no factor before the softmax in the
published configurations, and W_z has no bias. The embedded Gaussian and the dot product have the same tensors.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, cast

from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.spec import BlockSpec, Kind, ModelSpec, SubSampling
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.rules import Ignored, Rule, Rules, Shapes, as_convolution
from nonlocal_core.zoo.source import Description, Source, batch_norm, blocks_of, classes_of, resnet_of

_THEIRS, _OURS = r"backbone\.layer(\d)\.(\d+)", r"res+\1_\2"
_BLOCK = rf"{_THEIRS}\.non_local_block"


def _two_rows(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(2, -1)  # [1, 2C, 1, 1] -> [2, C]: w_f for theta, then for phi


RULES: Rules = [
    Ignored(r"(?:meta|optimizer|param_schedulers|message_hub|ema_state_dict)(?:\|.*)?"),
    Ignored(r".+\.num_batches_tracked"),
    # backbone.conv1.conv.weight -> stages.conv1.conv.weight
    Rule(r"backbone\.conv1\.conv\.weight", "stages.conv1.conv.weight"),
    # backbone.conv1.bn.running_mean -> stages.conv1.norm.running_mean
    batch_norm(r"backbone\.conv1\.bn", "stages.conv1.norm"),
    # backbone.layer2.1.conv2.conv.weight -> stages.res3_1.b.conv.weight
    Rule(rf"{_THEIRS}\.conv([123])\.conv\.weight", rf"stages.{_OURS}.#\3.conv.weight"),
    # backbone.layer4.2.conv3.bn.running_var -> stages.res5_2.c.norm.running_var
    batch_norm(rf"{_THEIRS}\.conv([123])\.bn", rf"stages.{_OURS}.#\3.norm"),
    # backbone.layer2.0.downsample.conv.weight -> stages.res3_0.shortcut.conv.weight
    Rule(rf"{_THEIRS}\.downsample\.conv\.weight", f"stages.{_OURS}.shortcut.conv.weight"),
    # backbone.layer2.0.downsample.bn.bias -> stages.res3_0.shortcut.norm.bias
    batch_norm(rf"{_THEIRS}\.downsample\.bn", f"stages.{_OURS}.shortcut.norm"),
    # backbone.layer2.1.non_local_block.theta.conv.weight -> blocks.res3_1.theta.weight
    Rule(rf"{_BLOCK}\.theta\.conv\.(weight|bias)", rf"blocks.{_OURS}.theta.\3"),
    # backbone.layer2.1.non_local_block.phi.0.conv.bias -> blocks.res3_1.phi.bias
    # backbone.layer2.1.non_local_block.g.conv.weight -> blocks.res3_1.g.weight
    Rule(rf"{_BLOCK}\.(phi|g)(?:\.0)?\.conv\.(weight|bias)", rf"blocks.{_OURS}.\3.\4"),
    # backbone.layer2.1.non_local_block.concat_project.conv.weight -> blocks.res3_1.pairwise.w_f
    Rule(rf"{_BLOCK}\.concat_project\.conv\.weight", f"blocks.{_OURS}.pairwise.w_f", _two_rows),
    # backbone.layer2.1.non_local_block.conv_out.conv.weight -> blocks.res3_1.w_z.0.weight
    Rule(rf"{_BLOCK}\.conv_out\.conv\.(weight|bias)", rf"blocks.{_OURS}.w_z.0.\3"),
    # backbone.layer3.5.non_local_block.conv_out.bn.weight -> blocks.res4_5.w_z.1.weight
    batch_norm(rf"{_BLOCK}\.conv_out\.bn", f"blocks.{_OURS}.w_z.1"),
    # cls_head.fc_cls.weight -> head.classifier.weight
    Rule(r"cls_head\.fc_cls\.weight", "head.classifier.weight", as_convolution),
    # cls_head.fc_cls.bias -> head.classifier.bias
    Rule(r"cls_head\.fc_cls\.bias", "head.classifier.bias"),
]


def describe(contents: Contents, shapes: Shapes, hint: str) -> Description:
    """The network that the tensors, the configuration inside and the file's name tell of."""
    _refuse_other_backbones(contents, shapes)
    config = contents.texts.get("meta|config") or contents.texts.get("meta|cfg") or ""
    kind, basis = _kind(config, hint)
    scaled = re.search(r"use_scale\s*=\s*True", config) and kind == "embedded_gaussian"
    pooled = any(".non_local_block.g.0." in name for name in contents.arrays)
    sub_sampling: SubSampling = "project_then_pool" if pooled else "none"
    block = BlockSpec(after="", kind=kind, scale="inverse_sqrt" if scaled else 1.0, sub_sampling=sub_sampling)
    blocks = blocks_of(shapes, block)
    shown = blocks[0].kind if blocks else kind
    spec = ModelSpec(
        backbone="resnet",
        resnet=resnet_of(shapes, pool1_kernel_t=1, pool1_padding=1, head="global_average"),
        classes=classes_of(shapes),
        blocks=blocks,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    known = basis if shown == kind else f"{shown}, by the tensors"
    provenance = {"source": "open-mmlab/mmaction2", "licence": "Apache-2.0"}
    return Description(spec, provenance, ("Release: 32x2, as all of its I3D.", f"Pairwise function: {known}."))


def _kind(config: str, hint: str) -> tuple[Kind, str]:
    """What tells the embedded Gaussian from the dot product; the other two show in the tensors."""
    told = re.search(r"non_local_cfg.*?mode\s*=\s*['\"](\w+)", config, re.DOTALL)
    if told and told[1] in ("gaussian", "embedded_gaussian", "dot_product", "concatenation"):
        return cast("Kind", told[1]), f"{told[1]}, by the configuration inside"
    if re.search(r"dot[-_]product", hint):
        return "dot_product", "dot_product, by the file's name"
    if re.search(r"embedded[-_]gaussian", hint):
        return "embedded_gaussian", "embedded_gaussian, by the file's name"
    return "embedded_gaussian", "embedded_gaussian, assumed: neither a configuration inside nor the file's name tells"


def _refuse_other_backbones(contents: Contents, shapes: Shapes) -> None:
    if any(".conv.net.weight" in name for name in contents.arrays):
        raise UnreadableCheckpoint("this is mmaction2's TSM, a 2D network that shifts channels; only I3D is read")
    stem, late = shapes.get("stages.conv1.conv.weight", ()), shapes.get("stages.res4_0.a.conv.weight", ())
    if len(stem) == len(late) == 5 and (stem[2], late[2]) == (1, 3):
        raise UnreadableCheckpoint("this is mmaction2's SlowOnly, temporal in res4 and res5 alone; only I3D is read")
    if len(stem) == 4:
        raise UnreadableCheckpoint("this is a 2D network of mmaction2; only I3D is read")


def recognises(names: Collection[str]) -> bool:
    """Whether these are mmaction2's names of a ResNet."""
    return any(name.startswith(("backbone.conv1.", "backbone.layer1.")) for name in names)


SOURCE = Source("mmaction2 .pth", RULES, recognises, describe)
