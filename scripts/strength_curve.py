"""How far W_z may be turned up: whole clips keep their class, half hidden clips gain one. Draws docs/strength.png.

python scripts/strength_curve.py lists/holdout.csv --draws 3
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast

from nonlocal_core.learn.listing import read_listing
from nonlocal_core.learn.occlusion import Hiding, Occlusion, measure_occlusion
from nonlocal_core.model.build import Model
from nonlocal_core.model.norm import Affine
from nonlocal_core.zoo.load import load_model

PLOT = Path(__file__).parents[1] / "docs" / "strength.png"
STRENGTHS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.7)
CLEAN, GAIN = 95, 15  # what is asked for: per cent, points


def turn_to(model: Model, strength: float) -> None:
    for block in model.blocks.values():
        cast(Affine, cast(Any, block).w_z[1]).weight.data.fill_(strength)


def row_of(strength: float, found: Occlusion) -> dict[str, float]:
    half = found.hidden[0]
    shares = {"clean": found.clean, "with": half.with_blocks, "without": half.without_blocks, "gain": half.gain}
    numbers = {name: 100 * share.mean for name, share in shares.items()}
    return {"strength": strength, **numbers, **{f"{name}_error": 100 * share.error for name, share in shares.items()}}


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
    rows: list[dict[str, float]] = []
    for strength in options.strengths:
        turn_to(model, strength)
        found = measure_occlusion(model, listing, Hiding(shares=(0.5,), boxes=((2, 4),), draws=options.draws))
        rows.append(row_of(strength, found))
        print(json.dumps({name: round(value, 2) for name, value in rows[-1].items()}), flush=True)
    draw(rows, options.plot)


if __name__ == "__main__":
    main()
