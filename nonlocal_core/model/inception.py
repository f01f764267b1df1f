"""I3D on Inception-v1: Carreira & Zisserman 2017 (arXiv 1705.07750), as DeepMind released it.

Source of every number: github.com/deepmind/kinetics-i3d, i3d.py. TensorFlow's "SAME" padding is asymmetric where
kernel and stride do not match, so it is computed from the input's size; batch norm has eps 1e-3 and no scale.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

Triple = tuple[int, int, int]

# Output widths of the six convolutions of each module: branch 0, branch 1 (reduce, 3x3x3), branch 2, branch 3.
MODULES: dict[str, tuple[int, int, int, int, int, int]] = {
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same_padding(size: tuple[int, ...], kernel: Triple, stride: Triple) -> list[int]:
    """TensorFlow's SAME padding of [T, H, W], in the order that `functional.pad` wants (W first, before and after)."""
    pads: list[int] = []
    for length, k, s in zip(reversed(size), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-length // s) - 1) * s + k - length, 0)
        pads += [total // 2, total - total // 2]  # the odd one goes behind
    return pads


class Unit3D(nn.Module):
    """Convolution with SAME padding, batch norm without scale, ReLU."""

    def __init__(self, channels: int, out: int, kernel: Triple = (1, 1, 1), stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(out, eps=1e-3)
        self.bn.register_parameter("weight", None)  # the release has no scale

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, out, ceil(T/s), ceil(H/s), ceil(W/s)]."""
        kernel, stride = self.conv.kernel_size, self.conv.stride
        pads = same_padding(tuple(x.shape[2:]), kernel, stride)  # pyright: ignore[reportArgumentType]
        return self.bn(self.conv(functional.pad(x, pads) if any(pads) else x)).relu()


class SamePool(nn.Module):
    """Max-pooling with SAME padding; what is padded never wins."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, C, ceil(T/s), ceil(H/s), ceil(W/s)]."""
        pads = same_padding(tuple(x.shape[2:]), self.kernel, self.stride)
        return functional.max_pool3d(functional.pad(x, pads, value=-torch.inf), self.kernel, self.stride)


class InceptionModule(nn.Module):
    """Four branches side by side, joined along the channels."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        b0, b1_reduce, b1, b2_reduce, b2, b3 = widths
        cube: Triple = (3, 3, 3)
        self.branch_0 = Unit3D(channels, b0)
        self.branch_1 = nn.Sequential(Unit3D(channels, b1_reduce), Unit3D(b1_reduce, b1, cube))
        self.branch_2 = nn.Sequential(Unit3D(channels, b2_reduce), Unit3D(b2_reduce, b2, cube))
        self.branch_3 = nn.Sequential(SamePool(cube, (1, 1, 1)), Unit3D(channels, b3))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, b0 + b1 + b2 + b3, T, H, W]."""
        return torch.cat([self.branch_0(x), self.branch_1(x), self.branch_2(x), self.branch_3(x)], 1)


class InceptionHead(nn.Module):
    """Average over 2x7x7 windows, a linear classifier at each, mean over places: [N, C, T, H, W] -> [N, classes]."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Conv3d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each clip. Inputs smaller than the window are averaged whole."""
        window = tuple(min(side, length) for side, length in zip((2, 7, 7), x.shape[2:], strict=True))
        return self.classifier(functional.avg_pool3d(x, window, stride=1)).mean((2, 3, 4))


def width_of(stage: str) -> int:
    """Channels that leave an Inception module, such as 512 for `mixed_4c`."""
    b0, _, b1, _, b2, b3 = MODULES[stage]
    return b0 + b1 + b2 + b3


def inception_stages() -> OrderedDict[str, nn.Module]:
    """The backbone as named stages, in the order they are run. Grids for 32x224x224: see each line."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    stages["conv_1a"] = Unit3D(3, 64, (7, 7, 7), (2, 2, 2))  # 16 x 112 x 112
    stages["pool_2a"] = SamePool((1, 3, 3), (1, 2, 2))  # 16 x 56 x 56
    stages["conv_2b"] = Unit3D(64, 64)
    stages["conv_2c"] = Unit3D(64, 192, (3, 3, 3))
    stages["pool_3a"] = SamePool((1, 3, 3), (1, 2, 2))  # 16 x 28 x 28
    pools = {
        "mixed_4b": ("pool_4a", SamePool((3, 3, 3), (2, 2, 2))),  # 8 x 14 x 14
        "mixed_5b": ("pool_5a", SamePool((2, 2, 2), (2, 2, 2))),  # 4 x 7 x 7
    }
    channels = 192
    for name, widths in MODULES.items():
        if name in pools:
            pool_name, pool = pools[name]
            stages[pool_name] = pool
        stages[name] = InceptionModule(channels, widths)
        channels = width_of(name)
    return stages
