"""`analyse` and `arrows`: questions to a video."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nonlocal_core.affinity.arrows import TOP_ARROWS, Arrow
from nonlocal_core.affinity.field import AffinityField, Direction
from nonlocal_core.affinity.query import Pool, Query, Value, answer
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.commands.command import Subparsers, add_command, add_precision
from nonlocal_core.geometry import Grid, centre_of
from nonlocal_core.variant import VARIANTS
from nonlocal_core.zoo.cards import models_folder
from nonlocal_core.zoo.checkpoint import file_sha256

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
        origin = {"filename": options.video.name, "sha256": file_sha256(options.video), "start_s": str(options.start_s)}
        origin |= {"model": options.model, "variant": options.variant}
        AffinityStore(options.out.parent).write(options.out.name, analysis, origin)
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
    add_subject(parser)
    add_query(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_arrows(options: argparse.Namespace) -> int:
    query = Query.of(vars(options))
    field, frames = subject_field(options, query.block)
    arrows = answer(field, query, frames).arrows
    grid = field.answering_grid(query.direction)
    if options.json:
        print(json.dumps({"block": query.block, "arrows": [_arrow_json(a, grid, frames) for a in arrows]}, indent=2))
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
    return {
        "rank": arrow.rank,
        "weight": arrow.weight,
        "mass": arrow.mass,
        "start": asdict(arrow.start),
        "end": end,
    }


def add_query(parser: argparse.ArgumentParser) -> None:
    """The flags of a question: the API's names."""
    add = parser.add_argument
    add("--block", required=True, help="name of the block, such as mixed_4c")
    add("--frame", type=int, required=True, help="frame of the clip, from 0")
    add("--x", type=float, required=True, help="fraction of the crop, rightwards, in [0, 1)")
    add("--y", type=float, required=True, help="fraction of the crop, downwards, in [0, 1)")
    add("--to-frame", type=int, help="with --to-x and --to-y: the opposite corner of a region that asks together")
    add("--to-x", type=float, help="see --to-frame")
    add("--to-y", type=float, help="see --to-frame")
    add("--pool", choices=get_args(Pool), default="mean", help="how a region's cells answer (default %(default)s)")
    add(
        "--direction", choices=get_args(Direction), default="forward",
        help="forward: what the place looks at (default); reverse: who looks at it",
    )  # fmt: skip
    add("--k", type=int, default=TOP_ARROWS, help="how many arrows (default %(default)s)")
    add("--mass", type=float, help="instead of --k: as few arrows as hold this percentage of the weight")
    add("--near-cells", type=int, help="leave out what is within so many cells of the place, and")
    add("--near-frames", type=int, default=0, help="within so many frames (default %(default)s)")
    add("--when", default="all", help="frames of the answers: all (default), others, same, or a range such as 8-15")
    add(
        "--value", choices=get_args(Value), default="weight", help="weight (default), or contribution: |W_z g| times it"
    )
    add("--minus-mean", action="store_true", help="subtract the mean over all questions of the block")


def add_subject(parser: argparse.ArgumentParser) -> None:
    """What is asked about: a video, or a folder that `analyse --out` made."""
    parser.add_argument("video", type=Path, help="a video, or a folder that `analyse --out` made (much faster)")
    _add_model(parser)


@dataclass(frozen=True)
class Subject:
    """What is asked about: its blocks in network order, its length in frames, and how to get a block's affinities."""

    blocks: tuple[str, ...]
    frames: int
    field: Callable[[str], AffinityField]


def open_subject(options: argparse.Namespace) -> Subject:
    """A stored analysis, or the video analysed now."""
    if options.video.is_dir():
        folder = options.video.resolve()
        store = AffinityStore(folder.parent)
        manifest = store.manifest(folder.name)
        blocks = tuple(block.name for block in manifest.blocks)
        return Subject(blocks, manifest.frames.count, lambda block: store.read(folder.name, block))
    analysis = _analyse(options, options.video)
    return Subject(analysis.blocks, len(analysis.clip.rgb), analysis.__getitem__)


def subject_field(options: argparse.Namespace, block: str) -> tuple[AffinityField, int]:
    """The affinities of a block of it, and its length in frames."""
    subject = open_subject(options)
    return subject.field(block), subject.frames


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="default", metavar="NAME", help="a name from `models`, or a .safetensors file"
    )
    add_precision(parser)
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="where the clip starts, in seconds")
    parser.add_argument("--variant", choices=VARIANTS, default="none", help="a null model of the clip (default: none)")


def _analyse(options: argparse.Namespace, video: Path) -> Analysis:
    import nonlocal_core as nl  # torch is loaded here, when it is needed

    def show(stage: str, fraction: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{stage:8} {fraction:4.0%}", end="" if fraction < 0.9 else "\n", file=sys.stderr, flush=True)

    model = nl.load_model(options.model, models=models_folder(os.environ), precision=options.precision)
    return nl.analyse(video, model, start_s=options.start_s, variant=options.variant, progress=show)


def _size(grid: Grid) -> str:
    return f"{grid.t}x{grid.h}x{grid.w}"
