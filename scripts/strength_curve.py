"""How far W_z may be turned up: whole clips keep their class, half hidden clips gain one. Draws docs/strength.png.

python scripts/strength_curve.py lists/holdout.csv --draws 3
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from nonlocal_core.learn.hidden import Halves
from nonlocal_core.learn.listing import read_listing
from nonlocal_core.learn.occlusion import mask_of, share_of
from nonlocal_core.learn.validate import ahead, middle_clip
from nonlocal_core.model.build import Model
from nonlocal_core.model.norm import Affine
from nonlocal_core.model.precision import computing_in, sooner
from nonlocal_core.zoo.load import load_model

PLOT = Path(__file__).parents[1] / "docs" / "strength.png"
STRENGTHS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.7)
CLEAN, GAIN = 95, 15  # what is asked for: per cent, points


def turn_to(model: Model, strength: float) -> None:
    for block in model.blocks.values():
        cast(Affine, cast(Any, block).w_z[1]).weight.data.fill_(strength)


def kept(model: Model, clips: Iterator[Tensor], strengths: Sequence[float], draws: int) -> list[np.ndarray]:
    """For every clip the share that keeps the class of the network without blocks: [strengths + 1, whole or hidden].

    The last row is without blocks, which no strength changes. Masks are drawn as `nonlocal-lens score` draws them, from
    other seeds.
    """
    halves = Halves(model)
    found: list[np.ndarray] = []
    for number, clip in enumerate(clips):
        x = halves.front(clip.to(memory_format=torch.channels_last_3d))
        seen = [x, *(x * mask_of(x, 0.5, (2, 4), seed=(1, number, draw)) for draw in range(draws))]
        without = [class_of(halves, each, "without") for each in seen]
        rows: list[list[int]] = []
        for strength in strengths:
            turn_to(model, strength)
            rows.append([class_of(halves, each, "with") for each in seen])
        same = np.array([*rows, without]) == without[0]  # [strengths + 1, 1 + draws]
        found.append(np.stack([same[:, 0], same[:, 1:].mean(1)], 1))
        print(f"[{number + 1}]", end=" ", flush=True, file=sys.stderr)
    return found


def class_of(halves: Halves, x: Tensor, blocks: Literal["with", "without"]) -> int:
    return int(halves.rest(x, blocks)[0].argmax())


def summary(clips: np.ndarray, strengths: Sequence[float]) -> list[dict[str, float]]:
    """Per cent and points with their standard errors, a row a strength; `clips` [N, strengths + 1, 2]."""
    without = clips[:, -1, 1]
    rows: list[dict[str, float]] = []
    for n, strength in enumerate(strengths):
        shares = {"clean": clips[:, n, 0], "with": clips[:, n, 1], "without": without, "gain": clips[:, n, 1] - without}
        found = {name: share_of(values) for name, values in shares.items()}
        rows.append({"strength": strength, **{name: 100 * share.mean for name, share in found.items()},
                     **{f"{name}_error": 100 * share.error for name, share in found.items()}})  # fmt: skip
    return rows


def draw(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharex=True)
    asked = (
        ("clean", "whole clips that keep their class, %", CLEAN),
        ("gain", "gain where half is hidden, points", GAIN),
    )
    for axis, (name, label, bar) in zip(axes, asked, strict=True):
        columns = [[row[key] for row in rows] for key in ("strength", name, f"{name}_error")]
        axis.errorbar(columns[0], columns[1], yerr=columns[2], fmt="o-", color="#0072b2", capsize=3)
        axis.axhline(bar, color="#d55e00", linestyle="--", label=f"asked for: {bar}")
        axis.set(xlabel="strength of W_z (1: least squares)", ylabel=label)
        axis.legend(frameon=False)
        axis.grid(alpha=0.3)
    figure.suptitle("One factor on every W_z: the two wishes pull against each other (bars: standard error over clips)")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS)
    parser.add_argument("--draws", type=int, default=3, help="masks of each clip")
    parser.add_argument("--plot", type=Path, default=PLOT)
    options = parser.parse_args()
    model, listing = load_model("default"), read_listing(options.videos)
    clips = (
        clip for clip in ahead(lambda each: middle_clip(each, model.spec), listing.examples, 2) if clip is not None
    )
    model.eval().to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]  # missing in torch's types
    with torch.inference_mode(), computing_in(sooner("cpu"), "cpu"):
        found = np.stack(kept(model, clips, options.strengths, options.draws))
    rows = summary(found, options.strengths)
    print(f"{len(found)} clips, {options.draws} masks of each")
    for row in rows:
        print(json.dumps({name: round(value, 2) for name, value in row.items()}))
    draw(rows, options.plot)


if __name__ == "__main__":
    main()
