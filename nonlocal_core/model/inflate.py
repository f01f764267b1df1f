"""From a 2D ResNet to a video network: its weights, copied along time (Carreira & Zisserman 2017; Wang et al., 4.1).

A 2D kernel becomes t copies of itself, each 1/t as strong, so that a still video gives what its frame gave. Taken
from a state dict in torchvision's layout (`layer3.5.conv2.weight`); its classifier names other classes and is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from nonlocal_core.errors import ConversionFailed, InvalidSpec
from nonlocal_core.model.build import Model

_PARTS = {"1": "a", "2": "b", "3": "c"}
_EPS = 1e-5  # of torchvision's batch norms


def inflate(model: Model, image_weights: Mapping[str, Tensor]) -> None:
    """Start a ResNet `model` from the weights of the 2D ResNet of the same depth; blocks and classifier stay as new.

    Raises:
        InvalidSpec: the model is not a ResNet.
        ConversionFailed: tensors are missing, left over or of the wrong shape; all of them are listed.
    """
    if model.spec.resnet is None:
        raise InvalidSpec(f"backbone {model.spec.backbone} cannot be inflated; only a ResNet has a 2D counterpart here")
    given = {
        ours_of(name): value
        for name, value in image_weights.items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }
    if model.spec.resnet.norm == "affine":
        given = _folded(given)
    wanted = {
        name: value for name, value in model.stages.state_dict().items() if not name.endswith("num_batches_tracked")
    }
    misfits = [f"{name} is missing" for name in wanted if name not in given]
    misfits += [f"{name} is left over" for name in given if name not in wanted]
    misfits += [
        f"{name} is {tuple(value.shape)} and fits no kernel {tuple(wanted[name].shape)}"
        for name, value in given.items()
        if name in wanted and value.shape != _flat_shape(wanted[name])
    ]
    if misfits:
        raise ConversionFailed(misfits)
    with torch.no_grad():
        for name, target in wanted.items():  # state_dict() shares its memory with the model
            target.copy_(_along_time(given[name], target))


def ours_of(name: str) -> str:
    """Our name, below `stages.`, of a tensor of torchvision's ResNet: layer1.0.bn3.bias -> res2_0.c.norm.bias."""
    if match := re.fullmatch(r"(conv|bn)1\.(\w+)", name):
        return f"conv1.{_module(match[1])}.{match[2]}"
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn)([123])\.(\w+)", name):
        stage, index, module, part, tensor = match.groups()
        return f"res{int(stage) + 1}_{index}.{_PARTS[part]}.{_module(module)}.{tensor}"
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.downsample\.([01])\.(\w+)", name):
        stage, index, which, tensor = match.groups()
        return f"res{int(stage) + 1}_{index}.shortcut.{'conv' if which == '0' else 'norm'}.{tensor}"
    return name


def _module(theirs: str) -> str:
    return {"conv": "conv", "bn": "norm"}[theirs]


def _flat_shape(target: Tensor) -> torch.Size:
    return torch.Size((*target.shape[:2], *target.shape[3:])) if target.ndim == 5 else target.shape


def _along_time(weights: Tensor, target: Tensor) -> Tensor:
    """A 2D kernel [O, I, H, W] -> [O, I, t, H, W], t copies of 1/t; vectors as they are."""
    return weights[:, :, None] / target.shape[2] if target.ndim == 5 else weights


def _folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Batch norms as scale and shift: weight / sqrt(var + eps), bias - mean * that."""
    out = {name: value for name, value in weights.items() if ".running_" not in name}
    for name, variance in weights.items():
        if name.endswith(".running_var"):
            norm = name.removesuffix(".running_var")
            out[f"{norm}.weight"] = scale = weights[f"{norm}.weight"] * (variance + _EPS).rsqrt()
            out[f"{norm}.bias"] = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return out
