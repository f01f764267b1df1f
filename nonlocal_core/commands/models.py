"""`models`, `models fetch` and `convert`: networks from elsewhere."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nonlocal_core.commands.command import Subparsers, add_command
from nonlocal_core.errors import UnknownModel, UnreadableCheckpoint
from nonlocal_core.zoo.cards import CARDS, ModelCard, card_of, models_folder
from nonlocal_core.zoo.published import PUBLISHED, PublishedCard


def declare_convert(commands: Subparsers) -> None:
    """Declare `convert`."""
    parser = add_command(
        commands, "convert", _run_convert, "turn a published checkpoint into a model file of ours",
        "nonlocal-lens convert i3d-kinetics-400.ckpt i3d-kinetics-400.safetensors",
    )  # fmt: skip
    parser.add_argument("source", type=Path, help="the checkpoint; its format is recognised by its content")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    parser.add_argument(
        "--random-weights", action="store_true", help="say in the file that nothing was learnt; the app shows it"
    )
    parser.add_argument(
        "--published-as", metavar="FILE", help="the name it was published under, if it is called otherwise now"
    )
    parser.add_argument(
        "--precision", choices=("float32", "float16"), default="float32",
        help="float16 halves the file and costs the authors' very numbers (default: float32)",
    )  # fmt: skip


def _run_convert(options: argparse.Namespace) -> int:
    from nonlocal_core.zoo.checkpoint import file_sha256, write_checkpoint
    from nonlocal_core.zoo.convert import convert_file

    checkpoint = convert_file(options.source, published_as=options.published_as)
    if options.random_weights:
        provenance = checkpoint.header.provenance | {"weights": "random"}
        checkpoint = replace(checkpoint, header=replace(checkpoint.header, provenance=provenance))
    write_checkpoint(options.target, checkpoint, precision=options.precision)
    values = sum(array.size for array in checkpoint.tensors.values())
    print(f"{options.target}: {len(checkpoint.tensors)} tensors, {values / 1e6:.2f} M values")
    print(f"sha256 {file_sha256(options.target)}")
    return 0


def declare_models(commands: Subparsers) -> None:
    """Declare `models`."""
    parser = add_command(
        commands, "models", _run_models, "list the models that are here and the ones that were published",
        "nonlocal-lens models fetch psf-i3d-nl5-8x8",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the cards as JSON")
    parser.add_argument("--table", action="store_true", help="print sizes and costs of the family beside the paper's")
    fetch = add_command(
        parser.add_subparsers(metavar="fetch"), "fetch", _run_fetch, "load a published model, check and convert it",
        "nonlocal-lens models fetch mm-i3d-nl5-dot --from ~/Downloads/i3d_8e1f2148.pth",
    )  # fmt: skip
    fetch.add_argument("name", metavar="NAME", help="a published model's name")
    fetch.add_argument("--mirror", metavar="BASE_URL", help="load from there; replaces the address's scheme and host")
    fetch.add_argument("--from", dest="file", type=Path, metavar="FILE", help="take this file; nothing is loaded")
    fetch.add_argument(
        "--to", type=Path, metavar="DIR", default=models_folder(os.environ), help="models folder (default %(default)s)"
    )


def _run_models(options: argparse.Namespace) -> int:
    if options.table:
        from nonlocal_core.model.count import format_family_table

        print(format_family_table())
        return 0
    folder = models_folder(os.environ)
    here = list(_cards_here(folder))
    absent = [card for card in PUBLISHED.values() if card.name not in {card.name for card in here}]
    if options.json:
        cards = [card.model_dump(mode="json", exclude={"weights", "block_weights"}) for card in here]
        print(json.dumps({"here": cards, "published": [card.model_dump(mode="json") for card in absent]}, indent=2))
        return 0
    print(f"Here (shipped, or in {folder})\n")
    for card in here:
        _print_card(card)
    _print_published(absent)
    return 0


def _cards_here(models: Path) -> Iterator[ModelCard]:
    yield from CARDS.values()
    for path in sorted(models.expanduser().glob("*.safetensors")):
        try:
            yield card_of(path.stem, models)
        except UnreadableCheckpoint as error:
            print(f"nonlocal-lens: {error}", file=sys.stderr)


def _print_card(card: ModelCard) -> None:
    spec = card.spec
    print(f"{card.name}: {card.title}\n  {card.summary}")
    print(f"  {spec.frames} frames with a stride of {spec.stride}, {spec.size_px} px; {spec.classes} classes")
    print("  blocks: " + (", ".join(f"{block.after} ({block.kind})" for block in spec.blocks) or "none"))
    if card.claimed_top1 is not None:
        print(f"  its authors report {_accuracy(card)} on Kinetics-400")
    print(f"  from {card.source}\n  licence: {card.licence}")
    for note in card.notes:
        print(f"  - {note}")
    print()


def _print_published(cards: list[PublishedCard]) -> None:
    """A table a project; accuracies as the authors report them, on Kinetics-400."""
    print("Published, not here: get one with `nonlocal-lens models fetch NAME`")
    width = max(len(card.name) for card in PUBLISHED.values())
    project = ""
    for card in cards:
        if card.project != project:
            project = card.project
            print(f"\n  {project}\n  {card.page}; licence: {card.licence}")
        how = "" if card.opens and card.url else "  (only listed)" if not card.opens else "  (no download: --from FILE)"
        clip = f"{card.frames}x{card.stride}"
        print(f"    {card.name:{width}}  {clip:>5}  {_accuracy(card):<17}  {card.title}{how}")


def _accuracy(card: ModelCard | PublishedCard) -> str:
    """Top-1 and top-5, in per cent; empty where nothing is claimed."""
    if card.claimed_top1 is None:
        return ""
    return f"{card.claimed_top1} %" + ("" if card.claimed_top5 is None else f" ({card.claimed_top5} %)")


def _run_fetch(options: argparse.Namespace) -> int:
    from nonlocal_core.zoo.fetch import fetch_model  # torch is loaded here: conversion needs the network's shapes

    if options.name not in PUBLISHED:
        raise UnknownModel(options.name, tuple(PUBLISHED))
    card, shown = PUBLISHED[options.name], _ProgressLine()
    record = fetch_model(
        card, options.to.expanduser(), mirror=options.mirror, file=options.file, progress=shown.update
    )  # fmt: skip
    shown.end()
    print(f"{card.name}: {card.title}, from {card.project}\n  {record.bytes} bytes, sha256 {record.sha256}")
    print(f"  trusted: {record.trust}\nnonlocal-lens serve --model {card.name}")
    return 0


class _ProgressLine:
    """Bytes so far on one line of a terminal; nothing where nobody looks."""

    def __init__(self) -> None:
        self._drawn = ""

    def update(self, got: int, total: int | None) -> None:
        text = f"{got / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{got / 1e6:.0f} MB"
        if text != self._drawn and sys.stderr.isatty():
            self._drawn = text
            print(f"\r{text:24}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._drawn:
            print(file=sys.stderr)
