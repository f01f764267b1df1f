"""What follows a convolution: batch norm, or the learned scale and shift that it becomes when frozen."""

from __future__ import annotations

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
    """The factor per channel that a norm of `norm_of` applies when it is not training: [C]."""
    if isinstance(norm, nn.BatchNorm3d) and norm.running_var is not None:
        return norm.weight * (norm.running_var + norm.eps).rsqrt()
    if isinstance(norm, Affine):
        return norm.weight
    raise TypeError(f"{type(norm).__name__} is no norm of a block")


def norm_of(norm: Norm, channels: int, eps: float, momentum: float = 0.1) -> nn.BatchNorm3d | Affine:
    """The module that `norm` names; it starts as the identity."""
    return Affine(channels) if norm == "affine" else nn.BatchNorm3d(channels, eps=eps, momentum=momentum)
