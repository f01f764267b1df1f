"""The same network, fast: `fast(model, precision)` exchanges its modules for twins that give the same numbers sooner.

    convolutions    norm, ReLU and residual in the same call (`convolve.py`), channels last
    max-pooling     in space by PyTorch's 2D kernel, then in time
    the first one   in float32 always: on three channels bfloat16 is slower
    blocks          theta and phi in float32 whatever the precision, so that arrows are as right as the features are

In bfloat16 the sum that runs through a ResNet is kept in float32 from res4 on, where it is added to most often and is
small (docs/performance.md). Twins are for inference; they have no gradient.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.convolve import FoldedConv
from nonlocal_core.model.inception import InceptionModule, SamePool, Triple, Unit3D, same_padding
from nonlocal_core.model.precision import Precision
from nonlocal_core.model.resnet import Bottleneck, ConvNorm, Stem

_WIDE = 1024  # channels that leave a bottleneck of res4
_DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def fast(model: Model, precision: Precision) -> Model:
    """A fast twin of a model in evaluation mode, with weights of its own; its blocks are recorded like any others'."""
    twin, dtype = copy.deepcopy(model), _DTYPES[precision]
    for modules in (twin.stages, twin.blocks):
        for name, module in modules.items():
            modules[name] = _twin(module, dtype)
    twin.head, twin.precision = InFloat32(twin.head), precision
    return twin.requires_grad_(requires_grad=False).eval()


def _twin(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    if isinstance(module, Stem):
        return FoldedConv(module.conv, module.norm, torch.float32, relu=True)
    if isinstance(module, Unit3D):
        if max(module.conv.stride) > 1:
            return SameConv(module.conv, module.bn, torch.float32, relu=True)
        return FoldedConv(module.conv, module.bn, dtype, relu=True)
    if isinstance(module, SamePool):
        return SplitPool(module.kernel, module.stride, padding=None)
    if isinstance(module, nn.MaxPool3d):
        return SplitPool(_triple(module.kernel_size), _triple(module.stride), padding=_triple(module.padding))
    if isinstance(module, Bottleneck):
        return FastBottleneck(module, dtype)
    if isinstance(module, InceptionModule):
        return FastInception(module, dtype)
    assert isinstance(module, NonLocalBlock)
    return FastBlock(module, dtype)


class SameConv(FoldedConv):
    """A `FoldedConv` with TensorFlow's "SAME" padding, which depends on the input's size."""

    def __init__(self, conv: nn.Conv3d, norm: nn.Module, dtype: torch.dtype, *, relu: bool) -> None:
        super().__init__(conv, norm, dtype, relu=relu)
        self.padding = [0, 0, 0]

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """[N, C, T, H, W] -> [N, O, T/s, H/s, W/s], rounded up."""
        t, h, w = self.weight.shape[2:]
        pads = same_padding(tuple(x.shape[2:]), (t, h, w), cast(Triple, self.stride))
        return super().forward(functional.pad(x, pads), residual)


class SplitPool(nn.Module):
    """Max-pooling in space, then in time.

    Args:
        padding: in front of and behind windows that are never cut; None for TensorFlow's "SAME".
    """

    def __init__(self, kernel: Triple, stride: Triple, *, padding: Triple | None) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> what max_pool3d gives."""
        same, (n, c, t) = self.padding is None, x.shape[:3]
        pads = same_padding(tuple(x.shape[2:]), self.kernel, self.stride)
        before_t, *before = self.padding or pads[4::-2]
        if self.kernel[1:] != (1, 1):
            frames = x.permute(0, 2, 3, 4, 1).flatten(0, 1).permute(0, 3, 1, 2)  # [N * T, C, H, W], channels last
            frames = functional.max_pool2d(frames, self.kernel[1:], self.stride[1:], before, ceil_mode=same)
            x = frames.permute(0, 2, 3, 1).reshape(n, t, *frames.shape[2:], c).permute(0, 4, 1, 2, 3)
        if self.kernel[0] == 1 and self.stride[0] == 1:
            return x
        out_t = -(-t // self.stride[0]) if same else (t + 2 * before_t - self.kernel[0]) // self.stride[0] + 1
        return self._along_time(x, before_t, out_t)

    def _along_time(self, x: Tensor, before: int, out_t: int) -> Tensor:
        kernel, step = self.kernel[0], self.stride[0]
        n, c, t, h, w = x.shape
        y = x.new_full((n, out_t, h, w, c), -torch.inf).permute(0, 4, 1, 2, 3)  # channels last
        for tap in range(kernel):  # y[o] = max of x[o * step + tap - before], where that is a frame of the clip
            first = -(-max(0, before - tap) // step)
            count = min(out_t - 1, (t - 1 + before - tap) // step) - first + 1
            begin = first * step + tap - before
            into = y[:, :, first : first + count]
            torch.maximum(into, x[:, :, begin : begin + count * step : step], out=into)
        return y


class FastBottleneck(nn.Module):
    """A `Bottleneck` of folded convolutions in `dtype`; from res4 on its sum is float32."""

    def __init__(self, module: Bottleneck, dtype: torch.dtype) -> None:
        super().__init__()
        self.sums_apart = dtype != torch.float32 and module.c.conv.out_channels >= _WIDE
        self.a = FoldedConv(module.a.conv, module.a.norm, dtype, relu=True)
        self.b = FoldedConv(module.b.conv, module.b.norm, dtype, relu=True)
        self.c = FoldedConv(module.c.conv, module.c.norm, dtype, relu=not self.sums_apart)
        self.shortcut = module.shortcut
        if isinstance(module.shortcut, ConvNorm):
            self.shortcut = FoldedConv(module.shortcut.conv, module.shortcut.norm, dtype, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, 4 * width, T, H/s, W/s]."""
        branch = self.b(self.a(x))
        if self.sums_apart:
            return self.c(branch).float().add_(self.shortcut(x)).relu_()
        return self.c(branch, self.shortcut(x))


class FastInception(nn.Module):
    """An `InceptionModule` of folded convolutions."""

    def __init__(self, module: InceptionModule, dtype: torch.dtype) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(_twin(part, dtype) for part in (branch if isinstance(branch, nn.Sequential) else [branch])))
            for branch in (module.branch_0, module.branch_1, module.branch_2, module.branch_3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, b0 + b1 + b2 + b3, T, H, W]."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class FastBlock(NonLocalBlock):
    """A `NonLocalBlock` that relates in float32 and computes all that follows in `dtype`."""

    def __init__(self, module: NonLocalBlock, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.spec = module.spec
        self.theta, self.phi = module.theta, module.phi
        self.pool = module.pool if isinstance(module.pool, nn.Identity) else _twin(module.pool, dtype)
        self.pairwise = module.pairwise
        if module.spec.residual == "learned":
            conv, norm = cast(nn.Conv3d, module.w_z[0]), module.w_z[1]
            self.g = FoldedConv(module.g, None, dtype, relu=False)
            self.out = FoldedConv(conv, norm, dtype, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """As `NonLocalBlock.forward`, in the type of x."""
        affinity = self.relate(x.float())
        if self.spec.residual == "absent":
            return x
        y = affinity.aggregate(self.keys(self.g, x))
        return self.out(y, x) if x.dtype == y.dtype else x + self.out(y)

    def carried(self, x: Tensor) -> Tensor:
        """As `NonLocalBlock.carried`."""
        g = self.keys(self.g, x).flatten(2)  # [N, D, K]
        return (self.out.weight.flatten(1) @ g).float().square().sum(1).sqrt()


class InFloat32(nn.Module):
    """A head that is given float32: it is small, and its sums are long."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """As the head's."""
        return self.head(x.float())


def _triple(value: int | Triple) -> Triple:
    return (value, value, value) if isinstance(value, int) else value
