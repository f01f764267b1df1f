"""`evaluate`: how well a model does on labelled videos."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from nonlocal_core.commands.command import Subparsers, add_command, add_precision, number_from
from nonlocal_core.learn.clips import PROTOCOLS, Protocol
from nonlocal_core.zoo.cards import models_folder


def declare_evaluate(commands: Subparsers) -> None:
    """Declare `evaluate`."""
    parser = add_command(
        commands, "evaluate", _run_evaluate, "measure a model on labelled videos: top-1 and top-5, or mean precision",
        "nonlocal-lens evaluate kinetics/val --model psf-i3d-nl5-8x8 --protocol pyslowfast --out results.json",
    )  # fmt: skip
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="a folder of class folders, or a CSV: path,label, path,labels or Charades'",
    )
    parser.add_argument("--model", default="default", metavar="NAME", help="a model's name or file (default: default)")
    parser.add_argument("--videos", type=Path, metavar="DIR", help="where a CSV's videos lie (default: beside it)")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="paper", help="whose way to test (default: paper)")
    parser.add_argument(
        "--clips", type=number_from(1), metavar="N", help="clips along the video, instead of the protocol's"
    )
    parser.add_argument("--crops", choices=("full", "centre", "three"), help="of each clip, instead of the protocol's")
    parser.add_argument(
        "--objective", choices=("softmax", "sigmoid"), help="one class a video or several (default: as labelled)"
    )
    parser.add_argument(
        "--workers", type=number_from(1), default=2, metavar="N", help="videos decoded at a time (default: 2)"
    )
    add_precision(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write everything as JSON, also the confusions")


def _run_evaluate(options: argparse.Namespace) -> int:
    import torch

    from nonlocal_core.learn.evaluate import evaluate, format_table, report
    from nonlocal_core.learn.listing import read_listing
    from nonlocal_core.learn.objectives import SUPERVISED
    from nonlocal_core.zoo.checkpoint import file_sha256
    from nonlocal_core.zoo.load import load_model

    protocol = _protocol(options)
    model = load_model(options.model, models=models_folder(os.environ), precision=options.precision)
    listing = read_listing(options.data, videos=options.videos, classes=model.labels)
    objective = SUPERVISED[options.objective or ("sigmoid" if listing.labelling == "multi" else "softmax")]
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    evaluation = evaluate(
        model, listing, protocol, objective=objective, workers=options.workers,
        tell=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    print(format_table(evaluation))
    if options.out:
        assert model.card is not None
        found = report(
            evaluation, model=options.model, weights_sha256=file_sha256(model.card.weights), protocol=protocol,
            objective=objective.name, command=shlex.join(["nonlocal-lens", *sys.argv[1:]]),
        )  # fmt: skip
        options.out.write_text(json.dumps(found, indent=2, allow_nan=False), encoding="utf-8")
    return 0


def _protocol(options: argparse.Namespace) -> Protocol:
    """The named protocol, with what the command line changes of it."""
    changed = {name: value for name in ("clips", "crops") if (value := getattr(options, name)) is not None}
    return Protocol.model_validate(PROTOCOLS[options.protocol].model_dump() | changed)
