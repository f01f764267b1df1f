"""gluoncv's I3D with blocks (dmlc/gluon-cv): torch .pth, a bare state dict, and MXNet .params.

Both store tensors under every attribute that leads to them; the repeats are compared and dropped. The authors call
the block "gaussian"; with theta and phi it is the paper's embedded Gaussian. Nothing is sub-sampled.
"""

from __future__ import annotations

from collections.abc import Collection

from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.rules import Ignored, Repeat, Rule, Rules, Shapes, as_convolution
from nonlocal_core.zoo.source import Description, Source, batch_norm, blocks_of, classes_of, resnet_of

_THEIRS, _OURS = r"res_layers\.(\d)\.(\d+)", r"res++\1_\2"
_BLOCK = rf"{_THEIRS}\.nonlocal_block"

_CONVOLUTIONS: list[Rule | Repeat | Ignored] = [
    # first_stage.0.weight -> stages.conv1.conv.weight
    Rule(r"first_stage\.0\.weight", "stages.conv1.conv.weight"),
    # res_layers.2.22.conv2.weight -> stages.res4_22.b.conv.weight
    Rule(rf"{_THEIRS}\.conv([123])\.weight", rf"stages.{_OURS}.#\3.conv.weight"),
    # res_layers.1.0.downsample.0.weight -> stages.res3_0.shortcut.conv.weight
    Rule(rf"{_THEIRS}\.downsample\.0\.weight", f"stages.{_OURS}.shortcut.conv.weight"),
    # res_layers.1.1.nonlocal_block.theta.weight -> blocks.res3_1.theta.weight
    Rule(rf"{_BLOCK}\.(theta|phi|g)\.(weight|bias)", rf"blocks.{_OURS}.\3.\4"),
    # res_layers.2.20.nonlocal_block.W.bias -> blocks.res4_20.w_z.0.bias
    Rule(rf"{_BLOCK}\.W\.(weight|bias)", rf"blocks.{_OURS}.w_z.0.\3"),
    Rule(r"fc\.weight", "head.classifier.weight", as_convolution),  # fc.weight -> head.classifier.weight
    Rule(r"fc\.bias", "head.classifier.bias"),  # fc.bias -> head.classifier.bias
    Repeat(r"head\.1\.(weight|bias)", r"fc.\1"),
    Repeat(rf"({_BLOCK})\.W_bn\.0\.(weight|bias)", r"\1.W.\4"),
]

TORCH_RULES: Rules = [
    *_CONVOLUTIONS,
    Ignored(r".+\.num_batches_tracked"),
    # first_stage.1.running_mean -> stages.conv1.norm.running_mean
    batch_norm(r"first_stage\.1", "stages.conv1.norm"),
    # res_layers.3.2.bn3.running_mean -> stages.res5_2.c.norm.running_mean
    batch_norm(rf"{_THEIRS}\.bn([123])", rf"stages.{_OURS}.#\3.norm"),
    # res_layers.1.0.downsample.1.running_var -> stages.res3_0.shortcut.norm.running_var
    batch_norm(rf"{_THEIRS}\.downsample\.1", f"stages.{_OURS}.shortcut.norm"),
    # res_layers.1.1.nonlocal_block.bn.weight -> blocks.res3_1.w_z.1.weight
    batch_norm(rf"{_BLOCK}\.bn", f"blocks.{_OURS}.w_z.1"),
    Repeat(rf"({_BLOCK})\.W_bn\.1\.(weight|bias|running_mean|running_var)", r"\1.bn.\4"),
]


def _norm(theirs: str, ours: str) -> list[Rule]:
    return [
        Rule(rf"{theirs}\.gamma", f"{ours}.weight"),
        Rule(rf"{theirs}\.beta", f"{ours}.bias"),
        Rule(rf"{theirs}\.(?P<leaf>running_mean|running_var)", rf"{ours}.\g<leaf>"),
    ]


# A bottleneck's layers once more, as the numbered children of its HybridSequential; 2 and 5 are ReLUs.
_CHILDREN = {0: "conv1", 1: "bn1", 3: "conv2", 4: "bn2", 6: "conv3", 7: "bn3", 8: "nonlocal_block"}

MXNET_RULES: Rules = [
    *_CONVOLUTIONS,
    # first_stage.1.gamma -> stages.conv1.norm.weight
    # first_stage.1.beta -> stages.conv1.norm.bias
    # first_stage.1.running_var -> stages.conv1.norm.running_var
    *_norm(r"first_stage\.1", "stages.conv1.norm"),
    # res_layers.0.0.bn1.gamma -> stages.res2_0.a.norm.weight
    # res_layers.2.5.bn2.beta -> stages.res4_5.b.norm.bias
    # res_layers.0.0.bn3.running_mean -> stages.res2_0.c.norm.running_mean
    *_norm(rf"{_THEIRS}\.bn([123])", rf"stages.{_OURS}.#\3.norm"),
    # res_layers.1.0.downsample.1.gamma -> stages.res3_0.shortcut.norm.weight
    # res_layers.1.0.downsample.1.beta -> stages.res3_0.shortcut.norm.bias
    # res_layers.1.0.downsample.1.running_mean -> stages.res3_0.shortcut.norm.running_mean
    *_norm(rf"{_THEIRS}\.downsample\.1", f"stages.{_OURS}.shortcut.norm"),
    # res_layers.1.1.nonlocal_block.bn.gamma -> blocks.res3_1.w_z.1.weight
    # res_layers.1.1.nonlocal_block.bn.beta -> blocks.res3_1.w_z.1.bias
    # res_layers.1.1.nonlocal_block.bn.running_var -> blocks.res3_1.w_z.1.running_var
    *_norm(rf"{_BLOCK}\.bn", f"blocks.{_OURS}.w_z.1"),
    Repeat(rf"({_BLOCK})\.W_bn\.1\.(gamma|beta|running_mean|running_var)", r"\1.bn.\4"),
    *(Repeat(rf"({_THEIRS})\.bottleneck\.{i}\.(.+)", rf"\1.{child}.\4") for i, child in _CHILDREN.items()),
]


def describe(_contents: Contents, shapes: Shapes, _hint: str) -> Description:
    """All published networks of this family differ in depth and in the places of their blocks only."""
    block = BlockSpec(
        after="",
        kind="embedded_gaussian",
        scale="inverse_sqrt",
        sub_sampling="none",
        norm_momentum=0.9,  # torch/model_zoo/action_recognition/non_local.py
    )
    spec = ModelSpec(
        backbone="resnet",
        resnet=resnet_of(shapes, pool1_kernel_t=1, pool1_padding=1, head="global_average"),
        classes=classes_of(shapes),
        blocks=blocks_of(shapes, block),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    return Description(spec, {"source": "dmlc/gluon-cv", "licence": "Apache-2.0"})


def _ours(names: Collection[str]) -> bool:
    return any(name.startswith(("first_stage.", "res_layers.")) for name in names)


def recognises_torch(names: Collection[str]) -> bool:
    """Whether these are gluoncv's names in torch."""
    return _ours(names) and not recognises_mxnet(names)


def recognises_mxnet(names: Collection[str]) -> bool:
    """Whether these are gluoncv's names in MXNet, whose batch norms have a gamma."""
    return _ours(names) and any(name.endswith(".gamma") for name in names)


TORCH = Source("gluoncv .pth", TORCH_RULES, recognises_torch, describe)
MXNET = Source("gluoncv .params", MXNET_RULES, recognises_mxnet, describe)
