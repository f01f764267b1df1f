"""How a command is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_args

from nonlocal_core.model.precision import Precision

Subparsers = Any  # argparse keeps the class private


def add_command(commands: Subparsers, name: str, run: Any, summary: str, example: str) -> argparse.ArgumentParser:
    """One command, with an example in its help."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_precision(parser: argparse.ArgumentParser, default: Precision | None = "float32") -> None:
    """The flag of commands that run a network; with a default of None, the settings have it."""
    parser.add_argument(
        "--precision", choices=get_args(Precision), default=default,
        help="bfloat16 is sooner on processors with AMX and on GPUs, cannot be had without AVX-512, and changes an "
        "arrow in a hundred or three (default float32)",
    )  # fmt: skip


def number_from(least: int) -> Callable[[str], int]:
    """What reads a whole number that is not less than `least`, for `type=`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} on")
        return int(text)

    return number
