"""Convolutions of a finished network: norms folded in, channels last, bias, ReLU and residual in the same call.

On a processor oneDNN does all of it in one pass over memory, through the operators that torch.compile itself uses for
it; elsewhere the same is put together from PyTorch's own calls. For inference only: nothing here has a gradient.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.model.norm import scale_of, shift_of

Norm = nn.Module | None


def folded(conv: nn.Conv3d, norm: Norm) -> tuple[Tensor, Tensor]:
    """Weight [O, C, t, h, w] and bias [O] of one convolution that does what `conv` and then `norm` did."""
    weight, bias = conv.weight, conv.bias
    if norm is not None:
        weight = weight * scale_of(norm)[:, None, None, None, None]
        bias = shift_of(norm) + (0 if bias is None else bias * scale_of(norm))
    return weight.detach(), (weight.new_zeros(len(weight)) if bias is None else bias).detach()


class FoldedConv(nn.Module):
    """y = [ReLU](conv(x) [+ residual]) in `dtype`, channels last; its input is padded to keep the size."""

    weight: Tensor
    bias: Tensor
    _packed: Tensor | None = None  # the weight in the layout that oneDNN chose at the first input

    def __init__(self, conv: nn.Conv3d, norm: Norm, dtype: torch.dtype, *, relu: bool) -> None:
        super().__init__()
        weight, bias = folded(conv, norm)
        self.register_buffer("weight", weight.to(dtype, memory_format=torch.channels_last_3d))
        self.register_buffer("bias", bias.to(dtype))
        self.stride = [int(step) for step in conv.stride]
        self.padding = [size // 2 for size in weight.shape[2:]]
        self.relu = relu

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """[N, C, T, H, W] of any type -> [N, O, T/s, H/s, W/s], rounded up; `residual` is like the result."""
        x, weight = x.to(self.weight.dtype), self.weight
        residual = residual if residual is None else residual.to(weight.dtype)
        if _has_onednn(x):
            self._packed = weight = self._pack(x) if self._packed is None else self._packed
        return convolve(x, weight, self.bias, self.stride, self.padding, relu=self.relu, residual=residual)

    def _pack(self, x: Tensor) -> Tensor:
        pack = cast(Any, torch.ops).mkldnn._reorder_convolution_weight
        return pack(self.weight, self.padding, self.stride, [1, 1, 1], 1, list(x.shape))

    def __getstate__(self) -> dict[str, Any]:
        """Without what is packed, which PyTorch cannot copy: a copy packs again."""
        return self.__dict__ | {"_packed": None}


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    stride: list[int],
    padding: list[int],
    *,
    relu: bool,
    residual: Tensor | None = None,
) -> Tensor:
    """A 2D or 3D convolution with all that follows it; x and weight are channels last and of one dtype."""
    if not _has_onednn(x):
        function = functional.conv3d if x.ndim == 5 else functional.conv2d
        y = function(x, weight, bias, stride, padding)
        y = y if residual is None else y.add_(residual)
        return y.relu_() if relu else y
    dense, given = [1] * len(stride), (weight, bias, padding, stride)
    if residual is None:
        return _onednn()(x, *given, dense, 1, "relu" if relu else "none", [], "")
    return _onednn().binary(x, residual, *given, dense, 1, "add", 1.0, "relu" if relu else None, [], "")


def _has_onednn(x: Tensor) -> bool:
    """Whether to call oneDNN here; torch.compile does so by itself."""
    return x.device.type == "cpu" and torch.backends.mkldnn.is_available() and not torch.compiler.is_compiling()


def _onednn() -> Any:
    return cast(Any, torch.ops).mkldnn._convolution_pointwise
