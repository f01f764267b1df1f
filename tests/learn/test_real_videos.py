"""The whole pipeline on real videos of the desk: a network learns them, and `evaluate` tells how well."""

import csv
import json

import pytest

from nonlocal_core.cli import main
from nonlocal_core.learn.state import RunFolder, read_log
from nonlocal_core.learn.train import train
from tests.learn.little import BLOCK, INCEPTION, little_recipe, spec_file

SEEN = {"frames": 8, "size_px": 64, "short_side_px": 64}
STEPS = {
    "start": "default", "optimiser": "adamw", "lr": 3e-4, "batch_norm": "frozen", "dropout": 0.0, "iterations": 12,
    "schedule": "constant", "augmentation": {"short_sides": (64, 72)}, "workers": 2, "seed": 1,
}  # fmt: skip
ACTIONS = {  # c000 somebody stands, c001 a ball, c002 a board on wheels, c003 a weight is lifted
    "juggle": "c000 0 10;c001 0 10", "stgcn_ta_chi": "c000 0 5", "stgcn_skateboarding": "c000 0 5;c002 0 5",
    "stgcn_clean_and_jerk": "c000 0 5;c003 0 5", "dog": "", "cups": "c001 0 8",
}  # fmt: skip


@pytest.fixture
def network(tmp_path):
    return spec_file(tmp_path / "network", INCEPTION.model_copy(update={"blocks": (BLOCK,), **SEEN}))


@pytest.fixture
def fights(desk, tmp_path):
    """Four videos of each of the two labelled classes, as path,label."""
    with (desk / "training" / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["file"].startswith("fight__")]
    kinds = ("fight", "surveillance")
    chosen = [row for kind in kinds for row in [r for r in rows if (r["content"], r["split"]) == (kind, "train")][:4]]
    lines = [f"{desk / 'training' / 'clips' / row['file']},{row['content']}" for row in chosen]
    (tmp_path / "fights.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    return tmp_path / "fights.csv"


@pytest.fixture
def actions(tmp_path):
    """Six videos in Charades' own layout: several actions, one, or none."""
    lines = [f'{name},"{told}"' for name, told in ACTIONS.items()]
    (tmp_path / "actions.csv").write_text("\n".join(["id,actions", *lines]) + "\n")
    return tmp_path / "actions.csv"


def learnt(folder, recipe):
    run = RunFolder.created(folder, recipe)
    train(run)
    losses = [record["loss"] for record in read_log(run.log_file)]
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])
    return run.path / "weights.safetensors"


def test_two_classes_of_real_videos_are_learnt_and_evaluation_prints_top_1(tmp_path, fights, network, capsys):
    weights = learnt(tmp_path / "run", little_recipe(fights, network, **STEPS))

    asked = ["evaluate", str(fights), "--model", str(weights), "--clips", "2", "--out", str(tmp_path / "results.json")]
    assert main(asked) == 0

    assert "top1" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["metrics"]["top1"] >= 0.5


def test_several_actions_a_video_are_learnt_and_evaluation_prints_map(desk, tmp_path, actions, network, capsys):
    videos = desk / "media" / "clips"
    for video in ACTIONS:  # Charades' names are those of .mp4 files
        assert (videos / f"{video}.mp4").exists()
    recipe = little_recipe(actions, network, videos=videos, objective="sigmoid", batch=3, **STEPS)

    weights = learnt(tmp_path / "run", recipe)
    assert main(["evaluate", str(actions), "--videos", str(videos), "--model", str(weights), "--clips", "2"]) == 0

    assert "map" in capsys.readouterr().out
