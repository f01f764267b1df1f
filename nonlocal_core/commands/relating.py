"""`relate`: new blocks learn from unlabelled videos what belongs together, and to restore what is hidden."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nonlocal_core.commands.command import Subparsers, add_command, number_from
from nonlocal_core.errors import TrainingFailed
from nonlocal_core.zoo.cards import OBSERVERS, models_folder

if TYPE_CHECKING:
    from nonlocal_core.learn.closed_form import Random
    from nonlocal_core.learn.listing import Listing
    from nonlocal_core.learn.relate import Fitted
    from nonlocal_core.learn.windows import Window
    from nonlocal_core.model.build import Model

HELD_BACK = 10  # every tenth video is only measured
CLIPS = 60  # that each block's g and W_z are fitted to
STRENGTH = 0.5  # of W_z; at 0.7 more than 5 % of held-out clips changed their class, see docs/experiments/0002
_RELATED = "The blocks' theta and phi were fitted to unlabelled videos so that what moves together is related."
_RESTORING = "g and W_z restore cells that are hidden, by least squares; no gradient passed through the network."
_SILENT = "The blocks are silent: W_z is zero, so the predictions are those of the network without blocks."


def declare_relate(commands: Subparsers) -> None:
    """Declare `relate`."""
    parser = add_command(
        commands, "relate", _run_relate,
        "fit new blocks to unlabelled videos: what moves together is related, what is hidden restored",
        "nonlocal-lens relate videos/ --out related.safetensors",
    )  # fmt: skip
    default = [block.after for block in OBSERVERS.spec.blocks]
    parser.add_argument("videos", type=Path, metavar="VIDEOS", help="a folder of videos, or a CSV; labels are not read")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument(
        "--model", default=OBSERVERS.name, metavar="NAME", help=f"a model whose backbone is taken ({OBSERVERS.name})"
    )
    parser.add_argument(
        "--blocks", nargs="+", default=default, metavar="STAGE",
        help=f"stages that get a block, in place of those the model has (default: {' '.join(default)})",
    )  # fmt: skip
    parser.add_argument(
        "--inner", type=number_from(1), default=128, metavar="N", help="width of theta, phi and g (128)"
    )
    parser.add_argument(
        "--steps", type=number_from(0), default=500, metavar="N", help="of gradient descent (500); 0: none"
    )
    parser.add_argument(
        "--closed-form", nargs="*", default=[default[0]], metavar="STAGE",
        help="stages whose theta and phi stay where the closed form puts them: early features tell that something "
        f"moves, not what, and gradient steps would relate all that moves ({default[0]})",
    )  # fmt: skip
    parser.add_argument(
        "--restore", type=number_from(0), default=CLIPS, metavar="N",
        help=f"clips that show each block's g and W_z what is hidden; 0 leaves the blocks silent ({CLIPS})",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=float, default=STRENGTH, metavar="X",
        help=f"factor on every W_z: 1 restores most, less changes the classes of whole clips less ({STRENGTH})",
    )  # fmt: skip
    parser.add_argument("--windows", type=number_from(1), default=2, metavar="N", help="most clips of one video (2)")
    parser.add_argument("--seed", type=number_from(0), default=0, metavar="N", help="of everything random (0)")
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR",
        help="where features are kept while it runs, 19.5 MB a clip (default: the system's temporary folder)",
    )  # fmt: skip


def _run_relate(options: argparse.Namespace) -> int:
    import numpy as np
    import torch

    from nonlocal_core.learn.listing import read_listing
    from nonlocal_core.learn.motion import opencv
    from nonlocal_core.learn.relate import assembled, related_spec
    from nonlocal_core.learn.restore import restore
    from nonlocal_core.learn.windows import windows_of
    from nonlocal_core.zoo.load import load_model

    for folder in (options.out.parent, options.scratch):  # better now than after an hour
        if folder is not None and not folder.is_dir():
            raise TrainingFailed(f"there is no folder {folder}; make it first")
    opencv()
    listing = read_listing(options.videos)
    model = load_model(options.model, models=models_folder(os.environ))
    spec = related_spec(model.spec, options.blocks, options.inner)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    with TemporaryDirectory(prefix="nonlocal-lens-relate-", dir=options.scratch) as folder:
        stages = [block.after for block in spec.blocks]
        windows = windows_of(model, listing, stages, Path(folder), each=options.windows, tell=_tell)
        drawn = {stage: np.random.default_rng([options.seed, list(model.stages).index(stage)]) for stage in stages}
        fitted = {stage: _fit(stage, windows, options, drawn[stage]) for stage in stages}
        random = np.random.default_rng([options.seed, len(model.stages)])
        projections = {stage: found.projections for stage, found in fitted.items()}
        related = assembled(model.cpu(), spec, projections, random)
        if options.restore:
            _tell(f"g and W_z: {options.restore} clips a block")
            first = next(iter(related.blocks))
            shown = [window.files[first] for window in windows if window.video % HELD_BACK]
            restore(related, shown, random, clips=options.restore, strength=options.strength, tell=_tell)
    _write(options.out, related, _provenance(options, model, listing, windows))
    print(format_fits(fitted))
    print(f"{options.out}: see `nonlocal-lens serve --model {options.out}`")
    return 0


def _fit(stage: str, windows: list[Window], options: argparse.Namespace, random: Random) -> Fitted:
    from nonlocal_core.learn.relate import fit

    scenes = [(window.video, window.scene(stage)) for window in windows]
    seen = [scene for video, scene in scenes if video % HELD_BACK]
    held_back = [scene for video, scene in scenes if not video % HELD_BACK]
    usable, measured = (sum(scene.usable for scene in part) for part in (seen, held_back))
    _tell(f"{stage}: {len(seen)} windows to fit ({usable} with something that moves by itself), {measured} held back")
    steps = 0 if stage in options.closed_form else options.steps
    return fit(seen, held_back, inner=options.inner, steps=steps, random=random, tell=_tell)


def _write(path: Path, model: Model, provenance: dict[str, str]) -> None:
    from nonlocal_core.durable import replace
    from nonlocal_core.zoo.checkpoint import Checkpoint, Header, write_checkpoint
    from nonlocal_core.zoo.convert import wanted_tensors

    state = model.state_dict()
    tensors = {name: state[name].numpy() for name in wanted_tensors(model)}
    checkpoint = Checkpoint(Header(model.spec, model.labels, provenance), tensors)
    replace(path, lambda file: write_checkpoint(file, checkpoint))


def _provenance(options: argparse.Namespace, model: Model, listing: Listing, windows: list[Window]) -> dict[str, str]:
    """What the file says about how it was made."""
    from nonlocal_core.learn.state import fingerprint

    card, videos = model.card, len({window.video for window in windows})
    assert card is not None
    random = {"weights": "random"} if card.random_weights else {}
    return random | {
        "source": f"nonlocal-lens relate, {videos} unlabelled videos of {options.videos.name}; the rest: {card.source}",
        "licence": f"of the weights it started from: {card.licence}",
        "command": shlex.join(["nonlocal-lens", *sys.argv[1:]]),
        "data": options.videos.name,
        "data_sha256": fingerprint(listing),
        "videos": str(videos),
        "windows": str(len(windows)),
        "steps": str(options.steps),
        "closed_form": " ".join(options.closed_form),
        "restore": str(options.restore),
        "strength": str(options.strength),
        "seed": str(options.seed),
        "notes": "\n".join((_RELATED, _RESTORING if options.restore else _SILENT)),
    }


def format_fits(fitted: Mapping[str, Fitted]) -> str:
    """For people: a line a stage, measured on the videos that were held back."""
    lines = [f"{'held back:':12}{'loss':>18}{'mass on what moves':>22}{'chance':>10}{'queries':>10}"]
    for stage, found in fitted.items():
        before, after = found.before, found.after
        loss = f"{before.loss:.3f} -> {after.loss:.3f}"
        mass = f"{before.mass:.3f} -> {after.mass:.3f}"
        lines.append(f"{stage:12}{loss:>18}{mass:>22}{after.chance:>10.3f}{after.queries:>10}")
    if not all(found.after.queries for found in fitted.values()):
        lines.append("nan: no cell of the videos held back lies on something that moves by itself; give more videos")
    return "\n".join(lines)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
