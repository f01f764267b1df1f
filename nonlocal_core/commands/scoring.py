"""`score`: do the arrows point at the right things, and do the blocks help a network that cannot see everything?"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from nonlocal_core.commands.command import Subparsers, add_command, number_from
from nonlocal_core.model.precision import Precision, check_precision, sooner
from nonlocal_core.zoo.cards import models_folder

if TYPE_CHECKING:
    from nonlocal_core.learn.occlusion import Hiding, Occlusion
    from nonlocal_core.model.build import Model


def declare_score(commands: Subparsers) -> None:
    """Declare `score`."""
    parser = add_command(
        commands, "score", _run_score, "measure whether arrows point at the same object in other frames",
        "nonlocal-lens score DAVIS --model trained.safetensors --videos holdout --json > card.json",
    )  # fmt: skip
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH",
        help="folder of NAME/clip.mp4 with NAME/masks, or of composed clips with .json",
    )  # fmt: skip
    parser.add_argument(
        "--model", action="append", metavar="NAME",
        help="may be repeated; the baselines stand on the grids of the first (default: default)",
    )  # fmt: skip
    parser.add_argument(
        "--view", action="append", choices=("crop", "whole"),
        help="the middle square or the whole frame; may be repeated (default: both)",
    )  # fmt: skip
    parser.add_argument(
        "--videos", type=Path, metavar="HOLDOUT",
        help="videos without labels, a folder or a CSV: also hide cells, and count whose class survives",
    )  # fmt: skip
    parser.add_argument(
        "--draws", type=number_from(1), default=2, metavar="N", help="hidings of each clip (default: 2)"
    )
    parser.add_argument(
        "--precision", choices=get_args(Precision),
        help="of the network while cells are hidden; arrows are always float32 (default: bfloat16 where the machine "
        "computes in it, else float32)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run_score(options: argparse.Namespace) -> int:
    import torch

    from nonlocal_core.learn.occlusion import Hiding
    from nonlocal_core.learn.scorecard import arrow_card, as_json
    from nonlocal_core.learn.scorecard_text import format_scorecard
    from nonlocal_core.learn.truth import truth_clips
    from nonlocal_core.learn.views import VIEWS, View
    from nonlocal_core.zoo.checkpoint import file_sha256
    from nonlocal_core.zoo.load import load_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = models_folder(os.environ)
    models = {name: load_model(name, models=folder).to(device) for name in options.model or ["default"]}
    if options.precision:
        check_precision(options.precision)
    hiding = Hiding(draws=options.draws, precision=options.precision or sooner(device))
    views: list[View] = list(dict.fromkeys(options.view or VIEWS))
    card = arrow_card(models, truth_clips(options.truth), views=views, tell=_tell)
    occlusions = _occlusions(models, options.videos, hiding) if options.videos else {}
    if not options.json:
        print(format_scorecard(card, occlusions))
        return 0
    about = {
        "command": shlex.join(["nonlocal-lens", *sys.argv[1:]]),
        "sha256": {name: {file.name: file_sha256(file) for file in _files(model)} for name, model in models.items()},
    }
    print(json.dumps(as_json(card, occlusions, hiding, **about), indent=2))
    return 0


def _files(model: Model) -> list[Path]:
    """Where the weights come from."""
    assert model.card is not None
    return [file for file in (model.card.weights, model.card.block_weights) if file]


def _occlusions(models: dict[str, Model], videos: Path, hiding: Hiding) -> dict[str, Occlusion]:
    """Of every model whose blocks do something."""
    from nonlocal_core.learn.listing import read_listing
    from nonlocal_core.learn.occlusion import has_effect, measure_occlusion

    listing = read_listing(videos)
    found: dict[str, Occlusion] = {}
    for name, model in models.items():
        if has_effect(model):
            found[name] = measure_occlusion(model, listing, hiding, tell=_tell)
        else:
            _tell(f"{name}: its blocks only observe, so hidden cells are not measured")
    return found


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
