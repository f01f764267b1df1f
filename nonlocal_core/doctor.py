"""`nonlocal-lens doctor`: is this installation sound? Each finding is one line in words.

The server adds what only it knows, its database and who may ask it: app/doctor.py.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nonlocal_core.errors import LensError
from nonlocal_core.model.precision import has_bfloat16
from nonlocal_core.zoo.cards import CARDS, MODELS, card_of

ROOM_BYTES = 1_000_000_000  # about 35 analysed clips
GPU_DEVICES = ("/dev/nvidia0", "/dev/kfd")  # of NVIDIA's and AMD's drivers

CPU_INFO = Path("/proc/cpuinfo")

Check = tuple[str, Callable[[], str]]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    words: str


def examine(
    data: Path, models: Sequence[str] = ("default",), folder: Path = MODELS, *, more: Sequence[Check] = ()
) -> list[Finding]:
    """Look at everything that an analysis needs.

    Args:
        data: the folder that holds everything that is kept; it need not be there yet.
        models: names or files, as the settings name them.
        folder: where fetched models are.
        more: further checks; each answers in words or raises LensError or OSError.
    """
    checks: list[Check] = [
        ("decoder", _decoder),
        *((f"model {name}", lambda name=name: _model(name, folder)) for name in models),
        ("device", _device),
        ("data folder", lambda: _data(data)),
        ("disk", lambda: _disk(data)),
        *more,
    ]
    return [_finding(what, check) for what, check in checks]


def _finding(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, good=True, words=check())
    except (LensError, OSError) as error:
        return Finding(what, good=False, words=str(error))


def _decoder() -> str:
    from nonlocal_core.video import self_test
    from nonlocal_core.video.probe import ffmpeg_version

    self_test()
    return (
        f"videos are opened in an isolated child (FFmpeg {ffmpeg_version()}), and its white list refuses a hostile "
        "playlist"
    )


def _model(name: str, folder: Path) -> str:
    from nonlocal_core.zoo.load import load_model

    card = card_of(name, folder)
    parameters = sum(p.numel() for p in load_model(name, models=folder).parameters())
    others = [known for known in CARDS if known != card.name]
    return f"{card.title} loads ({parameters / 1e6:.1f} M parameters); also here: {', '.join(others)}"


def _device() -> str:
    import torch

    driver = next((device for device in GPU_DEVICES if Path(device).exists()), None)
    if driver and not torch.cuda.is_available():
        raise OSError(
            f"there is a GPU ({driver}), but torch {torch.__version__} cannot use it: install the build for its driver"
        )
    gpu = torch.cuda.get_device_name() if driver else "no GPU, the processor is used"
    return f"{gpu}; {torch.get_num_threads()} threads; torch {torch.__version__}; {_engine(gpu=bool(driver))}"


def _engine(*, gpu: bool) -> str:
    """How networks are run, see model/engine.py, and whether bfloat16 would be sooner."""
    import torch

    fused = not gpu and torch.backends.mkldnn.is_available()
    how = (
        "convolutions by oneDNN with norm and ReLU in one call" if fused else "convolutions with their norms folded in"
    )
    amx = CPU_INFO.exists() and "amx_bf16" in CPU_INFO.read_text()
    advice = "is sooner here" if gpu or amx else "is no sooner here: the processor has no AMX"
    if not has_bfloat16("cuda" if gpu else "cpu"):
        advice = "cannot be had here: the processor has no AVX-512"
    return f"{how}; --precision bfloat16 {advice}"


def _data(data: Path) -> str:
    """Write, sync, rename and link, as uploads do."""
    folder = _existing(data)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(f"this user (id {os.geteuid()}) may not write to {folder}")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as name:
        first, second = Path(name, "first"), Path(name, "second")
        with first.open("wb") as file:
            file.write(b"written by nonlocal-lens doctor")
            file.flush()
            os.fsync(file.fileno())
        first.replace(second)
        try:
            first.hardlink_to(second)
            links = "hard links work"
        except OSError:
            links = "it has no hard links: another model of the same video takes a copy of the file"
    there = "can be written" if folder == data.absolute() else f"can be made in {folder}"
    return f"{data.absolute()} {there}; {links}"


def _disk(data: Path) -> str:
    folder = _existing(data)
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        raise OSError(f"only {free / 1e6:.0f} MB are free at {folder}; a clip needs about 30 MB")
    return f"{free / 1e9:.0f} GB free at {folder}; a clip needs about 30 MB"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
