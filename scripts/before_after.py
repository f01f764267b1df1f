"""Arrows from one place under several models, side by side: what does training change?

    python scripts/before_after.py ../shared/media/clips/juggle.mp4 --frame 8 --x 0.5 --y 0.5 --block mixed_4e

Frames are drawn as outlines: the arrows stand out, and a picture of a video that may not be passed on may be.
"random" is the default model with blocks as they are before any fitting: theta and phi normal, std 0.01.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from PIL import Image, ImageFilter

import nonlocal_core as nl
from nonlocal_core.geometry import cell_at, centre_of
from nonlocal_core.model.build import Model

SHOWN = 4  # frames, as in Figure 3 of Wang et al. 2018
WORDS = {
    "random": "before: random blocks",
    "i3d-observers": "cosine of the frozen features",
    "default": "after: fitted blocks",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frame", type=int, default=8)
    parser.add_argument("--x", type=float, required=True, help="of the crop, from the left, 0 to 1")
    parser.add_argument("--y", type=float, required=True, help="from the top")
    parser.add_argument("--block", default="mixed_4e")
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--models", nargs="+", default=["random", "i3d-observers", "default"])
    parser.add_argument("--out", type=Path, default=Path("docs/before-after.png"))
    options = parser.parse_args()
    mpl.use("Agg")
    analyses = {name: nl.analyse(options.video, model_of(name)) for name in options.models}
    draw(analyses, options)
    print(options.out)


def model_of(name: str) -> Model:
    """A model by name; "random" is the default one with blocks of random weights."""
    if name != "random":
        return nl.load_model(name)
    shipped = nl.load_model("default")
    torch.manual_seed(0)
    model = Model(shipped.spec, shipped.labels, shipped.card)
    model.stages, model.head = shipped.stages, shipped.head
    return model.eval()


def draw(analyses: dict[str, nl.Analysis], options: argparse.Namespace) -> None:
    """A row of frames for each model; only arrows that end in one of these frames, as in Figure 3."""
    clip = next(iter(analyses.values())).clip.rgb
    frames = [int(frame) for frame in np.linspace(options.frame, len(clip) - 1, SHOWN)]
    size = clip.shape[1]
    figure, rows = plt.subplots(len(analyses), 1, figsize=(12, 3.3 * len(analyses)), layout="constrained")
    for axes, (name, analysis) in zip(np.atleast_1d(rows), analyses.items(), strict=True):
        axes.imshow(np.concatenate([outlines(clip[frame]) for frame in frames], 1), cmap="gray", vmin=0, vmax=255)
        told = f"{WORDS.get(name, name)}, {options.block}: the {options.k} of highest affinity in frames {frames}"
        axes.set_title(told, loc="left", fontsize=10)
        axes.set_axis_off()
        start = np.array([options.x, options.y]) * size
        ends = list(ends_in(analysis, frames, options))
        for column, place, weight in ends[: options.k]:
            end = np.array([place.x + column, place.y]) * size
            style = {"color": "crimson", "alpha": 0.35 + 0.65 * weight / ends[0][2], "lw": 1.2}
            axes.annotate("", end, start, arrowprops={"arrowstyle": "->", **style})
        axes.plot(*start, "o", color="gold", markeredgecolor="black")
    figure.savefig(options.out, dpi=80)
    with Image.open(options.out) as picture:  # grey lines and one red need no more colours, at a third of the size
        picture.convert("RGB").quantize(64, Image.Quantize.FASTOCTREE).save(options.out, optimize=True)


def ends_in(analysis: nl.Analysis, frames: list[int], options: argparse.Namespace) -> Iterator[tuple[int, Any, float]]:
    """Where arrows end whose cell covers one of the frames: its number in the row, the place, the weight; falling."""
    grid = analysis[options.block].key_grid
    for arrow in analysis.arrows(options.block, frame=options.frame, x=options.x, y=options.y, k=grid.cells):
        for column, frame in enumerate(frames):
            if cell_at(grid, nl.ClipPoint(frame, 0, 0), len(analysis.clip.rgb)).t == arrow.end.t:
                yield column, centre_of(grid, arrow.end, len(analysis.clip.rgb)), arrow.weight


def outlines(frame: np.ndarray) -> np.ndarray:
    """Edges, dark on white: uint8 [S, S, 3] -> [S, S]."""
    grey = Image.fromarray(frame).convert("L").filter(ImageFilter.GaussianBlur(1))
    edges = np.asarray(grey.filter(ImageFilter.FIND_EDGES), np.float32)
    edges[[0, -1]], edges[:, [0, -1]] = 0, 0
    return (255 - np.clip(4 * edges, 0, 255)).astype(np.uint8)


if __name__ == "__main__":
    main()
