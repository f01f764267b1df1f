"""A task for tests of the worker: the uploaded "video" is a line of commands, so each test says what its job does.

sleep S | die | bad | bug | full | wait PATH (until that file exists); each run that begins is a line in data/runs.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel

from app.jobs.task import Task
from nonlocal_core.errors import UnreadableVideo


class FakeManifest(BaseModel):
    video: dict[str, int]
    frames: dict[str, int]
    notes: list[str]


class FakeStore:
    """As AffinityStore: files written aside one by one, then renamed."""

    def __init__(self, root):
        self.root = root

    def write(self, clip_id, analysis, provenance):
        aside = Path(tempfile.mkdtemp(prefix="analysis.partial-", dir=self.root / clip_id))
        for index in range(4):
            (aside / f"{index}.bin").write_text(f"{analysis} {provenance['sha256']}")
            time.sleep(0.02)
        (aside / "manifest.json").write_text("{}")
        target = self.root / clip_id / "analysis"
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
        return FakeManifest(video={"width": 1}, frames={"count": 1}, notes=["fake"])


def load(settings, library):
    runs = settings.data / "runs"

    def analyse(video, model, *, start_s, variant, progress):  # noqa: ARG001
        words = video.read_text().split()
        with runs.open("a") as file:
            file.write(f"{video.parent.name}\n")
        obey(words, progress)
        return f"{model} {start_s}"

    return Task(library, FakeStore(library.root), {name: name for name in settings.models}, analyse)


def obey(words, progress):
    progress("decode", 0.0)
    if "die" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "bad" in words:
        raise UnreadableVideo("no frame can be decoded")
    if "bug" in words:
        raise RuntimeError("secret /path")
    if "full" in words:
        raise OSError(errno.ENOSPC, "No space left on device")
    gate = Path(words[words.index("wait") + 1]) if "wait" in words else None
    ends = time.monotonic() + (float(words[words.index("sleep") + 1]) if "sleep" in words else 0)
    while time.monotonic() < ends or (gate and not gate.exists()):
        progress("network", 0.5)
        time.sleep(0.01)
