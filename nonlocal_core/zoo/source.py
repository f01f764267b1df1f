"""A `Source`: a project that publishes checkpoints, and how its files are understood.

A file's tensors show much (`resnet_of`: depth, inflation, kind of norm, where the blocks stand), but not all: strides,
padding, the factor before the softmax and the sampling of frames leave no trace in them. Each source supplies those
in `describe`, from what else is in the file, else from the file's published name, else by a stated assumption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec
from nonlocal_core.zoo.rules import Rule, Rules, Shapes

if TYPE_CHECKING:  # cards know a source's spec without torch
    from nonlocal_core.zoo.containers import Contents


@dataclass(frozen=True)
class Description:
    """What a file turns out to be. The notes say, for people, how that was known and what had to be assumed."""

    spec: ModelSpec
    provenance: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One project's file layout.

    `recognises` sees the names in the file; `describe` sees the file, the shapes under our names, and the file's name
    as it was published. It raises UnreadableCheckpoint for a network of that project that is not among ours.
    """

    name: str
    rules: Rules
    recognises: Callable[[Collection[str]], bool]
    describe: Callable[[Contents, Shapes, str], Description]


def resnet_of(shapes: Shapes, **choices: Any) -> ResNetSpec:
    """The ResNet that these tensors (under our names) belong to; `choices` are what shapes do not show."""
    inflation = "3x1x1" if _frames(shapes, "stages.res2_0.a.conv.weight") == 3 else "none"
    return ResNetSpec(
        depth=101 if any(name.startswith("stages.res4_6.") for name in shapes) else 50,
        inflation="3x3x3" if _frames(shapes, "stages.res2_0.b.conv.weight") == 3 else inflation,
        stem_kernel_t=_frames(shapes, "stages.conv1.conv.weight"),
        norm="batch" if any(name.endswith("running_var") for name in shapes) else "affine",
        **choices,
    )


def _frames(shapes: Shapes, kernel: str) -> int:
    shape = shapes.get(kernel, ())
    return shape[2] if len(shape) == 5 else 1


def blocks_of(shapes: Shapes, spec: BlockSpec) -> tuple[BlockSpec, ...]:
    """The non-local blocks that these tensors belong to, each like `spec` but for its place and what shapes show."""
    names = {match[1] for name in shapes if (match := re.match(r"blocks\.(\w+)\.", name))}
    ordered = sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    return tuple(spec.model_copy(update={"after": name} | _shown(shapes, f"blocks.{name}")) for name in ordered)


def _shown(shapes: Shapes, block: str) -> dict[str, Any]:
    inner, channels = shapes.get(f"{block}.g.weight", (1, 2))[:2]
    shown: dict[str, Any] = {
        "out_bias": f"{block}.w_z.0.bias" in shapes,
        "norm": "batch" if f"{block}.w_z.1.running_var" in shapes else "affine",
        "inner_channels": None if inner == channels // 2 else inner,
    }
    if f"{block}.theta.weight" not in shapes:
        shown["kind"] = "gaussian"
    elif f"{block}.pairwise.w_f" in shapes:
        shown["kind"] = "concatenation"
    return shown


def classes_of(shapes: Shapes) -> int:
    """How many classes the classifier tells apart."""
    return shapes.get("head.classifier.weight", (1,))[0]


def batch_norm(theirs: str, ours: str) -> Rule:
    """The four tensors of a batch norm with torch's names."""
    return Rule(rf"{theirs}\.(?P<leaf>weight|bias|running_mean|running_var)", rf"{ours}.\g<leaf>")
