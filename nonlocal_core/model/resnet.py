"""ResNet for video: C2D and its inflations to I3D, as Wang et al. 2018 (Section 4.1, Table 1) and their peers built it.

Where the published networks differ, `ResNetSpec` has a field; what they share stands here as code. Every residual
block ends in a ReLU, and a non-local block comes after it (`build.py`). Sources of all numbers: FACTS.md, from
github.com/facebookresearch/video-nonlocal-net, lib/models/resnet_video.py.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from nonlocal_core.model.norm import norm_of
from nonlocal_core.model.spec import ResNetSpec

Triple = tuple[int, int, int]

BOTTLENECKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # in res2, res3, res4, res5; He et al. 2016, Table 1
_EXPANSION = 4  # a bottleneck gives four times as many channels as its 3x3 has


class ConvNorm(nn.Module):
    """Convolution without bias, padded to keep the size but for the stride, then a norm."""

    def __init__(self, spec: ResNetSpec, channels: int, out: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        t, h, w = kernel
        self.conv = nn.Conv3d(channels, out, kernel, stride, (t // 2, h // 2, w // 2), bias=False)
        self.norm = norm_of(spec.norm, out, spec.norm_eps)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")  # "MSRA", as all sources start

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, out, T/s, H/s, W/s], rounded up."""
        return self.norm(self.conv(x))


class Stem(ConvNorm):
    """conv1: 7x7 in space with stride 2, then norm and ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, T, H, W] -> [N, 64, T/s, H/2, W/2], rounded up."""
        return super().forward(x).relu()


class Bottleneck(nn.Module):
    """ReLU(x + c(b(a(x)))): 1x1 (a), 3x3 (b), 1x1 (c); `inflated` ones look at three frames, in a or in b.

    The shortcut is a 1x1x1 convolution where the shape changes, and x itself elsewhere.
    """

    def __init__(self, spec: ResNetSpec, channels: int, width: int, *, stride: int, inflated: bool) -> None:
        super().__init__()
        out = width * _EXPANSION
        a_t = 3 if inflated and spec.inflation == "3x1x1" else 1
        b_t = 3 if inflated and spec.inflation == "3x3x3" else 1
        a_stride, b_stride = (stride, 1) if spec.spatial_stride_on == "1x1" else (1, stride)
        self.a = ConvNorm(spec, channels, width, (a_t, 1, 1), (1, a_stride, a_stride))
        self.b = ConvNorm(spec, width, width, (b_t, 3, 3), (1, b_stride, b_stride))
        self.c = ConvNorm(spec, width, out, (1, 1, 1))
        changes = stride > 1 or channels != out
        self.shortcut = ConvNorm(spec, channels, out, (1, 1, 1), (1, stride, stride)) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T, H, W] -> [N, 4 * width, T, H/s, W/s]."""
        return (self.c(self.b(self.a(x).relu()).relu()) + self.shortcut(x)).relu()


class ResNetHead(nn.Module):
    """Pool over all frames, drop out (in training), classify: [N, C, T, H, W] -> logits [N, classes].

    Fully convolutional: every 7x7 window of places is classified, and softmax of what comes out is the mean of the
    windows' probabilities. One window, as for 224 px, gives its own logits.
    """

    def __init__(self, spec: ResNetSpec, channels: int, classes: int) -> None:
        super().__init__()
        self.whole = spec.head == "global_average"
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = nn.Conv3d(channels, classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        assert self.classifier.bias is not None
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each clip. Inputs smaller than the window are averaged whole."""
        t, h, w = x.shape[2:]
        window = (t, h, w) if self.whole else (t, min(7, h), min(7, w))
        pooled = functional.avg_pool3d(x, window, stride=1)  # [N, C, 1, H - 6, W - 6]
        logits = self.classifier(self.dropout(pooled)).flatten(2)  # [N, classes, windows]
        if logits.shape[2] == 1:
            return logits[:, :, 0]
        level = logits.logsumexp(1).mean(1, keepdim=True)  # [N, 1]: keeps the logits' level; softmax does not see it
        return logits.log_softmax(1).logsumexp(2) - math.log(logits.shape[2]) + level


def is_inflated(stage: int, index: int) -> bool:
    """Whether bottleneck `index` of a stage spans several frames: res2 111, res3 1010, res4 1010..., res5 010."""
    return stage == 2 or index % 2 == (1 if stage == 5 else 0)


def resnet_widths(spec: ResNetSpec) -> OrderedDict[str, int]:
    """Channels that leave each bottleneck, such as 512 for `res3_1`, in network order."""
    counts = BOTTLENECKS[spec.depth]
    return OrderedDict(
        (f"res{stage}_{i}", _width(stage) * _EXPANSION) for stage, count in enumerate(counts, 2) for i in range(count)
    )


def resnet_stages(spec: ResNetSpec) -> OrderedDict[str, nn.Module]:
    """The backbone as named stages, in the order they are run. Grids for 32x224x224 of the default: see each line."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    stages["conv1"] = Stem(spec, 3, 64, (spec.stem_kernel_t, 7, 7), (spec.stem_stride_t, 2, 2))  # 16 x 112 x 112
    pad = spec.pool1_padding
    stages["pool1"] = nn.MaxPool3d(
        (spec.pool1_kernel_t, 3, 3), (spec.pool1_stride_t, 2, 2), (0, pad, pad)
    )  # 8 x 55 x 55
    channels = 64
    for name, out in resnet_widths(spec).items():
        stage, index = int(name[3]), int(name[5:])
        if name == "res3_0" and spec.pool2_t > 1:
            stages["pool2"] = nn.MaxPool3d((spec.pool2_t, 1, 1))  # 4 x 55 x 55
        stride = 2 if index == 0 and stage > 2 else 1  # 4 x 28 x 28, 14 x 14, 7 x 7
        stages[name] = Bottleneck(spec, channels, _width(stage), stride=stride, inflated=is_inflated(stage, index))
        channels = out
    return stages


def _width(stage: int) -> int:
    return 64 * 2 ** (stage - 2)
