"""Inflation: a still video must give what the 2D network gave for its frame."""

import pytest
import torch
from torch import Tensor, nn

from nonlocal_core.errors import ConversionFailed, InvalidSpec
from nonlocal_core.model.build import Model
from nonlocal_core.model.inflate import inflate
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec

ONE_FRAME_AT_A_TIME = {"stem_stride_t": 1, "pool1_kernel_t": 1, "pool1_stride_t": 1, "pool2_t": 1, "pool1_padding": 1}
REACH = 11  # frames to either side that the last stage of an I3D R50 sees: conv1 two, nine inflated kernels one each


class Bottleneck2D(nn.Module):
    """torchvision's, with its names."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        if stride > 1 or channels != 4 * width:
            shortcut = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        return (self.bn3(self.conv3(y)) + (self.downsample(x) if hasattr(self, "downsample") else x)).relu()


class ResNet2D(nn.Module):
    """torchvision's ResNet-50 up to its last stage."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for stage, count in enumerate((3, 4, 6, 3), 1):
            width, layers = 32 * 2**stage, []
            for i in range(count):
                layers.append(Bottleneck2D(channels, width, 2 if i == 0 and stage > 1 else 1))
                channels = 4 * width
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


@pytest.fixture(scope="module")
def image_net():
    """A 2D network whose batch norms have seen something; its features neither vanish nor grow."""
    torch.manual_seed(0)
    net = ResNet2D()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, std=0.1)
            module.momentum = 1.0
    with torch.no_grad():
        net(torch.randn(4, 3, 64, 64))
    return net.eval()


def video_net(**resnet) -> Model:
    return Model(
        ModelSpec(
            backbone="resnet", resnet=ResNetSpec(**(ONE_FRAME_AT_A_TIME | resnet)), classes=5,
            mean=(0,) * 3, std=(1,) * 3, blocks=(BlockSpec(after="res3_1", kind="embedded_gaussian"),),
        )
    ).eval()  # fmt: skip


def features(model: Model, clip: Tensor) -> Tensor:
    seen = []
    handle = model.stages["res5_2"].register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.inference_mode():
        model(clip)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize(
    "choices",
    [
        {"inflation": "none"},
        {"inflation": "3x1x1", "stem_kernel_t": 5},
        {"inflation": "3x3x3", "stem_kernel_t": 5},
        {"inflation": "3x1x1", "stem_kernel_t": 5, "norm": "affine"},
    ],
    ids=str,
)
def test_a_still_video_gives_what_its_frame_gives_away_from_its_ends(image_net, choices):
    model, frame = video_net(**choices), torch.randn(1, 3, 32, 32)
    inflate(model, image_net.state_dict())
    frames = 2 * REACH + 1 if choices["inflation"] != "none" else 2

    found = features(model, frame[:, :, None].expand(-1, -1, frames, -1, -1))[:, :, frames // 2]

    with torch.no_grad():
        expected = image_net(frame)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_at_its_ends_the_padding_shows(image_net):
    model, frame = video_net(inflation="3x1x1", stem_kernel_t=5), torch.randn(1, 3, 32, 32)
    inflate(model, image_net.state_dict())

    first = features(model, frame[:, :, None].expand(-1, -1, 8, -1, -1))[:, :, 0]

    assert not torch.allclose(first, image_net(frame), rtol=0.1, atol=0.1)


def test_every_misfit_is_named_at_once(image_net):
    weights = image_net.state_dict() | {"layer1.0.conv2.weight": torch.zeros(64, 64, 1, 1), "layer9.1.x": torch.ones(1)}
    del weights["bn1.bias"]

    with pytest.raises(ConversionFailed) as caught:
        inflate(video_net(), weights)

    for misfit in ("conv1.norm.bias is missing", "layer9.1.x is left over", r"res2_0.b.conv.weight is (64, 64, 1, 1)"):
        assert misfit in str(caught.value)


def test_a_failed_inflation_changes_nothing(image_net):
    model = video_net()
    before = model.stages["conv1"].conv.weight.clone()

    with pytest.raises(ConversionFailed):
        inflate(model, {k: v for k, v in image_net.state_dict().items() if k != "bn1.bias"})

    assert torch.equal(model.stages["conv1"].conv.weight, before)


def test_inception_has_no_image_weights_to_inflate():
    with pytest.raises(InvalidSpec, match="only a ResNet"):
        inflate(Model(ModelSpec(backbone="inception_v1", mean=(0,) * 3, std=(1,) * 3)), {})
