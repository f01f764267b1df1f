"""`nonlocal-lens figure`: a link, or a query string and a clip, as SVG, PNG or PDF."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import urllib.error
import urllib.request
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.figures.drawing import CannotDraw, Drawing
from app.figures.formats import WIDTHS
from app.figures.raster import content_of
from app.figures.subject import Subject, stored_subject
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.commands.command import add_command, number_from
from nonlocal_core.errors import LensError, ModelError
from nonlocal_core.zoo.cards import ModelCard, card_of, models_folder
from nonlocal_core.zoo.checkpoint import file_sha256

PATIENCE_S = 60.0


def declare_figure(commands: Any) -> None:
    """Declare `figure`."""
    parser = add_command(
        commands, "figure", _run_figure, "draw a link as SVG, PNG or PDF",
        "nonlocal-lens figure --from 'block=mixed_4c&q=4.5.7' --clip kept --out figure.pdf\n"
        "  nonlocal-lens figure --from 'http://127.0.0.1:8000/clips/6f1c…?block=mixed_4c&q=4.5.7' --out figure.svg",
    )  # fmt: skip
    parser.add_argument("--from", dest="link", required=True, metavar="LINK", help="a page's address, or its query")
    parser.add_argument("--clip", type=Path, help="for a query: a folder that `analyse --out` made, or a video")
    parser.add_argument("--model", default="default", metavar="NAME", help="for a video: a name from `models`")
    parser.add_argument("--key", help="the server's key, where it wants one")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="its end says the format")
    parser.add_argument("--width", type=number_from(200), metavar="PX", help="pixels (SVG and PDF: of 1/96 inch)")


def _run_figure(options: argparse.Namespace) -> int:
    kind = options.out.suffix.lower().removeprefix(".")
    if kind not in WIDTHS:
        raise LensError(f"--out {options.out}: its name must end in .{', .'.join(WIDTHS)}")
    width = options.width or WIDTHS[kind]
    if urlsplit(options.link).scheme in ("http", "https"):
        content = _from_server(options.link, kind, width, options.key)
    else:
        content = content_of(_drawn(options, width), kind, width)
    options.out.write_bytes(content)
    return 0


def _from_server(link: str, kind: str, width: int, key: str | None) -> bytes:
    """The server draws: it alone knows the weights that its clips were analysed with."""
    parts = urlsplit(link)
    clip_id = Path(parts.path).name
    address = f"{parts.scheme}://{parts.netloc}/api/v1/clips/{clip_id}/figure.{kind}?{parts.query}"
    request = urllib.request.Request(f"{address}&width={width}")
    if key:
        request.add_unredirected_header("X-API-Key", key)  # for this server, not for one that it may point to
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise CannotDraw(f"{address} answered: {error}") from error


def _drawn(options: argparse.Namespace, width: int) -> str:
    if options.clip is None:
        raise LensError("--from is a query string: name the clip with --clip FOLDER or --clip VIDEO")
    if options.clip.is_dir():
        return _draw(options.clip.resolve(), options.link, width)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "clip")
        kept.mkdir()
        _analyse(options.clip, options.model, kept)
        return _draw(kept, options.link, width)


def _draw(folder: Path, query: str, width: int) -> str:
    subject = _subject(AffinityStore(folder.parent), folder.name)
    drawing = Drawing()
    try:
        with drawing.of(subject, query) as sketch:
            made = datetime.now(UTC).isoformat(timespec="seconds")
            return sketch.figure(version=version("nonlocal-lens"), made=made, width=width)
    finally:
        drawing.close()


def _subject(store: AffinityStore, name: str) -> Subject:
    """The stored clip with its model's weights, if that model is here."""
    model = store.manifest(name).provenance.get("model", "")
    cards: dict[str, ModelCard] = {}
    with contextlib.suppress(ModelError):  # the figure then says nothing of weights
        cards[model] = card_of(model, models_folder(os.environ))
    return stored_subject(store, name, cards)


def _analyse(video: Path, model: str, folder: Path) -> None:
    import nonlocal_core as nl  # torch is loaded here, when it is needed

    analysis = nl.analyse(video, nl.load_model(model, models=models_folder(os.environ), precision="float32"))
    origin = {"model": model, "filename": video.name, "sha256": file_sha256(video), "start_s": "0.0"}
    AffinityStore(folder.parent).write(folder.name, analysis, origin)
