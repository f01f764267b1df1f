"""facebookresearch/video-nonlocal-net's .pkl files, and the .pkl files of PySlowFast's model zoo: Caffe2 blobs.

Both projects use the same names and shapes for networks that differ in strides and in the padding of pool1, so which
release a file is of must come from its published name. Their numbers are the projects' own code.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.rules import Ignored, Rule, Rules, Shapes, as_convolution
from nonlocal_core.zoo.source import Description, Source, blocks_of, classes_of, resnet_of

MEAN, STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)  # 114.75 and 57.375 of 255
RES3_GROUP = 4  # frames; lib/models/resnet_video.py, res3 of the affine (128x1, 32x4) models only


def _norm(theirs: str, ours: str) -> list[Rule]:
    """A batch norm's four blobs; an affine layer has the first two. `riv` holds the variance itself."""
    leaves = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
    return [Rule(f"{theirs}_{leaf}", f"{ours}.{name}") for leaf, name in leaves.items()]


LICENCES = {
    "video-nonlocal-net": "CC BY-NC 4.0 (code and models, as its README says)",
    "SlowFast": "see source (its code: Apache-2.0)",
}

RULES: Rules = [
    Ignored("model_iter"),
    Ignored("lr"),
    Ignored(r".+_momentum"),
    Rule("conv1_w", "stages.conv1.conv.weight"),  # conv1_w -> stages.conv1.conv.weight
    # res_conv1_bn_s -> stages.conv1.norm.weight
    # res_conv1_bn_b -> stages.conv1.norm.bias
    # res_conv1_bn_rm -> stages.conv1.norm.running_mean
    # res_conv1_bn_riv -> stages.conv1.norm.running_var
    *_norm("res_conv1_bn", "stages.conv1.norm"),
    # res4_22_branch2a_w -> stages.res4_22.a.conv.weight
    Rule(r"res(\d)_(\d+)_branch2([abc])_w", r"stages.res\1_\2.\3.conv.weight"),
    # res3_1_branch2c_bn_s -> stages.res3_1.c.norm.weight
    # res3_1_branch2b_bn_b -> stages.res3_1.b.norm.bias
    # res3_1_branch2a_bn_rm -> stages.res3_1.a.norm.running_mean
    # res3_1_branch2a_bn_riv -> stages.res3_1.a.norm.running_var
    *_norm(r"res(\d)_(\d+)_branch2([abc])_bn", r"stages.res\1_\2.\3.norm"),
    # res3_0_branch1_w -> stages.res3_0.shortcut.conv.weight
    Rule(r"res(\d)_(\d+)_branch1_w", r"stages.res\1_\2.shortcut.conv.weight"),
    # res3_0_branch1_bn_s -> stages.res3_0.shortcut.norm.weight
    # res3_0_branch1_bn_b -> stages.res3_0.shortcut.norm.bias
    # res3_0_branch1_bn_rm -> stages.res3_0.shortcut.norm.running_mean
    # res3_0_branch1_bn_riv -> stages.res3_0.shortcut.norm.running_var
    *_norm(r"res(\d)_(\d+)_branch1_bn", r"stages.res\1_\2.shortcut.norm"),
    # nonlocal_conv3_1_theta_w -> blocks.res3_1.theta.weight
    Rule(r"nonlocal_conv(\d)_(\d+)_(theta|phi|g)_w", r"blocks.res\1_\2.\3.weight"),
    # nonlocal_conv4_13_g_b -> blocks.res4_13.g.bias
    Rule(r"nonlocal_conv(\d)_(\d+)_(theta|phi|g)_b", r"blocks.res\1_\2.\3.bias"),
    # nonlocal_conv3_1_out_w -> blocks.res3_1.w_z.0.weight
    Rule(r"nonlocal_conv(\d)_(\d+)_out_w", r"blocks.res\1_\2.w_z.0.weight"),
    # nonlocal_conv3_1_out_b -> blocks.res3_1.w_z.0.bias
    Rule(r"nonlocal_conv(\d)_(\d+)_out_b", r"blocks.res\1_\2.w_z.0.bias"),
    # nonlocal_conv3_1_bn_s -> blocks.res3_1.w_z.1.weight
    # nonlocal_conv3_1_bn_b -> blocks.res3_1.w_z.1.bias
    # nonlocal_conv3_1_bn_rm -> blocks.res3_1.w_z.1.running_mean
    # nonlocal_conv3_1_bn_riv -> blocks.res3_1.w_z.1.running_var
    *_norm(r"nonlocal_conv(\d)_(\d+)_bn", r"blocks.res\1_\2.w_z.1"),
    Rule("pred_w", "head.classifier.weight", as_convolution),  # pred_w -> head.classifier.weight
    Rule("pred_b", "head.classifier.bias"),  # pred_b -> head.classifier.bias
]


@dataclass(frozen=True)
class Release:
    """What the blobs of a release do not show: how clips are sampled, and where time shrinks."""

    frames: int
    stride: int
    family: Literal["paper", "faster", "pyslowfast"]

    @property
    def time(self) -> dict[str, int]:
        """The stem's strides, as fields of `ResNetSpec`."""
        halves = 2 if self.family == "paper" else 1  # the faster models take few frames and keep them all
        padding = 1 if self.family == "pyslowfast" else 0  # Caffe2 pools without: 55x55 of 224 px
        return {"stem_stride_t": halves, "pool1_kernel_t": halves, "pool1_stride_t": halves, "pool1_padding": padding}


_PAPER = ("32x2", "128x1")  # the others of video-nonlocal-net, 8x8 and 32x4, are its faster models
_PYSLOWFAST = r"slowfast|(?:c2d|i3d)_(?:nln_|nopool_)?\d+x\d+_r\d+"  # I3D_NLN_8x8_R50
_TUSHAR_N = r"tushar"  # his checkpoints are video-nonlocal-net's 32x2


def release_of(hint: str, *, affine: bool) -> tuple[Release, str]:
    """The release that a published file's name tells, and in words how that was known."""
    sampling = re.search(r"(?<!\d)(8x8|32x2|32x4|128x1)(?!\d)", hint)
    known = sampling[1] if sampling else "32x2" if re.search(_TUSHAR_N, hint, re.IGNORECASE) else None
    if re.search(_PYSLOWFAST, hint, re.IGNORECASE):
        frames, stride = map(int, (known or "8x8").split("x"))
        return Release(frames, stride, "pyslowfast"), f"PySlowFast's {frames}x{stride}, by the file's name"
    frames, stride = map(int, (known or ("32x4" if affine else "8x8")).split("x"))
    release = Release(frames, stride, "paper" if f"{frames}x{stride}" in _PAPER else "faster")
    basis = "by the file's name" if known else "assumed: neither the blobs nor the file's name tell"
    return release, f"video-nonlocal-net's {frames}x{stride}, {basis}"


def says_dot_product(hint: str) -> bool:
    """Whether a file's name tells of the dot product; it has the embedded Gaussian's tensors."""
    return re.search(r"(?<![a-z])dot(?![a-z])", hint, re.IGNORECASE) is not None


def describe(contents: Contents, shapes: Shapes, hint: str) -> Description:
    """The network and the release of a Caffe2 file."""
    affine = not any(name.endswith("_bn_riv") for name in contents.arrays)
    release, basis = release_of(hint, affine=affine)
    dot = says_dot_product(hint)
    eps = 1e-5 if release.family == "pyslowfast" else 1.0000001e-5
    block = BlockSpec(
        after="",
        kind="dot_product" if dot else "embedded_gaussian",
        scale=1.0 if dot else "inverse_sqrt",
        norm_eps=eps,
    )
    blocks = [
        found.model_copy(update={"group_frames": RES3_GROUP}) if affine and found.after.startswith("res3") else found
        for found in blocks_of(shapes, block)
    ]
    spec = ModelSpec(
        backbone="resnet",
        resnet=resnet_of(shapes, **release.time, pool2_t=1 if "nopool" in hint.lower() else 2, norm_eps=eps),
        classes=classes_of(shapes),
        frames=release.frames,
        stride=release.stride,
        blocks=tuple(blocks),
        mean=MEAN,
        std=STD,
    )
    kind = "dot product, by the file's name." if dot else "embedded Gaussian, as in every published .pkl file."
    project = "SlowFast" if release.family == "pyslowfast" else "video-nonlocal-net"
    provenance = {"source": f"facebookresearch/{project}", "licence": LICENCES[project]}
    return Description(spec, provenance, (f"Release: {basis}.", f"Pairwise function: {kind}"))


def recognises(names: Collection[str]) -> bool:
    """Whether these are Caffe2 blobs of a video ResNet."""
    return "conv1_w" in names or "res_conv1_bn_s" in names


SOURCE = Source("video-nonlocal-net or PySlowFast, Caffe2 .pkl", RULES, recognises, describe)
