"""PySlowFast's .pyth files (facebookresearch/SlowFast): torch, with the configuration beside the weights.

Its Caffe2 .pkl files are in `caffe2.py`. `sub_batchnorm` keeps two copies of a batch norm's statistics, `bn.split_bn`
for training and `bn.bn` for use; PySlowFast itself writes plain names, but not in every version.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from nonlocal_core.errors import UnreadableCheckpoint
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo.caffe2 import MEAN, STD, says_dot_product
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.rules import Ignored, Rule, Rules, Shapes, as_convolution
from nonlocal_core.zoo.source import Description, Source, blocks_of, classes_of, resnet_of


def _vector(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1)  # [C] or, from sub_batchnorm, [C, 1, 1, 1]


def _norm(theirs: str, ours: str) -> list[Rule]:
    return [
        Rule(rf"{theirs}\.(?P<leaf>weight|bias)", rf"{ours}.\g<leaf>", _vector),
        Rule(rf"{theirs}(?:\.bn)?\.(?P<leaf>running_mean|running_var)", rf"{ours}.\g<leaf>"),
    ]


RULES: Rules = [
    Ignored(r"epoch|cfg|(?:optimizer_state|scaler_state)(?:\|.*)?"),
    Ignored(r".+\.(?:num_batches_tracked|split_bn\..+)"),
    # s1.pathway0_stem.conv.weight -> stages.conv1.conv.weight
    Rule(r"s1\.pathway0_stem\.conv\.weight", "stages.conv1.conv.weight"),
    # s1.pathway0_stem.bn.weight -> stages.conv1.norm.weight
    # s1.pathway0_stem.bn.running_var -> stages.conv1.norm.running_var
    # s1.pathway0_stem.bn.bn.running_var -> stages.conv1.norm.running_var
    *_norm(r"s1\.pathway0_stem\.bn", "stages.conv1.norm"),
    # s3.pathway0_res1.branch2.a.weight -> stages.res3_1.a.conv.weight
    Rule(r"s(\d)\.pathway0_res(\d+)\.branch2\.([abc])\.weight", r"stages.res\1_\2.\3.conv.weight"),
    # s3.pathway0_res1.branch2.b_bn.bias -> stages.res3_1.b.norm.bias
    # s4.pathway0_res22.branch2.c_bn.running_mean -> stages.res4_22.c.norm.running_mean
    *_norm(r"s(\d)\.pathway0_res(\d+)\.branch2\.([abc])_bn", r"stages.res\1_\2.\3.norm"),
    # s3.pathway0_res0.branch1.weight -> stages.res3_0.shortcut.conv.weight
    Rule(r"s(\d)\.pathway0_res(\d+)\.branch1\.weight", r"stages.res\1_\2.shortcut.conv.weight"),
    # s3.pathway0_res0.branch1_bn.weight -> stages.res3_0.shortcut.norm.weight
    # s3.pathway0_res0.branch1_bn.running_mean -> stages.res3_0.shortcut.norm.running_mean
    *_norm(r"s(\d)\.pathway0_res(\d+)\.branch1_bn", r"stages.res\1_\2.shortcut.norm"),
    # s3.pathway0_nonlocal1.conv_theta.weight -> blocks.res3_1.theta.weight
    Rule(r"s(\d)\.pathway0_nonlocal(\d+)\.conv_(theta|phi|g)\.(weight|bias)", r"blocks.res\1_\2.\3.\4"),
    # s4.pathway0_nonlocal5.conv_out.bias -> blocks.res4_5.w_z.0.bias
    Rule(r"s(\d)\.pathway0_nonlocal(\d+)\.conv_out\.(weight|bias)", r"blocks.res\1_\2.w_z.0.\3"),
    # s3.pathway0_nonlocal1.bn.weight -> blocks.res3_1.w_z.1.weight
    # s3.pathway0_nonlocal1.bn.running_var -> blocks.res3_1.w_z.1.running_var
    *_norm(r"s(\d)\.pathway0_nonlocal(\d+)\.bn", r"blocks.res\1_\2.w_z.1"),
    # head.projection.weight -> head.classifier.weight
    Rule(r"head\.projection\.weight", "head.classifier.weight", as_convolution),
    # head.projection.bias -> head.classifier.bias
    Rule(r"head\.projection\.bias", "head.classifier.bias"),
]


_POOL2_T = {"i3d": 2, "c2d": 2, "c2d_nopool": 1}  # _POOL1 of slowfast/models/video_model_builder.py
_BLOCKS = {
    "softmax": BlockSpec(after="", kind="embedded_gaussian", scale="inverse_sqrt"),
    "dot_product": BlockSpec(after="", kind="dot_product"),
}


def setting(cfg: str, section: str, key: str) -> str | None:
    """SECTION.KEY of the YAML that yacs dumps, None where it is missing. Lists come as they are written there."""
    body = re.search(rf"^{section}:\n((?:[ -].*\n?)*)", cfg, re.MULTILINE)
    value = re.search(rf"^  {key}:(.*(?:\n  - .*|\n    .*)*)", body[1], re.MULTILINE) if body else None
    return value[1].strip() if value else None


def _numbers(value: str | None) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", value or "")]


def describe(contents: Contents, shapes: Shapes, hint: str) -> Description:
    """The network that a .pyth file's configuration and tensors tell of."""
    cfg = contents.texts.get("cfg", "")
    architecture = setting(cfg, "MODEL", "ARCH") or "i3d"
    if architecture not in _POOL2_T or any(".pathway1_" in name for name in contents.arrays):
        raise UnreadableCheckpoint(f"PySlowFast's {architecture} is another network; {', '.join(_POOL2_T)} are read")
    if {*_numbers(setting(cfg, "NONLOCAL", "POOL"))} - {1, 2}:
        raise UnreadableCheckpoint("keys are pooled otherwise than 1x2x2 in this PySlowFast model, which is not read")
    kind, basis = _kind(cfg, hint)
    frames, stride = (_numbers(setting(cfg, "DATA", key)) for key in ("NUM_FRAMES", "SAMPLING_RATE"))
    told = bool(frames and stride)
    sampling = (frames[0], stride[0]) if told else (8, 8)
    spec = ModelSpec(
        backbone="resnet",
        resnet=resnet_of(
            shapes,
            stem_stride_t=1,
            pool1_kernel_t=1,
            pool1_stride_t=1,
            pool1_padding=1,
            pool2_t=_POOL2_T[architecture],
        ),
        classes=classes_of(shapes),
        frames=sampling[0],
        stride=sampling[1],
        blocks=_grouped(blocks_of(shapes, _BLOCKS[kind]), cfg, sampling[0], _POOL2_T[architecture]),
        mean=MEAN,
        std=STD,
    )
    release = f"{sampling[0]}x{sampling[1]}, " + ("by the configuration inside" if told else "assumed: none is inside")
    provenance = {"source": "facebookresearch/SlowFast", "licence": "Apache-2.0"}
    return Description(spec, provenance, (f"Release: {release}.", f"Pairwise function: {basis}."))


def _kind(cfg: str, hint: str) -> tuple[str, str]:
    told = setting(cfg, "NONLOCAL", "INSTANTIATION")
    if told in _BLOCKS:
        return told, f"{told}, by the configuration inside"
    if says_dot_product(hint):
        return "dot_product", "dot_product, by the file's name"
    return "softmax", "softmax, assumed: neither a configuration inside nor the file's name tells"


def _grouped(blocks: tuple[BlockSpec, ...], cfg: str, frames: int, pool2_t: int) -> tuple[BlockSpec, ...]:
    """NONLOCAL.GROUP holds a number of groups for each stage, ours a number of frames for each block."""
    counts = dict(enumerate(_numbers(setting(cfg, "NONLOCAL", "GROUP")), 2))  # of res2, res3, res4, res5
    grouped: list[BlockSpec] = []
    for block in blocks:
        stage = int(block.after[3])
        count, steps = counts.get(stage, 1), frames if stage == 2 else frames // pool2_t
        grouped.append(block.model_copy(update={"group_frames": steps // count}) if count > 1 else block)
    return tuple(grouped)


def recognises(names: Collection[str]) -> bool:
    """Whether these are PySlowFast's names."""
    return any(name.startswith(("s1.pathway0_stem.", "s2.pathway0_res")) for name in names)


SOURCE = Source("PySlowFast .pyth", RULES, recognises, describe)
