"""`cut`: what does the prediction owe to some arrows?"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonlocal_core.affinity.arrows import TOP_ARROWS
from nonlocal_core.affinity.cut import Cut
from nonlocal_core.affinity.query import Query, answer
from nonlocal_core.commands.command import Subparsers, add_command, add_precision, number_from
from nonlocal_core.errors import LensError
from nonlocal_core.geometry import ClipPoint, flat_index
from nonlocal_core.variant import VARIANTS
from nonlocal_core.zoo.cards import models_folder

if TYPE_CHECKING:
    from nonlocal_core.affinity.field import AffinityField
    from nonlocal_core.cutting import CutResult


def declare_cut(commands: Subparsers) -> None:
    """Declare `cut`."""
    parser = add_command(
        commands, "cut", _run_cut, "run a clip again without some arrows, and compare the top 5",
        "nonlocal-lens cut kick.mp4 --block mixed_4c --frame 8 --x 0.5 --y 0.4 --k 20\n"
        "  nonlocal-lens cut kick.mp4 --block mixed_4c --other-frames",
    )  # fmt: skip
    parser.add_argument("video", type=Path, help="mp4, mov, mkv, webm, avi or gif")
    parser.add_argument("--block", required=True, help="name of the block, such as mixed_4c")
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--other-frames", action="store_true", help="remove the keys of all other time steps")
    whole.add_argument("--whole-block", action="store_true", help="remove the block: z = x")
    parser.add_argument("--frame", type=int, help="a place's frame of the clip, from 0")
    parser.add_argument("--x", type=float, help="its fraction of the crop, rightwards, in [0, 1)")
    parser.add_argument("--y", type=float, help="its fraction of the crop, downwards, in [0, 1)")
    parser.add_argument(
        "--k", type=number_from(1), default=TOP_ARROWS, help="remove the ends of its k arrows (default %(default)s)"
    )
    parser.add_argument(
        "--everywhere", action="store_true", help="every place loses these keys, not only the one that asks"
    )
    parser.add_argument("--model", default="default", metavar="NAME", help="a name from `models`, or a model file")
    add_precision(parser)
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="where the clip starts, in seconds")
    parser.add_argument("--variant", choices=VARIANTS, default="none", help="cut a null model of the clip")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_cut(options: argparse.Namespace) -> int:
    place = _place(options)
    if place is None and not options.other_frames and not options.whole_block:
        raise LensError("say what to cut: a place with --frame, --x and --y, or --other-frames, or --whole-block")
    from nonlocal_core.cutting import ClipToCut  # torch is loaded here, when it is needed
    from nonlocal_core.zoo.load import load_model

    model = load_model(options.model, models=models_folder(os.environ), precision=options.precision)
    clip = ClipToCut(options.video, model, start_s=options.start_s, variant=options.variant)
    cut = _cut(options, place, clip.field(options.block), clip.frames)
    result = clip.without(cut)
    print(json.dumps(_as_json(cut, result), indent=2) if options.json else _as_text(cut, result))
    return 0


def _place(options: argparse.Namespace) -> ClipPoint | None:
    given = [value is not None for value in (options.frame, options.x, options.y)]
    if any(given) and not all(given):
        raise LensError("a place needs all of --frame, --x and --y")
    return ClipPoint(options.frame, options.x, options.y) if all(given) else None


def _cut(options: argparse.Namespace, place: ClipPoint | None, field: AffinityField, frames: int) -> Cut:
    """The cut that the options ask for."""
    keys = "other_frames" if options.other_frames else "block"
    if place is None:
        return Cut(options.block, keys)
    found = answer(field, Query(options.block, place, k=options.k), frames)
    if not options.other_frames and not options.whole_block:
        keys = tuple(flat_index(field.key_grid, arrow.end) for arrow in found.arrows)
    queries = tuple(flat_index(field.query_grid, cell) for cell in found.cells)
    return Cut(options.block, keys, None if options.everywhere else queries)


def _as_json(cut: Cut, result: CutResult) -> dict[str, Any]:
    return asdict(cut) | {"moved": result.moved, "changes": [asdict(change) for change in result.changes()]}


def _as_text(cut: Cut, result: CutResult) -> str:
    what = {"other_frames": "all keys of other time steps", "block": "the whole block"}
    removed = what[cut.keys] if isinstance(cut.keys, str) else f"{len(cut.keys)} keys"
    places = "every place" if cut.queries is None else "the asked place"
    lines = [f"{cut.block} without {removed}, for {places}: {result.moved:.2%} of the probability moved"]
    lines.append(" before    after   change  class")
    for change in result.changes():
        points = 100 * (change.after - change.before)
        lines.append(f"{change.before:7.2%}  {change.after:7.2%}  {points:+7.2f}  {change.label}")
    return "\n".join(lines)
