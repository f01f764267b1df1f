"""Fast twins compute what the network does, module by module and whole."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from nonlocal_core.affinity.capture import capture, recorded_affinities
from nonlocal_core.model import convolve as convolution
from nonlocal_core.model.block import NonLocalBlock
from nonlocal_core.model.build import Model
from nonlocal_core.model.convolve import FoldedConv
from nonlocal_core.model.engine import FastBlock, SameConv, SplitPool, fast
from nonlocal_core.model.inception import SamePool, Unit3D
from nonlocal_core.model.norm import Affine
from nonlocal_core.model.randomise import with_random_projections
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec
from tests.hardware import needs_bfloat16

KINDS = ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
CHOICES = (
    {},
    {"sub_sampling": "project_then_pool"},
    {"sub_sampling": "none", "domain": "time"},
    {"group_frames": 2, "norm": "affine"},
    {"residual": "absent"},
    {"out_bias": False},
)
SIZES = [(4, 12, 12), (5, 13, 9), (1, 7, 7), (7, 8, 11)]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def lively(module: nn.Module) -> nn.Module:
    """Norms as they are after training: neither the identity nor, in blocks, silent."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm3d):
            part.running_mean.normal_(std=0.3)
            part.running_var.uniform_(0.5, 2)
        if isinstance(part, nn.BatchNorm3d | Affine):
            for parameter in part.parameters():
                nn.init.uniform_(parameter, 0.5, 1.5)
    return module.eval()


def spec_of(backbone: str, kind="embedded_gaussian", **resnet) -> ModelSpec:
    places = ("res3_1", "res4_0") if backbone == "resnet" else ("mixed_3c", "mixed_4c")
    return ModelSpec(
        backbone=backbone,
        resnet=ResNetSpec(inflation="3x1x1", stem_kernel_t=5, **resnet) if backbone == "resnet" else None,
        blocks=tuple(BlockSpec(after=place, kind=kind, scale="inverse_sqrt") for place in places),
        classes=7,
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )


@pytest.fixture(scope="module")
def networks():
    """One of each backbone, and a clip."""
    torch.manual_seed(0)
    made = {name: lively(Model(spec_of(name))) for name in ("resnet", "inception_v1")}
    return made, torch.randn(1, 3, 8, 72, 72)


@torch.inference_mode()
def close(found, wanted, bound=2e-5):
    scale = wanted.abs().max().item() + 1e-6
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max().item() < bound * scale


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kernel", "stride"), [((3, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2)),
                                                ((1, 3, 3), (1, 2, 2))])  # fmt: skip
def test_pooling_in_space_and_then_in_time_is_pooling(size, kernel, stride):
    x = torch.randn(2, 5, *size)

    assert torch.equal(SplitPool(kernel, stride, padding=None)(x), SamePool(kernel, stride)(x))


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((2, 3, 3), (2, 2, 2), (0, 1, 1)), ((1, 3, 3), (2, 2, 2), (0, 0, 0)), ((2, 1, 1), (2, 1, 1), (0, 0, 0))],
)
def test_pooling_with_windows_that_are_never_cut_is_pooling(size, kernel, stride, padding):
    x = torch.randn(2, 5, *size)

    assert torch.equal(SplitPool(kernel, stride, padding=padding)(x), functional.max_pool3d(x, kernel, stride, padding))


@pytest.mark.parametrize("size", SIZES)
def test_a_strided_unit_pads_as_tensorflow_does(size):
    unit = lively(Unit3D(3, 8, (7, 7, 7), (2, 2, 2)))
    x = torch.randn(1, 3, *size)

    close(SameConv(unit.conv, unit.bn, torch.float32, relu=True)(x), unit(x))


@pytest.mark.parametrize("onednn", [True, False], ids=["oneDNN", "PyTorch"])
@pytest.mark.parametrize("residual", [True, False])
def test_norm_relu_and_residual_are_folded_in(onednn, residual, monkeypatch):
    monkeypatch.setattr(convolution, "_has_onednn", lambda _: onednn)
    conv, norm = nn.Conv3d(6, 8, (3, 1, 1), padding=(1, 0, 0)), lively(nn.BatchNorm3d(8))
    x, more = torch.randn(2, 6, 4, 5, 5), torch.randn(2, 8, 4, 5, 5)
    kept = more.clone()

    with torch.inference_mode():
        found = FoldedConv(conv, norm, torch.float32, relu=True)(x, more if residual else None)

    close(found, (norm(conv(x)) + (more if residual else 0)).relu())
    assert torch.equal(more, kept)


@pytest.mark.parametrize("backbone", ["resnet", "inception_v1"])
def test_a_fast_network_gives_the_same_classes_and_the_same_affinities(networks, backbone):
    model, batch = networks[0][backbone], networks[1]
    logits, fields = capture(model, batch)
    fast_logits, fast_fields = capture(fast(model, "float32"), batch)

    close(fast_logits, logits)
    assert list(fast_fields) == list(fields)
    for name, field in fields.items():
        for part in ("theta", "phi", "carried", "added"):
            close(torch.tensor(getattr(fast_fields[name], part)), torch.tensor(getattr(field, part)))


@needs_bfloat16
@pytest.mark.parametrize("backbone", ["resnet", "inception_v1"])
def test_bfloat16_is_near_and_its_affinities_are_float32(networks, backbone):
    model, batch = networks[0][backbone], networks[1]
    twin = fast(model, "bfloat16")

    with torch.inference_mode(), recorded_affinities(twin) as found:
        logits = twin(batch)

    close(logits, model(batch), 0.05)
    assert {affinity.theta.dtype for affinity in found.values()} == {torch.float32}
    assert not torch.allclose(logits, model(batch), rtol=0, atol=1e-6)  # it really rounds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_every_block_has_a_twin(kind, choices):
    spec = BlockSpec(after="here", kind=kind, scale="inverse_sqrt", **choices)
    block = lively(NonLocalBlock(spec, 8))
    for part in block.modules():
        if isinstance(part, nn.Conv3d):
            nn.init.normal_(part.weight, std=0.5)
    x = torch.randn(2, 8, 4, 6, 7)
    twin = FastBlock(copy.deepcopy(block), torch.float32)

    with torch.inference_mode():
        close(twin(x), block(x))
        if spec.residual == "learned":
            close(twin.carried(x), block.carried(x))


def test_a_network_with_affine_layers_and_other_strides_has_a_twin():
    spec = spec_of("resnet", "dot_product", norm="affine", spatial_stride_on="1x1", pool1_padding=1)
    model, batch = lively(Model(spec)), torch.randn(1, 3, 8, 65, 65)

    with torch.inference_mode():
        close(fast(model, "float32")(batch), model(batch))


def test_a_twin_can_be_copied_and_leaves_the_network_alone(networks):
    model, batch = networks[0]["inception_v1"], networks[1]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    twin = fast(model, "float32")
    with torch.inference_mode():
        first = twin(batch)
        second = with_random_projections(twin, 0)(batch)  # copies a network that has packed its weights

    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not torch.equal(first, second)
    assert model.precision is None
    assert twin.precision == "float32"
