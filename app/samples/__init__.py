"""The clips that ship: analysed once at first start, so that the first page shows arrows without an upload."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.jobs.queue import JobQueue
from app.uploads import Received
from nonlocal_core.zoo.checkpoint import file_sha256

FOLDER = Path(__file__).parent
OFFERED = "samples.json"  # in the data folder: digests offered once; a sample that a person deleted stays deleted


def sample_files() -> Iterator[Path]:
    """The videos that ship."""
    yield from sorted(FOLDER.glob("*.mp4"))


def offer_samples(queue: JobQueue, data: Path, model: str) -> None:
    """Queue the samples that this data folder has not seen yet."""
    marker = data / OFFERED
    offered: list[str] = json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else []
    for path in sample_files():
        digest = file_sha256(path)
        if digest in offered:
            continue
        copy = data / "uploads" / digest
        shutil.copyfile(path, copy)
        queue.submit(Received(copy, digest, path.stat().st_size), filename=path.name, model=model, sample=True)
        offered.append(digest)
        marker.write_text(json.dumps(offered), encoding="utf-8")
