"""`train` and `curves`: a network learns from videos, and how that went."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, cast, get_args, get_origin

from nonlocal_core.commands.command import Subparsers, add_command
from nonlocal_core.errors import ResumeMismatch, TrainingFailed
from nonlocal_core.learn.clips import Augmentation
from nonlocal_core.learn.recipe import Recipe, read_recipe, recipe_of
from nonlocal_core.zoo.cards import CARDS, models_folder

_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def declare_train(commands: Subparsers) -> None:
    """Declare `train`: a flag for every field of `Recipe`."""
    parser = add_command(
        commands, "train", _run_train, "train a network on your videos",
        "nonlocal-lens train videos/ --out run --model default --batch 8 --iterations 2000\n"
        "  torchrun --standalone --nproc_per_node 2 --no-python nonlocal-lens train videos/ --out run",
    )  # fmt: skip
    parser.add_argument("data", type=Path, nargs="?", help=Recipe.model_fields["data"].description)
    folder = parser.add_mutually_exclusive_group(required=True)
    folder.add_argument("--out", type=Path, metavar="RUN", help="folder of the new run")
    folder.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was ended, as it was asked")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a saved recipe.json; flags change it")
    for name, field in Recipe.model_fields.items():
        if name != "data":
            several: Any = {"nargs": "+"} if get_origin(field.annotation) is tuple else {}
            told = "" if field.default in (None, ()) else f" (default: {_words(field.default)})"
            parser.add_argument(
                f"--{name.replace('_', '-')}", metavar=_metavar(field.annotation), default=argparse.SUPPRESS,
                help=f"{field.description}{told}".replace("%", "%%"), **several,
            )  # fmt: skip


def _words(value: Any) -> str:
    """A default as it is typed."""
    if isinstance(value, Augmentation):
        return value.model_dump_json()
    return " ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)


def _metavar(annotation: Any) -> str:
    """The choices of a Literal, else what kind of value is wanted."""
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    if choices:
        return "{" + ",".join(choices) + "}"
    kinds = {int: "N", float: "X", str: "NAME", tuple[int, ...]: "N", tuple[str, ...]: "REGEX"}
    return kinds.get(annotation, "PATH" if "Path" in str(annotation) else "JSON")


def recipe_from(options: argparse.Namespace) -> Recipe:
    """The recipe that the command line asks for: a saved one, changed by flags; paths are made absolute.

    Raises:
        TrainingFailed: a field is missing, unknown or out of range.
        ResumeMismatch: flags that would change a run that has begun.
    """
    file: Path | None = options.resume / "recipe.json" if options.resume else options.recipe
    saved = read_recipe(file) if file else None
    asked = _absolute(recipe_of({**(saved.model_dump() if saved else {}), **_flags(options)}))
    if options.resume and saved and asked != saved:
        changed = [name for name in Recipe.model_fields if getattr(asked, name) != getattr(saved, name)]
        raise ResumeMismatch(
            f"{options.resume} goes on as it began, so {', '.join(changed)} cannot change; for another run, use --out "
            f"with --start {options.resume / 'weights.safetensors'}"
        )
    return asked


def _flags(options: argparse.Namespace) -> dict[str, Any]:
    flags = {name: value for name, value in vars(options).items() if name in Recipe.model_fields and value is not None}
    if "augmentation" in flags:
        try:
            flags["augmentation"] = json.loads(flags["augmentation"])
        except json.JSONDecodeError as error:
            raise TrainingFailed(f"--augmentation {flags['augmentation']!r} is no JSON: {error}") from None
    return flags


def _absolute(recipe: Recipe) -> Recipe:
    """The same files by their whole paths, so that a run goes on from any folder; names of models stay names."""
    folders = {name: getattr(recipe, name) for name in ("data", "videos", "validation")}
    files = {name: getattr(recipe, name) for name in ("model", "start")}
    whole = {name: path.resolve() for name, path in folders.items() if path is not None}
    whole |= {
        name: str(Path(file).resolve()) for name, file in files.items() if file not in CARDS and Path(file).is_file()
    }
    return recipe.model_copy(update=whole)


def _run_train(options: argparse.Namespace) -> int:
    from nonlocal_core.learn.parallel import joined
    from nonlocal_core.learn.state import RunFolder
    from nonlocal_core.learn.train import train

    recipe = recipe_from(options)
    with joined(os.environ) as process:
        run = RunFolder(options.resume or options.out)
        if options.out and process.leads:
            run = RunFolder.created(options.out, recipe)
        process.gathered(run.path)  # nobody reads the recipe before it is there
        try:
            train(run, process, models=models_folder(os.environ), tell=_tell)
        except KeyboardInterrupt:
            _tell(f"stopped; go on with `nonlocal-lens train --resume {run.path}`")
            return _INTERRUPTED
    if process.leads:
        print(f"{run.path / 'weights.safetensors'}: trained; see `nonlocal-lens evaluate` and `nonlocal-lens curves`")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def declare_curves(commands: Subparsers) -> None:
    """Declare `curves`."""
    parser = add_command(
        commands, "curves", _run_curves, "draw the learning curves of one run or several into one picture",
        "nonlocal-lens curves with-blocks without-blocks --out curves.png",
    )  # fmt: skip
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder that `train` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture: .png, .svg or .pdf")


def _run_curves(options: argparse.Namespace) -> int:
    from nonlocal_core.learn.curves import draw_curves

    draw_curves(options.runs, options.out)
    print(options.out)
    return 0
