"""Errands: what a clip's reader asks of the worker besides the analysis, one small file each; and their jobs.

    data/clips/<id>/<name>s/<key>.json       the wish and how far it is, whole or absent; gone with its clip
                            <key>.stop       somebody cancelled it
                            <key>.stopped    and its job has let go of it

The key is a digest of what is asked, so the same wish is the same errand. The web side writes a file that no job
works on; from then on only the worker does, until it is done, has failed or has let go. Here is what every kind of
errand has, with its web side; the kinds are cuts.py and films.py, the worker's side is errand_task.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import threading
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from app.jobs.queue import LIVE
from app.jobs.workflow import enqueue_options, open_client
from app.problems import FULL, QueueFull, StorageFull
from nonlocal_core.durable import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from app.library import Library
    from nonlocal_core.errors import LensError

KEY = re.compile("[0-9a-f]{24}")

State = Literal["queued", "running", "done", "failed", "cancelled"]
GOING: tuple[State, ...] = ("queued", "running")


class StoredError(BaseModel, frozen=True):
    """Why an errand failed."""

    code: str
    message: str


class StoredErrand(BaseModel):
    """One errand and how far it is; a kind adds what is asked and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    state: State = "queued"
    attempts: int = 0
    error: StoredError | None = None


E = TypeVar("E", bound=StoredErrand)


def key_of(asked: Any) -> str:
    """The digest of a wish, given as plain JSON."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]


class Shelf(Generic[E]):
    """The files of one kind of errand: opens and writes them and decides nothing.

    Args:
        name: of one errand, such as "cut"; the folder is its plural.
        kind: what a file holds.
    """

    def __init__(self, library: Library, name: str, kind: type[E]) -> None:
        self.name = name
        self._library = library
        self._kind = kind

    def find(self, clip_id: str, errand_id: str) -> E | None:
        """The errand, or None when there is none; a file that cannot be read is none."""
        if not KEY.fullmatch(errand_id):
            return None
        try:
            errand = self._kind.model_validate_json(self._file(clip_id, errand_id, "json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        if errand.state in GOING and self.is_stopped(clip_id, errand_id):
            return errand.model_copy(update={"state": "cancelled"})
        return errand

    def write(self, clip_id: str, errand: E) -> None:
        """Put the file in place, whole.

        Raises:
            FileNotFoundError: the clip is gone.
        """
        path, text = self._file(clip_id, errand.id, "json"), errand.model_dump_json()
        path.parent.mkdir(exist_ok=True)
        replace(path, lambda aside: aside.write_text(text, encoding="utf-8"))

    def stop(self, clip_id: str, errand_id: str) -> None:
        """Mark the errand as cancelled.

        Raises:
            FileNotFoundError: the clip is gone.
        """
        self._file(clip_id, errand_id, "stop").touch()

    def is_stopped(self, clip_id: str, errand_id: str) -> bool:
        """Whether the errand is marked as cancelled."""
        return any(self._file(clip_id, errand_id, mark).exists() for mark in ("stop", "stopped"))

    def let_go(self, clip_id: str, errand_id: str) -> bool:
        """For a job that saw the mark and has cleaned up; False when the mark was taken back before this.

        One rename against one unlink, so that the job and `resume` never both take the errand for the other's.
        """
        stopped = self._file(clip_id, errand_id, "stopped")
        try:
            self._file(clip_id, errand_id, "stop").rename(stopped)
        except FileNotFoundError:
            return stopped.exists()
        return True

    def resume(self, clip_id: str, errand_id: str) -> bool:
        """Take the mark back; -> whether its job, if it lives, goes on: it had not let go."""
        try:
            self._file(clip_id, errand_id, "stop").unlink()
        except FileNotFoundError:
            self._file(clip_id, errand_id, "stopped").unlink(missing_ok=True)
            return False
        return True

    def forget_oldest(self, clip_id: str, kept: int) -> None:
        """Remove all but the `kept` errands whose files changed last, with all that belongs to them."""
        files = list(self._folder(clip_id).glob("[!.]*.json"))
        files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for file in files[kept:]:
            for path in self._folder(clip_id).glob(f"*{file.stem}*"):
                path.unlink(missing_ok=True)

    def _file(self, clip_id: str, errand_id: str, end: str) -> Path:
        return self._folder(clip_id) / f"{errand_id}.{end}"

    def _folder(self, clip_id: str) -> Path:
        return self._library.folder(clip_id) / f"{self.name}s"


class Errands(Generic[E]):
    """The web side of one kind: ask for errands, read and cancel them.

    Args:
        workflow: their jobs' name, see workflow.py.
        kept: so many of one clip; the oldest is forgotten.
        limit: so many may wait or run at once, of all clips.
        absent: the error for an id that nobody has.
    """

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf[E],
        workflow: str,
        *,
        kept: int,
        limit: int,
        absent: Callable[[str], LensError],
    ) -> None:
        self._shelf = shelf
        self._client = open_client(engine)
        self._workflow = workflow
        self._kept = kept
        self._limit = limit
        self._absent = absent
        self._writing = threading.Lock()

    def ask(self, clip_id: str, asked: E) -> tuple[E, bool]:
        """Have it done; -> (the errand, whether it is new). One that failed or was cancelled is done after all.

        Raises:
            QueueFull: too many wait.
            StorageFull: no room for its file.
        """
        job = f"{self._shelf.name}-{clip_id}-{asked.id}"
        with self._writing:
            known, lives = self._shelf.find(clip_id, asked.id), self._lives(job)
            if known is not None and (known.state == "done" or (known.state in GOING and lives)):
                return known, False
            self._ensure_room()
            goes_on = self._shelf.resume(clip_id, asked.id) and lives
            if known is not None and known.state == "cancelled" and goes_on:
                return self.get(clip_id, asked.id), True
            self._store(clip_id, asked)
            # A job of its own each time: that of a cancelled or failed one may still be about to end.
            self._client.enqueue(
                enqueue_options(f"{job}-{secrets.token_hex(4)}", self._workflow), f"{clip_id}/{asked.id}"
            )
        return asked, True

    def get(self, clip_id: str, errand_id: str) -> E:
        """The errand and how far it is.

        Raises:
            LensError: `absent`, there is none of that id.
        """
        found = self._shelf.find(clip_id, errand_id)
        if found is None:
            raise self._absent(errand_id)
        return found

    def cancel(self, clip_id: str, errand_id: str) -> E:
        """Stop the errand: when its job looks next, else before it starts. One that has ended stays as it is.

        Raises:
            LensError: `absent`, there is none of that id.
        """
        with self._writing:
            if self.get(clip_id, errand_id).state in GOING:
                with contextlib.suppress(FileNotFoundError):  # the clip is gone, which `get` will say
                    self._shelf.stop(clip_id, errand_id)
        return self.get(clip_id, errand_id)

    def close(self) -> None:
        """Let go of the client; the engine is the caller's."""
        self._client.destroy()

    def _lives(self, job: str) -> bool:
        return bool(
            self._client.list_workflows(workflow_id_prefix=job, status=list(LIVE), load_input=False, load_output=False)
        )

    def _ensure_room(self) -> None:
        waiting = self._client.list_workflows(
            name=self._workflow, status=list(LIVE), load_input=False, limit=self._limit
        )
        if len(waiting) >= self._limit:
            raise QueueFull(self._limit)

    def _store(self, clip_id: str, asked: E) -> None:
        try:
            self._shelf.write(clip_id, asked)
            self._shelf.forget_oldest(clip_id, self._kept)
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull(f"the {self._shelf.name}") from error
            raise
