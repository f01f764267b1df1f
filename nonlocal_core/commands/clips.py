"""`analyse` and `arrows`: questions to a video."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonlocal_core.affinity.arrows import TOP_ARROWS, Arrow, Query, answer
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.commands.command import Subparsers, add_command
from nonlocal_core.errors import LensError
from nonlocal_core.geometry import ClipPoint, Grid, centre_of
from nonlocal_core.zoo.cards import models_folder

if TYPE_CHECKING:
    from nonlocal_core.analysis import Analysis


def declare_analyse(commands: Subparsers) -> None:
    """Declare `analyse`."""
    parser = add_command(
        commands, "analyse", _run_analyse, "run a model on a video and say what it sees",
        "nonlocal-lens analyse kick.mp4 --out kick.lens",
    )  # fmt: skip
    parser.add_argument("video", type=Path, help="mp4, mov, mkv, webm, avi or gif")
    _add_model(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the analysis in this folder, for `arrows`")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_analyse(options: argparse.Namespace) -> int:
    analysis = _analyse(options, options.video)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        AffinityStore(options.out.parent).write(options.out.name, analysis, {"model": options.model})
    best = (-analysis.scores).argsort()[:5]
    predictions: list[dict[str, Any]] = [
        {"label": analysis.labels[i], "probability": float(analysis.scores[i])} for i in best
    ]
    if options.json:
        blocks = [
            {
                "name": name,
                "kind": field.kind,
                "query_grid": asdict(field.query_grid),
                "key_grid": asdict(field.key_grid),
            }
            for name, field in analysis.fields.items()
        ]
        print(json.dumps({"predictions": predictions, "blocks": blocks, "notes": analysis.notes}, indent=2))
        return 0
    for note in analysis.notes:
        print(note)
    for prediction in predictions:
        print(f"{prediction['probability']:6.1%}  {prediction['label']}")
    for name, field in analysis.fields.items():
        print(f"{name}: {field.kind}, queries {_size(field.query_grid)}, keys {_size(field.key_grid)}")
    return 0


def declare_arrows(commands: Subparsers) -> None:
    """Declare `arrows`."""
    parser = add_command(
        commands, "arrows", _run_arrows, "say which places have the highest affinity with one place of a video",
        "nonlocal-lens arrows kick.mp4 --block mixed_4c --frame 8 --x 0.5 --y 0.4 --k 20",
    )  # fmt: skip
    parser.add_argument("video", type=Path, help="a video, or a folder that `analyse --out` made (much faster)")
    _add_model(parser)
    parser.add_argument("--block", required=True, help="name of the block, such as mixed_4c")
    parser.add_argument("--frame", type=int, required=True, help="frame of the clip, from 0")
    parser.add_argument("--x", type=float, required=True, help="fraction of the crop, rightwards, in [0, 1)")
    parser.add_argument("--y", type=float, required=True, help="fraction of the crop, downwards, in [0, 1)")
    parser.add_argument("--k", type=int, default=TOP_ARROWS, help="how many arrows (default %(default)s)")
    parser.add_argument(
        "--direction", choices=("forward", "reverse"), default="forward",
        help="forward: what the place looks at (default); reverse: who looks at it",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_arrows(options: argparse.Namespace) -> int:
    if options.k < 1:
        raise LensError(f"--k {options.k}: ask for at least one arrow")
    if options.video.is_dir():
        store = AffinityStore(options.video.resolve().parent)
        field = store.read(options.video.resolve().name, options.block)
        frames = store.manifest(options.video.resolve().name).frames.count
    else:
        analysis = _analyse(options, options.video)
        field, frames = analysis[options.block], len(analysis.clip.rgb)
    point = ClipPoint(options.frame, options.x, options.y)
    arrows = answer(field, Query(options.block, point, options.k, options.direction), frames)
    grid = field.answering_grid(options.direction)
    if options.json:
        print(json.dumps({"block": options.block, "arrows": [_arrow_json(a, grid, frames) for a in arrows]}, indent=2))
        return 0
    print("rank   weight     mass  frame     x     y   cell t,h,w")
    for arrow in arrows:
        end, cell = centre_of(grid, arrow.end, frames), arrow.end
        print(
            f"{arrow.rank:4} {arrow.weight:8.5f} {arrow.mass:8.5f} {end.frame:6} {end.x:5.3f} {end.y:5.3f}"
            f"   {cell.t},{cell.h},{cell.w}"
        )
    return 0


def _arrow_json(arrow: Arrow, grid: Grid, frames: int) -> dict[str, Any]:
    end = asdict(centre_of(grid, arrow.end, frames)) | {"cell": asdict(arrow.end)}
    return {"rank": arrow.rank, "weight": arrow.weight, "mass": arrow.mass, "end": end}


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="default", metavar="NAME", help="a name from `models`, or a .safetensors file"
    )
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="where the clip starts, in seconds")


def _analyse(options: argparse.Namespace, video: Path) -> Analysis:
    import nonlocal_core as nl  # torch is loaded here, when it is needed

    def show(stage: str, fraction: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{stage:8} {fraction:4.0%}", end="" if fraction < 0.9 else "\n", file=sys.stderr, flush=True)

    model = nl.load_model(options.model, models=models_folder(os.environ))
    return nl.analyse(video, model, start_s=options.start_s, progress=show)


def _size(grid: Grid) -> str:
    return f"{grid.t}x{grid.h}x{grid.w}"
