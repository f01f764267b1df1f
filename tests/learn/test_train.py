"""Training end to end on little videos: it learns, it goes on after kill -9, and two processes are as one."""

import json
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

import nonlocal_core as nl
from nonlocal_core.durable import replace
from nonlocal_core.errors import ResumeMismatch, TrainingFailed, UnusableListing
from nonlocal_core.learn import learner as learner_module
from nonlocal_core.learn.learner import Learner
from nonlocal_core.learn.listing import Example, Listing
from nonlocal_core.learn.loading import Batch
from nonlocal_core.learn.objectives import Objective
from nonlocal_core.learn.state import RunFolder, fingerprint, read_log
from nonlocal_core.learn.train import ALONE, train
from nonlocal_core.zoo.checkpoint import read_checkpoint
from tests.learn.little import (
    BLOCK,
    INCEPTION,
    charades_like,
    filmed_charades_like,
    filmed_kinetics_like,
    kinetics_like,
    little_recipe,
    spec_file,
    train_process,
    write_video,
)

WAIT_S = 120
LEARNING = {
    "start": "default", "optimiser": "adamw", "lr": 3e-4, "batch_norm": "frozen", "dropout": 0.0, "iterations": 12,
    "schedule": "constant",
}  # fmt: skip


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory):
    return kinetics_like(tmp_path_factory.mktemp("kinetics"))


@pytest.fixture(scope="module", params=["drawn", "filmed"])
def videos_of_classes(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    if request.param == "drawn":
        return kinetics_like(folder)
    return filmed_kinetics_like(folder, request.getfixturevalue("desk"))


@pytest.fixture(scope="module", params=["drawn", "filmed"])
def videos_of_actions(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("actions")
    if request.param == "drawn":
        return charades_like(folder)
    return filmed_charades_like(folder, request.getfixturevalue("desk"))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """I3D with a block, for little clips."""
    return spec_file(tmp_path_factory.mktemp("network"), INCEPTION.model_copy(update={"blocks": (BLOCK,)}))


@pytest.fixture(scope="module")
def deaf_network(tmp_path_factory):
    """The same, but with batch norms frozen its clips do not know of each other, whoever else is in the batch."""
    blocks = (BLOCK.model_copy(update={"norm": "affine"}),)
    return spec_file(tmp_path_factory.mktemp("deaf"), INCEPTION.model_copy(update={"blocks": blocks}))


class QuietModule(torch.nn.Module):
    """Wants answers near zero; a parameter of its own is trained too."""

    def __init__(self, model):
        super().__init__()
        self.model, self.scale = model, torch.nn.Parameter(torch.ones(()))

    def forward(self, clips, _targets):
        answers = self.scale * self.model(clips)
        return {"loss": answers.square().mean(), "loudest": answers.detach().abs().max()}


class Quiet(Objective):
    name, labelling = "quiet", "none"

    def module(self, model):
        return QuietModule(model)

    def scores(self, logits):
        return logits

    def metrics(self, _scores, _targets):
        return {}


def trained(folder, recipe) -> tuple[RunFolder, list[dict], list[str]]:
    """A finished run, its log and what it said."""
    run, said = RunFolder.created(folder, recipe), []
    train(run, tell=said.append)
    return run, read_log(run.log_file), said


def untimed(records: list[dict]) -> list[dict]:
    return [{name: value for name, value in record.items() if name != "clips_per_s"} for record in records]


def mean_loss(records: list[dict]) -> float:
    return sum(record["loss"] for record in records) / len(records)


def numbers_of(run: RunFolder) -> dict[str, bytes]:
    """Every number of a run's weights and of its optimiser, bit by bit."""
    weights = read_checkpoint(run.path / "weights.safetensors").tensors
    state = torch.load(run.state_file, weights_only=True)["optimiser"]["state"]
    momenta = {f"momentum {number}": each["momentum_buffer"].numpy() for number, each in state.items()}
    return {name: array.tobytes() for name, array in (weights | momenta).items()}


def wait_for_line(run: RunFolder, number: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len(read_log(run.log_file)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kinetics_like_training_learns_and_prints_top_1(tmp_path, videos_of_classes, network):
    recipe = little_recipe(videos_of_classes, network, validation=videos_of_classes, validate_every=6, **LEARNING)

    run, records, said = trained(tmp_path / "run", recipe)

    assert mean_loss(records[-3:]) < 0.5 * mean_loss(records[:3])
    assert [record["iteration"] for record in records if "validation" in record] == [6, 12]
    top_1 = records[-1]["validation"]["top1"]
    assert top_1 == 1.0 if (videos_of_classes / "red").exists() else top_1 > 0.5
    assert f"top-1 {100 * top_1:.1f} %" in said[-1]
    assert (run.path / "best.safetensors").exists()


def test_charades_like_training_learns_and_prints_map(tmp_path, videos_of_actions, network):
    listing, videos = videos_of_actions, videos_of_actions.parent / "videos"
    recipe = little_recipe(listing, network, videos=videos, validation=listing, objective="sigmoid", **LEARNING)

    _, records, said = trained(tmp_path / "run", recipe)

    assert mean_loss(records[-3:]) < 0.5 * mean_loss(records[:3])
    mean_ap = records[-1]["validation"]["map"]
    assert mean_ap == 1.0 if (videos / "V220220.mp4").exists() else mean_ap > 0.5
    assert f"mAP {100 * mean_ap:.1f} %" in said[-1]


def test_a_trained_file_is_a_model_like_any_other_and_tells_its_making(tmp_path, kinetics, network):
    recipe = little_recipe(kinetics, network, start="default", iterations=1)

    run, _, _ = trained(tmp_path / "run", recipe)

    model = nl.load_model(run.path / "weights.safetensors")
    told = read_checkpoint(run.path / "weights.safetensors").header.provenance
    assert model.labels == ("blue", "red")
    assert model.spec.blocks[0].after == "mixed_4b"
    assert json.loads(told["recipe"]) == json.loads(recipe.model_dump_json())
    assert (told["seed"], told["iterations"], told["data"]) == ("0", "1", kinetics.name)
    assert "Apache-2.0" in told["licence"]
    assert "new blocks: mixed_4b" in model.card.notes


def test_an_objective_without_labels_trains_on_a_folder_of_videos(tmp_path, network, monkeypatch):
    monkeypatch.setitem(learner_module.OBJECTIVES, "quiet", Quiet())
    for number in range(2):
        write_video(tmp_path / "videos" / f"{number}.mp4", colour=(200, 40 * number, 40))
    recipe = little_recipe(tmp_path / "videos", network, objective="quiet", validation=tmp_path / "videos")

    run, records, _ = trained(tmp_path / "run", recipe)

    assert {"loss", "loudest", "broken"} == records[-1]["validation"].keys()
    assert torch.load(run.state_file, weights_only=True)["weights"]["scale"] != 1
    assert read_checkpoint(run.path / "weights.safetensors").header.spec.classes == 2


def test_a_run_that_was_killed_goes_on_bit_by_bit(tmp_path, videos_of_classes, network):
    fields = {"iterations": 5, "save_every": 2, "validate_every": 2, "workers": 1, "validation": videos_of_classes}
    recipe = little_recipe(videos_of_classes, network, **fields)
    whole, cut = (RunFolder.created(tmp_path / name, recipe) for name in ("whole", "cut"))

    never = train_process("--resume", whole.path, folder=tmp_path)
    killed = train_process("--resume", cut.path, folder=tmp_path)
    wait_for_line(cut, 3)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=WAIT_S)
    standing = torch.load(cut.state_file, weights_only=True)["iteration"]
    again = train_process("--resume", cut.path, folder=tmp_path)
    said = again.communicate(timeout=WAIT_S)[1]
    never.communicate(timeout=WAIT_S)

    assert (killed.returncode, again.returncode, never.returncode) == (-signal.SIGKILL, 0, 0)
    assert f"goes on after iteration {standing}" in said
    assert standing < 5
    assert untimed(read_log(cut.log_file)) == untimed(read_log(whole.log_file))
    assert numbers_of(cut) == numbers_of(whole)
    assert (cut.path / "best.safetensors").exists()


def test_two_processes_learn_what_one_does(tmp_path, videos_of_classes, deaf_network):
    held_out = Path(shutil.copytree(videos_of_classes, tmp_path / "held out", symlinks=True))
    (next(held_out.iterdir()) / "broken.mp4").write_bytes(b"no video")  # counted once, not by each process
    recipe = little_recipe(
        videos_of_classes, deaf_network, start="default", iterations=4, accumulate=2, batch_norm="frozen", dropout=0.0,
        validation=held_out, milestones=(2,),
    )  # fmt: skip
    two = RunFolder.created(tmp_path / "two", recipe)
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")

    process = train_process("--resume", two.path, folder=tmp_path, launcher=launcher)
    _, alone, _ = trained(tmp_path / "one", recipe)
    said = process.communicate(timeout=WAIT_S)[1]

    assert process.returncode == 0, said
    together = read_log(two.log_file)
    assert [record["loss"] for record in together] == pytest.approx([record["loss"] for record in alone], rel=1e-4)
    assert [record["error"] for record in together] == [record["error"] for record in alone]
    assert together[-1]["validation"] == pytest.approx(alone[-1]["validation"], rel=1e-3)
    assert len({record["loss"] for record in alone}) == 4
    assert said.count("[4/4]") == 1  # only one of them speaks


def test_parts_of_a_batch_add_up_to_the_whole(kinetics, deaf_network):
    found = []
    for accumulate in (1, 4):
        fields = {"start": "default", "iterations": 2, "batch_norm": "frozen", "dropout": 0.0}
        recipe = little_recipe(kinetics, deaf_network, accumulate=accumulate, **fields)
        learner = Learner(recipe, ALONE)
        found.append([learner.step(i, batch)["loss"] for i, batch in enumerate(learner.batches(0))])

    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_every_step_drops_out_other_features_but_always_the_same(kinetics, network):
    recipe = little_recipe(kinetics, network, lr=1e-12, batch_norm="frozen", momentum=0.0)
    learner = Learner(recipe, ALONE)
    batch = next(learner.batches(0))

    first, second, again = (learner.step(i, batch)["loss"] for i in (0, 1, 0))

    assert first != second
    assert first == again


def test_a_video_that_cannot_be_read_is_named_and_counted(tmp_path, network):
    videos = kinetics_like(tmp_path / "videos", each=1)
    (videos / "red" / "broken.mp4").write_bytes(b"no video")
    recipe = little_recipe(videos, network, iterations=3, batch=3, validation=videos)

    _, records, said = trained(tmp_path / "run", recipe)

    assert [record["broken"] for record in records] == [1, 2, 3]  # once an epoch
    assert records[0]["unreadable"] == [str(videos / "red" / "broken.mp4")]
    assert records[-1]["validation"]["broken"] == 1
    assert "broken.mp4" in "".join(said)


def test_a_validation_of_which_nothing_can_be_read_is_refused(tmp_path, kinetics, network):
    for name in ("red", "blue"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        (tmp_path / "videos" / name / "broken.mp4").write_bytes(b"no video")
    recipe = little_recipe(kinetics, network, iterations=1, validation=tmp_path / "videos")

    with pytest.raises(UnusableListing, match="none of the 2 validation videos"):
        trained(tmp_path / "run", recipe)


def test_a_loss_that_is_no_number_ends_the_run_before_it_spoils_the_weights(kinetics, network):
    learner = Learner(little_recipe(kinetics, network), ALONE)
    before = {name: value.clone() for name, value in learner.model.named_parameters()}
    clips = torch.full((2, 3, 4, 32, 32), math.nan)

    with pytest.raises(TrainingFailed, match="the loss of iteration 8 is nan; try a smaller lr"):
        learner.step(7, Batch(clips, torch.tensor([0, 1]), ()))

    assert all(torch.equal(value, before[name]) for name, value in learner.model.named_parameters())


def test_the_best_weights_are_those_of_the_lowest_error_also_after_a_restart(kinetics, network):
    recipe = little_recipe(kinetics, network)
    learner = Learner(recipe, ALONE)

    found = [learner.is_best({"loss": 1.0, "error": error}) for error in (0.5, 0.6, 0.4)]
    other = Learner(recipe, ALONE)
    other.restore(learner.state(3))

    assert found == [True, False, True]
    assert not other.is_best({"loss": 0.0, "error": 0.45})
    assert other.is_best({"loss": 0.2})  # without an error, the loss decides


def test_a_run_on_other_data_does_not_go_on(tmp_path, network):
    videos = kinetics_like(tmp_path / "videos", each=1)
    run, _, _ = trained(tmp_path / "run", little_recipe(videos, network, iterations=1, batch=2))
    write_video(videos / "red" / "new.mp4", colour=(220, 0, 0))

    with pytest.raises(ResumeMismatch, match="was trained on other data"):
        train(run)


def test_data_are_known_by_names_and_labels_wherever_they_lie():
    def print_of(path, target=0, classes=("a", "b")):
        return fingerprint(Listing((Example(Path(path), (target,)),), classes, "single"))

    assert print_of("/here/a/1.mp4") == print_of("/there/a/1.mp4")
    others = (print_of("/here/a/2.mp4"), print_of("/here/a/1.mp4", 1), print_of("/here/a/1.mp4", 0, ("b", "a")))
    assert len({print_of("/here/a/1.mp4"), *others}) == 4


def test_a_finished_run_has_nothing_left_to_do(tmp_path, kinetics, network):
    run, records, _ = trained(tmp_path / "run", little_recipe(kinetics, network, iterations=1))
    state = run.state_file.read_bytes()

    train(run)

    assert read_log(run.log_file) == records
    assert run.state_file.read_bytes() == state


def test_a_folder_holds_one_run(tmp_path):
    recipe = little_recipe(tmp_path, "default")
    RunFolder.created(tmp_path / "run", recipe)

    with pytest.raises(TrainingFailed, match="holds a run already; go on with --resume"):
        RunFolder.created(tmp_path / "run", recipe)


def test_lines_after_the_saved_state_and_half_lines_are_forgotten(tmp_path):
    run = RunFolder.created(tmp_path, little_recipe(tmp_path, "default"))
    for iteration in range(1, 5):
        run.log({"iteration": iteration})
    with run.log_file.open("a") as file:
        file.write('{"iteration": 5, "lo')

    run.forget_after(3)

    assert read_log(run.log_file) == [{"iteration": 1}, {"iteration": 2}, {"iteration": 3}]


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path):
    replace(tmp_path / "state", lambda file: file.write_text("old"))

    def break_off(file):
        file.write_text("ne")
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        replace(tmp_path / "state", break_off)

    assert (tmp_path / "state").read_text() == "old"


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"objective": "sigmoid"}, "needs a listing of kind 'multi', but this one is 'single'"), ({}, None)],
)
def test_labels_must_be_what_the_objective_takes(kinetics, network, fields, words):
    recipe = little_recipe(kinetics, network, **fields)

    if words:
        with pytest.raises(UnusableListing, match=words):
            Learner(recipe, ALONE)
    else:
        assert Learner(recipe, ALONE).listing.labelling == "single"


def test_a_batch_that_processes_cannot_share_is_refused(kinetics, network):
    recipe = little_recipe(kinetics, network, batch=6, accumulate=2)
    two = type(ALONE)(0, 2, torch.device("cpu"))

    with pytest.raises(TrainingFailed, match="choose a multiple of 4"):
        Learner(recipe, two)
