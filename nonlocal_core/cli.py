"""The command line but for `serve`, which the app adds (app/cli.py): thin over the Python API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from nonlocal_core.commands.checks import declare_doctor
from nonlocal_core.commands.clips import declare_analyse, declare_arrows
from nonlocal_core.commands.command import Subparsers
from nonlocal_core.commands.cutting import declare_cut
from nonlocal_core.commands.evaluating import declare_evaluate
from nonlocal_core.commands.measuring import declare_measures, declare_tour
from nonlocal_core.commands.models import declare_convert, declare_models
from nonlocal_core.commands.relating import declare_relate
from nonlocal_core.commands.scoring import declare_score
from nonlocal_core.commands.training import declare_curves, declare_train
from nonlocal_core.errors import LensError

_COMMANDS = (
    declare_analyse, declare_arrows, declare_measures, declare_tour, declare_cut, declare_models, declare_convert,
    declare_train, declare_curves, declare_evaluate, declare_relate, declare_score, declare_doctor,
)  # fmt: skip


def make_parser() -> tuple[argparse.ArgumentParser, Subparsers]:
    """The parser of every core command, and the place where more can be added."""
    parser = argparse.ArgumentParser(
        prog="nonlocal-lens",
        description="See which places in space and time a non-local block of a video network relates to each other.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for declare in _COMMANDS:
        declare(commands)
    return parser, commands


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Parse and run; errors that we raise on purpose become one line and status 1."""
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except LensError as error:
        print(f"nonlocal-lens: {error}", file=sys.stderr)
        return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a core command without the web app."""
    return run(make_parser()[0], arguments)
