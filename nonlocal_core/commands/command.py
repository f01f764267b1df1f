"""How a command is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

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


def number_from(least: int) -> Callable[[str], int]:
    """What reads a whole number that is not less than `least`, for `type=`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} on")
        return int(text)

    return number
