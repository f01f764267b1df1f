"""Files that survive a power cut: synced before they get their name, in folders that are synced after."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def sync(path: Path) -> None:
    """Make what was written to a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` write a file aside, and put it in place at once: the old file or the new one is there, whole."""
    aside = path.with_name(f".{path.name}.new")
    write(aside)
    sync(aside)
    aside.replace(path)
    sync(path.parent)
