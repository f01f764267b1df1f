"""`nonlocal-lens doctor`: is this installation sound? Each finding is one line in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nonlocal_core.errors import LensError
from nonlocal_core.zoo.cards import CARDS

ROOM_BYTES = 1_000_000_000  # about 35 analysed clips


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    words: str


def examine(data: Path) -> list[Finding]:
    """Look at everything that an analysis needs."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("decoder", _decoder),
        ("weights", _weights),
        ("device", _device),
        ("disk", lambda: _disk(data)),
    ]
    return [_finding(what, check) for what, check in checks]


def _finding(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, good=True, words=check())
    except (LensError, OSError) as error:
        return Finding(what, good=False, words=str(error))


def _decoder() -> str:
    from nonlocal_core.video import self_test

    self_test()
    return "videos are opened in an isolated child, and its white list refuses a hostile playlist"


def _weights() -> str:
    from nonlocal_core.zoo.load import load_model

    parameters = sum(p.numel() for p in load_model("default").parameters())
    return f"the default model loads ({parameters / 1e6:.1f} M parameters); known: {', '.join(CARDS)}"


def _device() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU, the processor is used"
    return f"{gpu}; {torch.get_num_threads()} threads; torch {torch.__version__}"


def _disk(data: Path) -> str:
    folder = data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        raise OSError(f"only {free / 1e6:.0f} MB are free at {folder}; a clip needs about 30 MB")
    return f"{free / 1e9:.0f} GB free at {folder}; a clip needs about 30 MB"
