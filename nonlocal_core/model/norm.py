"""What follows a convolution: batch norm, or the learned scale and shift that it becomes when frozen."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from nonlocal_core.model.spec import Norm


class Affine(nn.Module):
    """y = weight * x + bias per channel: "AffineNd" of video-nonlocal-net, whose batch norms are folded in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> the same shape."""
        return torch.addcmul(self.bias[:, None, None, None], x, self.weight[:, None, None, None])


def scale_of(norm: nn.Module) -> Tensor:
    """The factor per channel that a norm applies when it is not training: [C]."""
    if isinstance(norm, nn.BatchNorm3d) and norm.running_var is not None:
        scale = (norm.running_var + norm.eps).rsqrt()
        return scale if norm.weight is None else norm.weight * scale  # pyright: ignore[reportUnnecessaryComparison]
    if isinstance(norm, Affine):
        return norm.weight
    raise TypeError(f"{type(norm).__name__} is no norm of a network here")


def shift_of(norm: nn.Module) -> Tensor:
    """What a norm adds per channel, after `scale_of`, when it is not training: [C]."""
    if isinstance(norm, nn.BatchNorm3d) and norm.running_mean is not None:
        return norm.bias - norm.running_mean * scale_of(norm)
    return cast(Affine, norm).bias


def norm_of(norm: Norm, channels: int, eps: float, momentum: float = 0.1) -> nn.BatchNorm3d | Affine:
    """The module that `norm` names; it starts as the identity."""
    return Affine(channels) if norm == "affine" else nn.BatchNorm3d(channels, eps=eps, momentum=momentum)
