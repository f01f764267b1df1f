"""Evaluation: averages over views longhand, a network that knows colours, and the command on a real network."""

import argparse
import json

import numpy as np
import pytest
import torch
from torch import nn

from nonlocal_core.cli import run
from nonlocal_core.commands.evaluating import declare_evaluate
from nonlocal_core.errors import UnusableListing
from nonlocal_core.learn.clips import Protocol, evaluation_views
from nonlocal_core.learn.evaluate import evaluate, format_table, report
from nonlocal_core.learn.listing import Example, Listing, read_listing
from nonlocal_core.learn.metrics import mean_average_precision
from nonlocal_core.learn.objectives import OBJECTIVES
from nonlocal_core.model.build import Model
from nonlocal_core.video import normalise
from nonlocal_core.zoo.checkpoint import Checkpoint, Header, file_sha256, write_checkpoint
from tests.learn.films import SPEC, broken_film, colour_film, ramp_film, write_frames

SOFTMAX, SIGMOID = OBJECTIVES["softmax"], OBJECTIVES["sigmoid"]
SMALL = Protocol(clips=2, crops="centre", short_side_px=36, size_px=32)


class ColourNetwork(nn.Module):
    """Its logits are the mean colour of the last frame's right half, times a gain: views differ, answers are known."""

    def __init__(self, gain=4.0):
        super().__init__()
        self.spec, self.labels = SPEC, ("red", "green", "blue")
        self.gain = nn.Parameter(torch.tensor(gain))
        self.norm = nn.BatchNorm3d(3)  # not run; its mode is what matters
        self.seen = []

    def forward(self, batch):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen.append(tuple(batch.shape))
        return self.gain * batch[:, :, -1, :, batch.shape[-1] // 2 :].mean((2, 3))  # [N, 3]


@pytest.fixture
def colours(tmp_path):
    """Two red films, a green one, a blue one, by the names of their classes."""
    for name, rgb in [("red/a", (200, 0, 0)), ("red/b", (90, 9, 9)), ("green/a", (0, 99, 0)), ("blue/a", (9, 9, 99))]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        colour_film(tmp_path / f"{name}.avi", rgb)
    return tmp_path


def labelled(folder):
    return read_listing(folder, classes=("red", "green", "blue"))


def logits_of_views(model, path, protocol):
    """[views, C], one view after the other."""
    with torch.no_grad():
        views = [torch.from_numpy(normalise(v, SPEC.mean, SPEC.std)) for v in evaluation_views(path, SPEC, protocol)]
        return torch.cat([model(view) for view in views])


@pytest.mark.parametrize("objective", [SOFTMAX, SIGMOID], ids=lambda objective: objective.name)
@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_scores_are_averaged_over_all_views_before_or_after_the_activation(tmp_path, average, objective):
    model = ColourNetwork().eval()
    stripes = np.random.default_rng(0).integers(0, 256, (30, 1, 6, 3), np.uint8)  # others in each frame
    film = write_frames(tmp_path / "a.avi", np.broadcast_to(stripes.repeat(8, 2), (30, 36, 48, 3)))
    example = Example(film, (0,))
    listing = Listing((example,), model.labels, objective.labelling)
    protocol = Protocol(clips=3, crops="three", short_side_px=36, size_px=32, average=average)

    found = evaluate(model, listing, protocol, objective=objective)

    logits = logits_of_views(model, example.path, protocol)
    before, after = objective.scores(logits).mean(0), objective.scores(logits.mean(0, keepdim=True))[0]
    assert len({tuple(row) for row in logits.tolist()}) == 9
    assert not torch.allclose(before, after, atol=1e-3)
    expected = before if average == "probabilities" else after
    assert np.allclose(found.scores[0], expected.numpy(), atol=1e-6)


def test_a_network_that_knows_colours_is_right_about_all_of_them(colours):
    found = evaluate(ColourNetwork(), labelled(colours), SMALL, objective=SOFTMAX)

    assert found.metrics["top1"] == 1
    assert found.confusion.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert [(each.name, each.videos, each.measure) for each in found.per_class] == [
        ("red", 2, 1.0), ("green", 1, 1.0), ("blue", 1, 1.0),
    ]  # fmt: skip
    assert np.allclose(found.scores.sum(1), 1)


def test_a_film_in_the_wrong_folder_counts_against_its_class(colours):
    colour_film(colours / "green" / "b.avi", (0, 0, 200))

    found = evaluate(ColourNetwork(), labelled(colours), SMALL, objective=SOFTMAX)

    assert found.metrics["top1"] == 4 / 5
    assert found.confusion.tolist() == [[2, 0, 0], [0, 1, 1], [0, 0, 1]]
    assert [(each.videos, each.measure) for each in found.per_class] == [(2, 1), (2, 1 / 2), (1, 1)]


def test_several_classes_a_video_are_measured_by_average_precision(tmp_path):
    for name, rgb in [("a", (200, 200, 0)), ("b", (200, 0, 0)), ("c", (0, 90, 0))]:
        colour_film(tmp_path / f"{name}.avi", rgb)
    source = tmp_path / "list.csv"
    source.write_text("path,labels\na.avi,red;green\nb.avi,green\nc.avi,\n")

    found = evaluate(ColourNetwork(), labelled(source), SMALL, objective=SIGMOID)

    assert found.metrics["map"] == pytest.approx(mean_average_precision(found.scores, found.targets))
    assert found.targets.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    # green: b, with none of it, comes last: (1 / 1 + 2 / 3) / 2. Red: a and b are equally red.
    assert [each.measure for each in found.per_class[:2]] == pytest.approx([1 / 2, 5 / 6])
    assert found.per_class[2].videos == 0
    assert np.isnan(found.per_class[2].measure)
    assert found.confusion is None


def test_broken_videos_are_counted_and_named_and_not_scored(colours):
    broken = broken_film(colours / "red" / "0.mp4")

    found = evaluate(ColourNetwork(), labelled(colours), SMALL, objective=SOFTMAX)

    assert [path for path, _ in found.broken] == [str(broken)]
    assert len(found.names) == len(found.scores) == len(found.targets) == 4
    assert found.metrics["top1"] == 1
    assert f"BROKEN {broken}: " in format_table(found)


def test_when_all_are_broken_it_says_so(tmp_path):
    (tmp_path / "red").mkdir()
    broken_film(tmp_path / "red" / "0.mp4")

    with pytest.raises(UnusableListing, match="none of the 1 videos can be read"):
        evaluate(ColourNetwork(), labelled(tmp_path), SMALL, objective=SOFTMAX)


def test_every_video_gives_a_line_of_progress(colours):
    colour_film(colours / "red" / "0.avi", (0, 0, 90))
    broken_film(colours / "red" / "c.mp4")
    lines = []

    evaluate(ColourNetwork(), labelled(colours), SMALL, objective=SOFTMAX, tell=lines.append)

    assert lines[2] == "[3/6] 0.avi  top-1 so far 66.7 %"  # blue, green, and then a red one that is blue
    assert lines[5].startswith("[6/6] c.mp4  BROKEN: ")


def test_views_are_run_one_at_a_time_and_the_full_one_is_the_whole_frame(colours):
    model = ColourNetwork()
    listing = read_listing(colours, classes=model.labels)
    one = Listing(listing.examples[:1], listing.classes, "single")

    evaluate(model, one, Protocol(clips=3, short_side_px=36), objective=SOFTMAX)

    assert model.seen == [(1, 3, 8, 36, 48)] * 3


def test_the_networks_modules_are_left_in_the_modes_they_were_in(colours):
    model = ColourNetwork().train()
    model.norm.eval()  # frozen

    evaluate(model, labelled(colours), SMALL, objective=SOFTMAX)

    assert model.training
    assert not model.norm.training


@pytest.mark.parametrize(
    ("labelling", "classes", "objective", "message"),
    [
        ("none", (), SOFTMAX, "labelled 'none', but softmax is measured on 'single'"),
        ("multi", ("red", "green", "blue"), SOFTMAX, "labelled 'multi', but softmax"),
        ("single", ("red", "green", "blue"), SIGMOID, "labelled 'single', but sigmoid"),
        ("single", ("green", "red", "blue"), SOFTMAX, "3 classes are not the model's 3, in its order"),
    ],
)
def test_a_listing_that_does_not_fit_is_refused_before_anything_is_decoded(
    tmp_path, labelling, classes, objective, message
):
    listing = Listing((Example(tmp_path / "missing.mp4", (0,)),), classes, labelling)

    with pytest.raises(UnusableListing, match=message):
        evaluate(ColourNetwork(), listing, SMALL, objective=objective)


def test_a_report_is_json_without_nan_and_keeps_what_was_done(tmp_path):
    (tmp_path / "red").mkdir()
    film = ramp_film(tmp_path / "red" / "a.avi")
    found = evaluate(ColourNetwork(), labelled(tmp_path), SMALL, objective=SOFTMAX)

    told = report(
        found, model="colours", weights_sha256="abc", protocol=SMALL, objective="softmax", command="evaluate it"
    )

    told = json.loads(json.dumps(told, allow_nan=False))
    assert (told["command"], told["weights_sha256"], told["model"]) == ("evaluate it", "abc", "colours")
    assert told["protocol"] == SMALL.model_dump()
    assert told["per_class"][1] == {"name": "green", "videos": 0, "measure": None}
    assert told["classes_without_videos"] == 2
    (prediction,) = told["predictions"]
    assert (prediction["video"], prediction["true"]) == (str(film), ["red"])
    assert [each["score"] for each in prediction["best"]] == sorted(found.scores[0].tolist(), reverse=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small I3D of random weights for three colours, as a model file."""
    torch.manual_seed(0)
    spec = SPEC.model_copy(update={"frames": 4})
    model = Model(spec, ("red", "green", "blue"))
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items() if "num_batches" not in name}
    path = tmp_path_factory.mktemp("weights") / "colours.safetensors"
    write_checkpoint(path, Checkpoint(Header(spec, model.labels, {"source": "this test"}), tensors))
    return path


def run_command(*arguments):
    parser = argparse.ArgumentParser()
    declare_evaluate(parser.add_subparsers())
    return run(parser, ["evaluate", *map(str, arguments)])


def test_the_command_prints_a_table_and_writes_everything_as_json(colours, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["nonlocal-lens", "evaluate", "my videos"])
    out = tmp_path / "results.json"

    status = run_command(
        colours, "--model", weights, "--protocol", "tushar-n", "--clips", 1, "--crops", "centre", "--out", out
    )

    printed, progress = capsys.readouterr()
    told = json.loads(out.read_text())
    assert status == 0
    assert progress.splitlines()[3].startswith("[4/4] b.avi  top-1 so far ")
    assert printed.splitlines()[-1].endswith(f"{100 * told['metrics']['top1']:.1f} %, error "
        f"{100 * told['metrics']['error']:.1f} % (4 videos, 0 broken)")  # fmt: skip
    assert told["weights_sha256"] == file_sha256(weights)
    assert told["command"] == "nonlocal-lens evaluate 'my videos'"
    assert [told["protocol"][name] for name in ("average", "clips", "crops")] == ["logits", 1, "centre"]
    assert sum(map(sum, told["confusion"])) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--objective", "sigmoid"), "labelled 'single', but sigmoid"),
        (("--model", "default"), "folder blue: 'blue' is none of the 400 classes"),
    ],
)
def test_the_command_says_in_one_line_what_does_not_fit(colours, weights, capsys, arguments, message):
    status = run_command(colours, "--model", weights, *arguments)

    complaint = capsys.readouterr().err
    assert status == 1
    assert complaint.startswith("nonlocal-lens: ")
    assert complaint.count("\n") == 1
    assert message in complaint
