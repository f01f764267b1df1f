"""The ResNet family: each row of the sources' differences (FACTS.md) is a field, and each field shows."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from nonlocal_core.errors import InvalidSpec
from nonlocal_core.geometry import Grid
from nonlocal_core.model.build import Model
from nonlocal_core.model.count import cost_of
from nonlocal_core.model.resnet import Bottleneck, ResNetHead, resnet_stages
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec

MODEL = Path(__file__).parents[2] / "nonlocal_core" / "model"
I3D = {"inflation": "3x1x1", "stem_kernel_t": 5}
PYSLOWFAST = I3D | {"stem_stride_t": 1, "pool1_kernel_t": 1, "pool1_stride_t": 1, "pool1_padding": 1}
MMACTION2 = I3D | {"pool1_kernel_t": 1, "pool1_padding": 1}


def spec(blocks=(), frames=32, size_px=224, **resnet) -> ModelSpec:
    return ModelSpec(
        backbone="resnet", resnet=ResNetSpec(**resnet), blocks=blocks, classes=5,
        frames=frames, size_px=size_px, mean=(0.45,) * 3, std=(0.225,) * 3,
    )  # fmt: skip


def grids(**choices) -> dict[str, Grid]:
    return cost_of(spec(**choices)).grids


def on_meta(**resnet) -> nn.ModuleDict:
    with torch.device("meta"):
        return nn.ModuleDict(resnet_stages(ResNetSpec(**resnet)))


@pytest.mark.parametrize("model", [BlockSpec, ResNetSpec], ids=lambda model: model.__name__)
def test_every_field_of_a_spec_is_read_by_the_code(model):
    code = "".join(path.read_text(encoding="utf-8") for path in MODEL.glob("*.py") if path.name != "spec.py")

    assert [name for name in model.model_fields if f"spec.{name}" not in code] == []


def test_the_backbone_and_its_choices_belong_together():
    with pytest.raises(ValidationError, match="contradict each other"):
        spec().model_copy().model_validate(spec().model_dump() | {"resnet": None})
    with pytest.raises(ValidationError, match="contradict each other"):
        ModelSpec(backbone="inception_v1", resnet=ResNetSpec(), mean=(0,) * 3, std=(1,) * 3)


# --- conv1, pool1, pool2: where time shrinks


@pytest.mark.parametrize("t", [1, 5])
def test_conv1_spans_the_frames_of_the_spec_and_is_padded_to_keep_them(t):
    conv = on_meta(stem_kernel_t=t)["conv1"].conv

    assert (conv.kernel_size, conv.stride, conv.padding) == ((t, 7, 7), (2, 2, 2), (t // 2, 3, 3))


def test_a_c2d_stem_with_a_stride_in_time_drops_every_other_frame():
    stem = resnet_stages(ResNetSpec())["conv1"].eval()
    x = torch.randn(1, 3, 8, 32, 32)

    with torch.no_grad():
        torch.testing.assert_close(stem(x), stem(x[:, :, ::2].repeat_interleave(2, 2)))


@pytest.mark.parametrize(
    ("choices", "frames", "conv1", "pool1", "res3"),
    [({}, 32, (16, 112), (8, 55), (4, 28)), (PYSLOWFAST, 8, (8, 112), (8, 56), (4, 28)),
     (MMACTION2, 32, (16, 112), (8, 56), (4, 28)), ({}, 128, (64, 112), (32, 55), (16, 28)),
     (PYSLOWFAST | {"pool2_t": 1}, 8, (8, 112), (8, 56), (8, 28))],
)  # fmt: skip
def test_the_grids_are_those_of_the_sources(choices, frames, conv1, pool1, res3):
    found = grids(frames=frames, **choices)

    assert (found["conv1"].t, found["conv1"].h) == conv1
    assert (found["pool1"].t, found["pool1"].h) == (found["res2_2"].t, found["res2_2"].h) == pool1
    assert (found["res3_0"].t, found["res3_0"].h) == res3
    assert ("pool2" in found) == (choices.get("pool2_t") != 1)


def test_pool1_with_a_kernel_of_two_frames_sees_the_second_of_each_pair():
    frames = torch.zeros(1, 64, 4, 9, 9)
    frames[:, :, 1::2] = 1

    assert resnet_stages(ResNetSpec(pool1_kernel_t=2))["pool1"](frames).min() == 1
    assert resnet_stages(ResNetSpec(pool1_kernel_t=1))["pool1"](frames).max() == 0  # mmaction2: stride 2, kernel 1


def test_the_padding_of_pool1_changes_the_prediction_though_no_later_grid():
    torch.manual_seed(0)
    padded = Model(spec(size_px=64, pool1_padding=1)).eval()
    plain = Model(spec(size_px=64, pool1_padding=0)).eval()
    plain.load_state_dict(padded.state_dict())  # no error: only the numbers tell
    clip = torch.randn(1, 3, 8, 64, 64)

    with torch.inference_mode():
        assert not torch.allclose(padded(clip), plain(clip), rtol=1e-3, atol=1e-3)


# --- residual blocks


@pytest.mark.parametrize(("depth", "pattern"), [(50, "111 1010 101010 010"), (101, "111 1010 " + "10" * 11 + "1 010")])
@pytest.mark.parametrize(("inflation", "part", "kernel"), [("3x1x1", "a", (3, 1, 1)), ("3x3x3", "b", (3, 3, 3))])
def test_the_kernels_that_span_frames_follow_the_pattern(depth, pattern, inflation, part, kernel):
    stages = on_meta(depth=depth, inflation=inflation)
    names = [name for name in stages if name.startswith("res")]

    found = ["1" if getattr(stages[name], part).conv.kernel_size == kernel else "0" for name in names]

    assert "".join(found) == pattern.replace(" ", "")
    others = [stages[name].get_submodule(p).conv.kernel_size[0] for name in names for p in "abc" if p != part]
    assert set(others) == {1}


def test_a_c2d_mixes_no_frames_in_its_residual_blocks():
    stages = on_meta(inflation="none")

    assert {conv.kernel_size[0] for conv in stages.modules() if isinstance(conv, nn.Conv3d)} == {1}


@pytest.mark.parametrize(("where", "a", "b"), [("3x3", 1, 2), ("1x1", 2, 1)])
def test_the_picture_is_halved_where_the_spec_says(where, a, b):
    first, second = (on_meta(spatial_stride_on=where)[name] for name in ("res4_0", "res4_1"))

    assert (first.a.conv.stride, first.b.conv.stride) == ((1, a, a), (1, b, b))
    assert second.a.conv.stride == second.b.conv.stride == (1, 1, 1)


def test_the_shortcut_is_a_convolution_only_where_the_shape_changes():
    stages = on_meta()
    with_one = [name for name in stages if f"{name}.shortcut.conv.weight" in stages.state_dict()]

    assert with_one == ["res2_0", "res3_0", "res4_0", "res5_0"]
    conv = stages["res3_0"].shortcut.conv
    assert (conv.kernel_size, conv.stride, conv.bias) == ((1, 1, 1), (1, 2, 2), None)
    assert stages["res2_0"].shortcut.conv.stride == (1, 1, 1)


def test_a_bottleneck_is_relu_of_the_sum_written_out():
    torch.manual_seed(0)
    block = Bottleneck(ResNetSpec(norm="affine"), 8, 4, stride=2, inflated=False).eval()
    x = torch.randn(1, 8, 2, 6, 6)

    inner = nn.functional.conv3d(x, block.a.conv.weight).relu()
    inner = nn.functional.conv3d(inner, block.b.conv.weight, stride=(1, 2, 2), padding=(0, 1, 1)).relu()
    outer = nn.functional.conv3d(inner, block.c.conv.weight)
    expected = (outer + nn.functional.conv3d(x, block.shortcut.conv.weight, stride=(1, 2, 2))).relu()

    torch.testing.assert_close(block(x), expected)


def test_a_norm_is_a_batch_norm_with_its_epsilon_or_a_scale_and_shift():
    batch, affine = on_meta(norm_eps=0.25).res2_0.a.norm, on_meta(norm="affine").res2_0.a.norm

    assert batch.eps == 0.25
    assert set(affine.state_dict()) == {"weight", "bias"}
    assert {"weight", "bias", "running_mean", "running_var"} < set(batch.state_dict())


# --- head


def probabilities_of_each_window(head: ResNetHead, x: torch.Tensor) -> torch.Tensor:
    windows = [x[:, :, :, h : h + 7, w : w + 7].mean((2, 3, 4)) for h in range(2) for w in range(2)]
    return torch.stack([(v @ head.classifier.weight.flatten(1).T + head.classifier.bias).softmax(1) for v in windows])


def test_a_fully_convolutional_head_averages_the_probabilities_of_its_windows():
    head = ResNetHead(ResNetSpec(head="fully_convolutional"), 16, 5).eval()
    nn.init.normal_(head.classifier.weight)
    x = 3 * torch.randn(2, 16, 4, 8, 8)  # res5 of 256 px

    with torch.no_grad():
        torch.testing.assert_close(head(x).softmax(1), probabilities_of_each_window(head, x).mean(0))
        assert not torch.allclose(head(x).softmax(1), head(x[..., :7, :7]).softmax(1), atol=1e-3)


def test_a_global_average_head_averages_the_features():
    head = ResNetHead(ResNetSpec(head="global_average"), 16, 5).eval()
    x = torch.randn(2, 16, 4, 8, 8)

    torch.testing.assert_close(head(x), x.mean((2, 3, 4)) @ head.classifier.weight.flatten(1).T + head.classifier.bias)


@pytest.mark.parametrize("side", [2, 7])
def test_both_heads_agree_on_one_window_logits_and_all(side):
    heads = [ResNetHead(ResNetSpec(head=name), 16, 5).eval() for name in ("fully_convolutional", "global_average")]
    heads[1].load_state_dict(heads[0].state_dict())
    x = torch.randn(2, 16, 4, side, side)

    torch.testing.assert_close(heads[0](x), heads[1](x))


def test_dropout_acts_in_training_only():
    head = ResNetHead(ResNetSpec(dropout=0.9), 64, 5)
    x = torch.ones(1, 64, 1, 7, 7)

    assert torch.equal(head.eval()(x), head(x))
    assert not torch.allclose(head.train()(x), head(x))
    never = ResNetHead(ResNetSpec(dropout=0), 64, 5).train()
    assert torch.equal(never(x), never(x))


# --- the whole


FIVE = ("res3_1", "res3_3", "res4_1", "res4_3", "res4_5")


def test_tensors_have_the_names_that_the_converters_fill():
    block = BlockSpec(after="res3_1", kind="concatenation", out_bias=False)
    with torch.device("meta"):
        names = set(Model(spec(blocks=(block,))).state_dict())

    assert {"stages.conv1.conv.weight", "stages.conv1.norm.running_var", "stages.res3_1.b.conv.weight"} < names
    assert {"stages.res5_0.shortcut.norm.bias", "head.classifier.weight", "head.classifier.bias"} < names
    assert {"blocks.res3_1.theta.bias", "blocks.res3_1.w_z.0.weight", "blocks.res3_1.pairwise.w_f"} < names


def test_a_block_reads_what_left_the_relu_and_its_sum_goes_on_without_one():
    torch.manual_seed(0)
    model = Model(spec(blocks=(BlockSpec(after="res3_1", kind="embedded_gaussian"),))).eval()
    nn.init.normal_(model.blocks["res3_1"].w_z[1].weight, std=50)
    seen = {}
    model.stages["res3_1"].register_forward_hook(lambda _m, _i, out: seen.update(relu=out))
    model.blocks["res3_1"].register_forward_hook(lambda _m, given, out: seen.update(given=given[0], out=out))
    model.stages["res3_2"].register_forward_pre_hook(lambda _m, given: seen.update(next=given[0]))
    with torch.inference_mode():
        model(torch.randn(1, 3, 8, 64, 64))

    assert seen["given"] is seen["relu"]
    assert seen["next"] is seen["out"]
    assert seen["relu"].min() == 0 > seen["out"].min()


def test_new_blocks_after_any_stage_change_no_prediction():
    torch.manual_seed(0)
    plain = Model(spec(size_px=64)).eval()
    after = ("res2_0", *FIVE, "res5_2")
    with_blocks = Model(spec(blocks=tuple(BlockSpec(after=name, kind="dot_product") for name in after))).eval()
    missing, _ = with_blocks.load_state_dict(plain.state_dict(), strict=False)
    assert {name.split(".")[0] for name in missing} == {"blocks"}
    clip = torch.randn(1, 3, 8, 64, 64)

    with torch.inference_mode():
        assert torch.equal(with_blocks(clip), plain(clip))
    assert tuple(with_blocks.blocks) == after


def test_clips_of_any_size_are_taken():
    model = Model(spec(blocks=(BlockSpec(after="res4_1", kind="gaussian"),))).eval()
    with torch.inference_mode():
        assert model(torch.randn(2, 3, 9, 70, 101)).shape == (2, 5)


def test_an_r101_has_its_own_stages():
    block = BlockSpec(after="res4_20", kind="gaussian")

    assert list(cost_of(spec(depth=101, blocks=(block,), frames=8, size_px=64)).grids)[-4] == "res4_22"
    with pytest.raises(InvalidSpec, match="no stage res4_20 for a block; blocks may follow res2_0, res2_1"):
        Model(spec(depth=50, blocks=(block,)))
