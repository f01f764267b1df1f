"""A recipe's defaults, its refusals, its flags; and that no field is dead: each changes what two steps make."""

import argparse

import pytest
import torch

from nonlocal_core.commands.training import declare_train, recipe_from
from nonlocal_core.errors import ResumeMismatch, TrainingFailed, UnsupportedPrecision
from nonlocal_core.learn import learner
from nonlocal_core.learn.recipe import Recipe, read_recipe, recipe_of
from nonlocal_core.learn.state import RunFolder
from nonlocal_core.learn.train import ALONE, is_due, train
from tests.hardware import needs_bfloat16
from tests.learn.little import BLOCK, INCEPTION, charades_like, kinetics_like, little_recipe, spec_file

# What each field is changed to, against BASE; those in RUNS decide what is run and kept rather than what is learnt.
BASE = {"batch": 4, "milestones": (1,), "iterations": 2}
CHANGED = {
    "model": "other",
    "start": "default",
    "blocks": "remove",
    "batch": 6,
    "accumulate": 2,
    "optimiser": "adamw",
    "lr": 0.02,
    "momentum": 0.5,
    "weight_decay": 0.1,
    "schedule": "constant",
    "milestones": (5,),
    "gamma": 0.5,
    "warmup": 3,
    "batch_norm": "frozen",
    "dropout": 0.1,
    "precision": "bfloat16",
    "freeze": (r"stages\.conv_1a\..*",),
    "augmentation": {"short_sides": (40, 44)},
    "seed": 1,
}
RUNS = {"data", "videos", "validation", "objective", "iterations", "workers", "validate_every", "save_every"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Videos of two kinds and two networks."""
    folder = tmp_path_factory.mktemp("recipe")
    kinetics_like(folder / "kinetics", each=2)
    charades_like(folder / "charades")
    spec_file(folder / "nl", INCEPTION.model_copy(update={"blocks": (BLOCK,)}))
    spec_file(folder / "other", INCEPTION.model_copy(update={"blocks": (BLOCK,), "frames": 3}))
    return folder


def weights_after(place, **fields) -> dict[str, torch.Tensor]:
    """The weights after two steps."""
    model = str(place / fields.pop("model", "nl") / "spec.json")
    learning = learner.Learner(little_recipe(place / "kinetics", model, **(BASE | fields)), ALONE)
    for iteration, batch in enumerate(learning.batches(0)):
        learning.step(iteration, batch)
    return {name: value.clone() for name, value in learning.model.state_dict().items()}


def options_of(*arguments) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    declare_train(parser.add_subparsers())
    return parser.parse_args(["train", *map(str, arguments)])


@pytest.fixture(scope="module")
def base(place):
    return weights_after(place)


def test_the_same_recipe_makes_the_same_weights(place, base):
    again = weights_after(place)

    assert all(torch.equal(again[name], value) for name, value in base.items())


@pytest.mark.parametrize(
    "field", [pytest.param(field, marks=needs_bfloat16 if field == "precision" else ()) for field in CHANGED]
)
def test_a_field_changes_what_is_learnt(place, base, field):
    found = weights_after(place, **{field: CHANGED[field]})

    assert found.keys() != base.keys() or not all(torch.equal(found[name], base[name]) for name in base)


def test_every_field_is_tried_here():
    assert CHANGED.keys() | RUNS == set(Recipe.model_fields)
    assert not CHANGED.keys() & RUNS


def test_bfloat16_is_refused_where_the_processor_only_emulates_it(place, monkeypatch):
    monkeypatch.setattr(learner, "has_bfloat16", lambda _device: False)

    with pytest.raises(UnsupportedPrecision, match="cannot compute in bfloat16"):
        weights_after(place, precision="bfloat16")


def test_float16_scales_its_loss_and_steps(place, base):
    found = weights_after(place, precision="float16", batch=2, iterations=1)

    assert all(torch.isfinite(value).all() for value in found.values())
    assert not torch.equal(found["head.classifier.weight"], base["head.classifier.weight"])


def test_objective_data_and_videos_go_together(place):
    charades = little_recipe(
        place / "charades" / "list.csv", str(place / "nl" / "spec.json"),
        objective="sigmoid", videos=place / "charades" / "videos",
    )  # fmt: skip

    learning = learner.Learner(charades, ALONE)

    assert learning.model.spec.classes == 157
    assert len(learning.listing.examples) == 4


def test_workers_reach_the_loader(place, monkeypatch):
    asked = {}
    monkeypatch.setattr(learner, "batches", lambda *_, **given: asked.update(given) or iter(()))

    learner.Learner(little_recipe(place / "kinetics", "default", workers=3), ALONE).batches(5)

    assert (asked["workers"], asked["first"], asked["last"], asked["batch"]) == (3, 5, 4, 4)


def test_measures_and_saves_come_every_so_often_and_at_the_end(place, tmp_path, monkeypatch):
    measured, saved = [], []
    record = {"loss": 1.0, "lr": 1.0, "clips_per_s": 1.0, "broken": 0}
    monkeypatch.setattr(learner.Learner, "step", lambda *_: dict(record))
    monkeypatch.setattr(learner.Learner, "validate", lambda *_: measured.append(len(saved)) or {"loss": 1.0})
    monkeypatch.setattr(RunFolder, "save", lambda _, state: saved.append(state.iteration))
    monkeypatch.setattr(RunFolder, "write_weights", lambda *_: None)
    fields = {"iterations": 7, "save_every": 2, "validate_every": 3, "batch": 1, "validation": place / "kinetics"}
    recipe = little_recipe(place / "kinetics", str(place / "nl" / "spec.json"), **fields)

    train(RunFolder.created(tmp_path / "run", recipe))

    assert saved == [2, 4, 6, 7]
    assert measured == [1, 2, 3]  # how many states were saved before iterations 3, 6 and 7 were
    assert [is_due(done, 3, recipe) for done in range(4, 8)] == [False, False, True, True]


def test_the_defaults_are_the_papers():
    recipe = recipe_of({"data": "videos"})

    assert (recipe.optimiser, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 0.01, 0.9, 1e-4)
    assert (recipe.iterations, recipe.batch, recipe.dropout, recipe.batch_norm) == (400_000, 64, 0.5, "trained")
    assert recipe.augmentation.short_sides == (256, 320)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate": 1}, "rate: Extra inputs"),
        ({"lr": -1}, "lr: Input should be greater than 0"),
        ({"lr": "nan"}, "lr: Input should be a finite number"),
        ({"milestones": (2, 1)}, "must rise"),
        ({"batch": 3, "accumulate": 2}, "equal parts"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(fields, words):
    with pytest.raises(TrainingFailed, match=words):
        recipe_of({"data": "videos", **fields})


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(TrainingFailed, match=r"(?s)data: .*batch: .*lr: "):
        recipe_of({"batch": 0, "lr": 0})


def test_an_unknown_objective_is_refused(place):
    with pytest.raises(TrainingFailed, match="'guess'; choose one of softmax, sigmoid"):
        learner.Learner(little_recipe(place / "kinetics", "default", objective="guess"), ALONE)


def test_every_field_is_a_flag_and_is_described(capsys):
    with pytest.raises(SystemExit):
        options_of("--help")

    told = capsys.readouterr().out
    for name, field in Recipe.model_fields.items():
        assert name == "data" or f"--{name.replace('_', '-')} " in told
        assert field.description


def test_flags_spell_every_kind_of_value(tmp_path):
    options = options_of(
        tmp_path, "--out", "run", "--lr", "0.5", "--milestones", 3, 5, "--freeze", r"stages\..*", "head.*",
        "--augmentation", '{"short_sides": [40, 50], "flip": false}', "--blocks", "remove",
    )  # fmt: skip

    recipe = recipe_from(options)

    assert (recipe.lr, recipe.milestones, recipe.freeze) == (0.5, (3, 5), (r"stages\..*", "head.*"))
    assert (recipe.augmentation.short_sides, recipe.augmentation.flip) == ((40, 50), False)
    assert recipe.blocks == "remove"


def test_flags_change_a_saved_recipe(tmp_path):
    (tmp_path / "recipe.json").write_text(recipe_of({"data": tmp_path, "lr": 0.5, "batch": 3}).model_dump_json())

    recipe = recipe_from(options_of("--out", "run", "--recipe", tmp_path / "recipe.json", "--batch", 6))

    assert (recipe.lr, recipe.batch, recipe.data) == (0.5, 6, tmp_path)


def test_paths_become_absolute_and_names_stay_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "default").write_text("a file that is called like a model")
    spec_file(tmp_path, INCEPTION)

    named = recipe_from(options_of("videos", "--out", "run"))
    filed = recipe_from(options_of("videos", "--out", "run", "--model", "spec.json", "--validation", "videos"))

    assert (named.model, named.start, named.data) == ("default", "own", tmp_path / "videos")
    assert (filed.model, filed.validation) == (str(tmp_path / "spec.json"), tmp_path / "videos")


def test_a_run_goes_on_as_it_began_and_not_otherwise(tmp_path):
    began = RunFolder.created(tmp_path / "run", recipe_of({"data": tmp_path, "lr": 0.5}))

    assert recipe_from(options_of("--resume", began.path, "--lr", "0.5")) == began.recipe()
    with pytest.raises(ResumeMismatch, match="goes on as it began, so lr cannot change"):
        recipe_from(options_of("--resume", began.path, "--lr", "0.1"))


def test_ctrl_c_ends_a_training_and_says_how_it_goes_on(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nonlocal_core.learn.train.train", interrupted)
    options = options_of(tmp_path, "--out", tmp_path / "run")

    assert options.run(options) == 130
    assert f"go on with `nonlocal-lens train --resume {tmp_path / 'run'}`" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("[1]", "is no recipe")])
def test_a_saved_recipe_that_is_none_is_refused(tmp_path, content, words):
    if content:
        (tmp_path / "recipe.json").write_text(content)

    with pytest.raises(TrainingFailed, match=words):
        read_recipe(tmp_path / "recipe.json")


def test_augmentation_that_is_no_json_is_refused(tmp_path):
    with pytest.raises(TrainingFailed, match="is no JSON"):
        recipe_from(options_of(tmp_path, "--out", "run", "--augmentation", "flip"))
