"""`doctor`: is the installation sound?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nonlocal_core.commands.command import Subparsers, add_command

if TYPE_CHECKING:
    from nonlocal_core.doctor import Finding


def declare_doctor(commands: Subparsers) -> None:
    """Declare `doctor`."""
    parser = add_command(commands, "doctor", _run_doctor, "check this installation, in words", "nonlocal-lens doctor")
    parser.add_argument("--data", type=Path, help="the server's data folder (default .data)")


def _run_doctor(options: argparse.Namespace) -> int:
    from nonlocal_core.doctor import examine

    return report(examine(options.data or Path(".data")))


def report(findings: list[Finding]) -> int:
    """Print what was found, one line each; -> the exit status, 1 when anything is bad."""
    for finding in findings:
        print(f"{'ok  ' if finding.good else 'BAD '} {finding.what}: {finding.words}")
    return 0 if all(finding.good for finding in findings) else 1
