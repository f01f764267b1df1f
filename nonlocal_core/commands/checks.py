"""`doctor` and `score`: is the installation sound, and do the arrows point at the right things?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from nonlocal_core.commands.command import Subparsers, add_command
from nonlocal_core.zoo.cards import models_folder


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


def declare_score(commands: Subparsers) -> None:
    """Declare `score`."""
    parser = add_command(
        commands, "score", _run_score, "measure whether the arrows point at the same object in other frames",
        "nonlocal-lens score DAVIS --model default",
    )  # fmt: skip
    parser.add_argument(
        "truth", type=Path, help="folder of NAME/clip.mp4 with NAME/masks, or of composed clips with .json"
    )
    parser.add_argument("--model", action="append", metavar="NAME", help="may be repeated (default: default)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_score(options: argparse.Namespace) -> int:
    import nonlocal_core as nl
    from nonlocal_core.learn.score import format_scorecard, scorecard
    from nonlocal_core.learn.truth import truth_clips

    models = {name: nl.load_model(name, models=models_folder(os.environ)) for name in options.model or ["default"]}
    card = scorecard(models, truth_clips(options.truth), lambda name: print(name, file=sys.stderr))
    if options.json:
        print(json.dumps({name: {b: asdict(s) for b, s in blocks.items()} for name, blocks in card.items()}, indent=2))
    else:
        print(format_scorecard(card))
    return 0
