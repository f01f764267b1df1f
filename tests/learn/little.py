"""Little things to train on: videos of two kinds of motion, networks that take them, and a training as a process."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np

from nonlocal_core.learn.recipe import Recipe, recipe_of
from nonlocal_core.model.spec import BlockSpec, ModelSpec, ResNetSpec

ROOT = Path(__file__).parents[2]
BLOCK = BlockSpec(after="mixed_4b", kind="embedded_gaussian")
SEEN = {"frames": 4, "stride": 2, "size_px": 32, "short_side_px": 32, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
INCEPTION = ModelSpec(backbone="inception_v1", classes=2, **SEEN)
RESNET = ModelSpec(
    backbone="resnet", resnet=ResNetSpec(stem_stride_t=1, pool1_kernel_t=1, pool1_stride_t=1), classes=2, **SEEN
)
MAIN = """
import argparse, sys, torch
from nonlocal_core.commands.training import declare_curves, declare_train
from nonlocal_core.errors import LensError
torch.set_num_threads(1)
parser = argparse.ArgumentParser()
commands = parser.add_subparsers()
declare_train(commands), declare_curves(commands)
options = parser.parse_args()
try:
    sys.exit(options.run(options))
except LensError as error:
    sys.exit(str(error))
"""


def write_video(path: Path, *, colour: tuple[int, int, int], frames: int = 12) -> Path:
    """A bright square of a colour that moves to the right over grey, 48x32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(frames):
            rgb = np.full((32, 48, 3), 90, np.uint8)
            rgb[4:28, 2 * number : 2 * number + 24] = colour
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        file.mux(stream.encode())
    return path


def kinetics_like(folder: Path, *, each: int = 3) -> Path:
    """Videos of two classes in class folders."""
    for number in range(each):
        write_video(folder / "red" / f"{number}.mp4", colour=(220, 40 + 10 * number, 40))
        write_video(folder / "blue" / f"{number}.mp4", colour=(40, 40 + 10 * number, 220))
    return folder


def charades_like(folder: Path) -> Path:
    """A CSV in Charades' own layout: c000 where red is high, c001 where blue is, both or none of them elsewhere."""
    rows = ["id,subject,actions"]
    for red in (40, 220):
        for blue in (40, 220):
            actions = [f"c00{i} 0.00 0.40" for i, level in enumerate((red, blue)) if level > 100]
            name = f"V{red}{blue}"
            write_video(folder / "videos" / f"{name}.mp4", colour=(red, 60, blue))
            rows.append(f'{name},S1,"{";".join(actions)}"')
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def filmed(desk: Path, *classes: str, each: int = 3) -> dict[str, list[Path]]:
    """The first real videos of some kinds of content on the team's desk."""
    training = desk / "training"
    with (training / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == "train"]
    return {
        name: [training / "clips" / row["file"] for row in rows if row["content"] == name][:each] for name in classes
    }


def filmed_kinetics_like(folder: Path, desk: Path) -> Path:
    """Real videos in class folders."""
    for name, videos in filmed(desk, "drumming", "swan").items():
        (folder / name).mkdir(parents=True)
        for video in videos:
            (folder / name / video.name).symlink_to(video)
    return folder


def filmed_charades_like(folder: Path, desk: Path) -> Path:
    """A CSV in Charades' own layout of real videos: c000 drums, c001 swans, c002 an animal."""
    rows = ["id,subject,actions"]
    (folder / "videos").mkdir()
    for actions, videos in zip(((0,), (1, 2), (2,)), filmed(desk, "drumming", "swan", "dog").values(), strict=True):
        for video in videos:
            (folder / "videos" / video.name).symlink_to(video)
            rows.append(f'{video.stem},S1,"{";".join(f"c00{action} 0.00 9.00" for action in actions)}"')
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def spec_file(folder: Path, spec: ModelSpec) -> str:
    """The spec as a file, to be named as a model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(spec.model_dump_json())
    return str(folder / "spec.json")


def little_recipe(data: Path, model: str, **fields) -> Recipe:
    """A recipe for these videos: a few small steps without workers."""
    small = {"iterations": 4, "batch": 4, "workers": 0, "augmentation": {"short_sides": (32, 36)}}
    return recipe_of({"data": data, "model": model, **small, **fields})


def train_process(
    *arguments: str | Path, folder: Path, launcher: tuple[str, ...] = (sys.executable,)
) -> subprocess.Popen[str]:
    """`nonlocal-lens train ARGUMENTS` as a process of its own; `folder` is for its script."""
    script = folder / "main.py"
    script.write_text(MAIN)
    return subprocess.Popen(
        [*launcher, str(script), "train", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
