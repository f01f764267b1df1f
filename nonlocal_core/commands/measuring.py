"""`measures` and `tour`: what the blocks do in a clip, in numbers, and good questions to one of them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from nonlocal_core.affinity.measures import Measures, measure
from nonlocal_core.affinity.tour import STOPS, Stop, tour
from nonlocal_core.commands.clips import add_subject, open_subject
from nonlocal_core.commands.command import Subparsers, add_command, number_from
from nonlocal_core.geometry import GridPoint


def declare_measures(commands: Subparsers) -> None:
    """Declare `measures`."""
    parser = add_command(
        commands, "measures", _run_measures, "say in numbers what each block does in a clip",
        "nonlocal-lens measures kick.lens --block mixed_4c",
    )  # fmt: skip
    add_subject(parser)
    parser.add_argument("--block", help="name of one block, such as mixed_4c (default: all of them)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_measures(options: argparse.Namespace) -> int:
    subject = open_subject(options)
    found = {block: measure(subject.field(block)) for block in ([options.block] if options.block else subject.blocks)}
    if options.json:
        print(as_json(found))
        return 0
    print("rows differ: 0 = all places look at the same keys, 1 = no two share one; spread: 1 = even, 0 = one key")
    print("far: more than one key cell away in time, row or column; hubs: on the 1 % of keys that get most")
    print("block          rows differ     far  (even)  spread    hubs  earlier    same   later")
    for block, measures in found.items():
        print(_line(block, measures))
    return 0


def _line(block: str, measures: Measures) -> str:
    now = len(measures.by_step) // 2
    earlier, same, later = (
        sum(measures.by_step[part]) for part in (slice(now), slice(now, now + 1), slice(now + 1, None))
    )
    return (
        f"{block:14} {measures.dependence:11.2f} {measures.outside:7.1%} {measures.outside_evenly:7.1%}"
        f" {measures.entropy:7.2f} {measures.hub_mass:7.1%}  {earlier:7.1%} {same:7.1%} {later:7.1%}"
    )


def declare_tour(commands: Subparsers) -> None:
    """Declare `tour`."""
    parser = add_command(
        commands, "tour", _run_tour, "find places of a clip that are good to ask a block about",
        "nonlocal-lens tour kick.lens --block mixed_4c",
    )  # fmt: skip
    add_subject(parser)
    parser.add_argument("--block", help="name of the block, such as mixed_4c (default: the last)")
    parser.add_argument("--count", type=number_from(1), default=STOPS, help="at most so many (default %(default)s)")
    parser.add_argument(
        "--seed",
        type=number_from(0),
        default=0,
        help="draws the places where there are very many (default 0)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_tour(options: argparse.Namespace) -> int:
    subject = open_subject(options)
    block = options.block or (subject.blocks[-1] if subject.blocks else "")
    stops = tour(subject.field(block), subject.frames, count=options.count, seed=options.seed)
    if options.json:
        print(json.dumps({"block": block, "seed": options.seed, "stops": [asdict(stop) for stop in stops]}, indent=2))
        return 0
    print(f"{block}: {len(stops)} good questions" if stops else f"{block}: no place stands out")
    if stops:
        print("rank  score    far  frame     x     y   cell t,h,w   ends at t,h,w")
    for stop in stops:
        print(_stop_line(stop))
    return 0


def _stop_line(stop: Stop) -> str:
    frame, x, y = stop.point.frame, stop.point.x, stop.point.y
    where = f"{frame:6} {x:5.3f} {y:5.3f}   {_text(stop.cell):10}   {_text(stop.end)}"
    return f"{stop.rank:4} {stop.score:6.3f} {stop.far:6.1%} {where}"


def _text(cell: GridPoint) -> str:
    return f"{cell.t},{cell.h},{cell.w}"


def as_json(found: dict[str, Measures]) -> str:
    """Measures by block; what is no number, such as a mean of nothing, is null."""
    plain = json.loads(json.dumps(found, default=vars), parse_constant=lambda _name: None)
    return json.dumps(plain, indent=2)
