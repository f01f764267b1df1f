"""The network before its first step: which weights it has, and what of it may move."""

import pytest
import torch
from torch import nn

from nonlocal_core.errors import ConversionFailed, InvalidSpec, TrainingFailed
from nonlocal_core.learn.start import build, folded, set_training
from nonlocal_core.model.build import Model
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, write_checkpoint
from nonlocal_core.zoo.convert import wanted_tensors
from nonlocal_core.zoo.load import load_model
from tests.learn.little import BLOCK, INCEPTION, RESNET, little_recipe, spec_file
from tests.model.test_inflate import ResNet2D

RESNET_BLOCK = BLOCK.model_copy(update={"after": "res3_1"})
CLIP = torch.linspace(-1, 1, 3 * 4 * 32 * 32).reshape(1, 3, 4, 32, 32)


@pytest.fixture
def specs(tmp_path):
    """Spec files by name: two networks, each bare and with a block."""
    wanted = {
        "inception": INCEPTION,
        "inception-nl": INCEPTION.model_copy(update={"blocks": (BLOCK,)}),
        "resnet": RESNET,
        "resnet-nl": RESNET.model_copy(update={"blocks": (RESNET_BLOCK,)}),
    }
    return {name: spec_file(tmp_path / name, spec) for name, spec in wanted.items()}


def built(model, *, classes=("a", "b"), **fields):
    return build(little_recipe("videos", model, **fields), classes)


def moved(model: Model, seed: int = 1) -> Model:
    """The model with every number changed, as if it had been trained."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.mul_(0.9).add_(torch.rand_like(value), alpha=0.1)
    return model


def settled(model: Model) -> Model:
    """The model with batch norms that have seen a clip, so that features neither vanish nor grow."""
    torch.manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm3d):
            nn.init.uniform_(part.weight, 0.5, 1)
            nn.init.normal_(part.bias, std=0.1)
            part.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.cat([CLIP, CLIP.flip(2), CLIP.flip(3)]))
    return model


def saved(path, model: Model) -> str:
    tensors = {name: model.state_dict()[name].numpy() for name in wanted_tensors(model)}
    write_checkpoint(path, Checkpoint(Header(model.spec, model.labels, {"licence": "mine"}), tensors))
    return str(path)


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_a_spec_starts_at_random_and_the_seed_decides(specs):
    start = built(specs["inception"])

    assert same(start.model, built(specs["inception"]).model)
    assert not same(start.model, built(specs["inception"], seed=1).model)
    assert start.notes == ("every weight starts at random",)


def test_a_model_keeps_its_own_weights_and_gets_a_classifier_for_new_classes(model):
    start = built("default")

    assert same(start.model.stages, model.stages)
    assert start.model.spec.classes == 2
    assert start.model.labels == ("a", "b")
    assert "the classifier is new" in start.notes[0]
    assert start.licence == model.card.licence


def test_a_model_may_start_at_random_all_the_same(model):
    assert not same(built("default", start="random").model.stages, model.stages)


def test_unlabelled_data_leave_the_model_its_classes(model):
    start = built("default", classes=())

    assert start.model.labels == model.labels
    assert same(start.model.head, model.head)


def test_the_classifier_keeps_the_rows_of_the_classes_it_knows_by_name(model):
    known = (model.labels[7], model.labels[3])

    start = built("default", classes=known)

    theirs = model.head.classifier
    assert torch.equal(start.model.head.classifier.weight, theirs.weight[[7, 3]])
    assert torch.equal(start.model.head.classifier.bias, theirs.bias[[7, 3]])
    assert start.notes == ()


def test_a_checkpoint_fills_another_spec_and_its_new_blocks_change_nothing(specs):
    model = load_model("i3d-observers")
    start = built(specs["inception-nl"], start="i3d-observers", classes=model.labels)

    assert start.notes == ("new blocks: mixed_4b",)
    with torch.no_grad():
        assert torch.equal(start.model.eval()(CLIP), model(CLIP))


def test_blocks_that_the_checkpoint_has_are_kept(specs, tmp_path):
    trained = moved(built(specs["resnet-nl"]).model)
    file = saved(tmp_path / "trained.safetensors", trained)

    start = built(specs["resnet-nl"], start=file, classes=("c", "d"))

    assert same(start.model.blocks, trained.blocks)
    assert not same(start.model.head, trained.head)
    assert start.licence == "mine"


def test_removed_blocks_are_gone_from_spec_and_network(specs, tmp_path):
    trained = moved(built(specs["resnet-nl"]).model)
    file = saved(tmp_path / "trained.safetensors", trained)

    start = built(file, blocks="remove")

    assert start.model.spec.blocks == ()
    assert len(start.model.blocks) == 0
    assert same(start.model.stages, trained.stages)


def test_stages_that_do_not_fit_are_all_listed(specs):
    with pytest.raises(ConversionFailed, match=r"stages\.conv1\.conv\.weight: missing") as raised:
        built(specs["resnet"], start="default")

    assert "stages.mixed_5c.branch_0.conv.weight: the model has no such tensor" in str(raised.value)


def test_a_2d_resnet_is_inflated(specs, tmp_path):
    torch.manual_seed(0)
    flat = ResNet2D()
    torch.save(flat.state_dict(), tmp_path / "resnet50.pth")

    start = built(specs["resnet-nl"], start=str(tmp_path / "resnet50.pth"))

    kernel = start.model.stages["res2_0"].b.conv.weight
    assert torch.equal(kernel[:, :, 0], flat.layer1[0].conv2.weight)
    assert "inflated" in start.notes[0]


def test_a_folded_network_answers_as_before(specs):
    start = settled(built(specs["resnet-nl"]).model)

    affine = folded(start).eval()

    assert not [part for part in affine.modules() if isinstance(part, nn.BatchNorm3d)]
    with torch.no_grad():
        torch.testing.assert_close(affine(CLIP), start.eval()(CLIP), rtol=1e-3, atol=1e-3)
    assert affine.spec.resnet.norm == affine.spec.blocks[0].norm == "affine"


def test_affine_folds_and_its_scales_are_trained(specs):
    model = built(specs["resnet-nl"], batch_norm="affine").model

    assert model.spec.resnet.norm == "affine"
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_inceptions_batch_norms_cannot_be_folded(specs):
    with pytest.raises(InvalidSpec, match="needs a ResNet, not inception_v1"):
        built(specs["inception"], batch_norm="affine")


def test_frozen_batch_norms_stay_but_those_of_new_blocks_learn(specs):
    model = built(specs["resnet-nl"], batch_norm="frozen").model
    before = model.stages["conv1"].norm.running_mean.clone()

    set_training(model)
    model(torch.cat([CLIP, -CLIP + 0.3]))

    assert torch.equal(model.stages["conv1"].norm.running_mean, before)
    assert not model.stages["conv1"].norm.weight.requires_grad
    assert model.stages["conv1"].conv.weight.requires_grad
    assert model.blocks["res3_1"].w_z[1].weight.requires_grad
    assert model.blocks["res3_1"].w_z[1].training


def test_frozen_batch_norms_of_a_trained_block_stay(specs, tmp_path):
    file = saved(tmp_path / "trained.safetensors", moved(built(specs["resnet-nl"]).model))

    model = built(file, batch_norm="frozen").model

    assert not model.blocks["res3_1"].w_z[1].weight.requires_grad


@pytest.mark.parametrize("name", ["inception", "resnet"])
def test_dropout_comes_before_the_classifier_and_in_training_only(specs, name):
    head = built(specs[name], dropout=0.75).model.head
    seen = []
    head.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features = torch.ones(1, head.classifier.in_channels, 2, 7, 7)

    torch.manual_seed(0)
    head.train()(features)
    head.eval()(features)

    assert (seen[0] == 0).float().mean() == pytest.approx(0.75, abs=0.05)
    assert seen[0].max() == pytest.approx(4)  # the rest makes up for it
    assert (seen[1] == 1).all()


def test_what_a_pattern_fits_whole_is_frozen_with_its_statistics(specs):
    model = built(specs["inception-nl"], freeze=(r"stages\..*", r"head\.classifier\.bias")).model
    set_training(model)

    free = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert free == {"blocks", "head"}
    assert not model.head.classifier.bias.requires_grad
    assert not model.stages["conv_1a"].bn.training
    assert model.blocks["mixed_4b"].w_z[1].training


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("stages", "fits no parameter; names are such as stages.conv_1a.conv.weight"),
        ("(", "is no regular expression"),
        (".*", "leaves nothing to train"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(specs, pattern, words):
    with pytest.raises(TrainingFailed, match=words):
        built(specs["inception"], freeze=(pattern,))


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("{}", "is no model spec")])
def test_a_spec_that_is_none_is_refused(tmp_path, content, words):
    if content:
        (tmp_path / "spec.json").write_text(content)

    with pytest.raises(InvalidSpec, match=words):
        built(str(tmp_path / "spec.json"))
