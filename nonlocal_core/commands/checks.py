"""`doctor`: is the installation sound?"""

from __future__ import annotations

import argparse
from pathlib import Path

from nonlocal_core.commands.command import Subparsers, add_command


def declare_doctor(commands: Subparsers) -> None:
    """Declare `doctor`."""
    parser = add_command(commands, "doctor", _run_doctor, "check this installation, in words", "nonlocal-lens doctor")
    parser.add_argument("--data", type=Path, default=Path(".data"), help="the server's data folder")


def _run_doctor(options: argparse.Namespace) -> int:
    from nonlocal_core.doctor import examine

    findings = examine(options.data)
    for finding in findings:
        print(f"{'ok  ' if finding.good else 'BAD '} {finding.what}: {finding.words}")
    return 0 if all(finding.good for finding in findings) else 1
