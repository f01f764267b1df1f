"""Cuts of a clip: what was asked and what came of it, one small file each, and their jobs.

    data/clips/<id>/cuts/<key>.json       whole or absent; gone with its clip

The key is a digest of what is asked, so the same question is the same cut. The web side writes a file that is not
there or has failed; from then on only the worker does.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.jobs.queue import LIVE
from app.jobs.workflow import CUT, enqueue_options, open_client
from app.problems import FULL, CutNotFound, QueueFull, StorageFull
from nonlocal_core.affinity.cut import Cut, Removed
from nonlocal_core.durable import replace

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.library import Library

KEPT_CUTS = 200  # of one clip, some kB each; the oldest is forgotten
CUT_ID = re.compile("[0-9a-f]{24}")


class StoredChange(BaseModel, frozen=True):
    """One class: its probability before the cut and after it."""

    index: int
    label: str
    before: float
    after: float


class StoredError(BaseModel, frozen=True):
    """Why a cut failed."""

    code: str
    message: str


class StoredCut(BaseModel):
    """One cut and how far it is; `changes` and `moved` are there when it is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    block: str
    keys: tuple[int, ...] | Removed
    queries: tuple[int, ...] | None
    state: Literal["queued", "running", "done", "failed"] = "queued"
    attempts: int = 0
    error: StoredError | None = None
    changes: tuple[StoredChange, ...] = ()  # the top 5 before and the top 5 after, as they stood before
    moved: float | None = None  # probability that went to other classes, in [0, 1]

    @classmethod
    def of(cls, cut: Cut) -> StoredCut:
        """A cut that nobody has made yet; cells in rising order, once each."""
        asked: dict[str, Any] = {
            "block": cut.block,
            "keys": cut.keys if isinstance(cut.keys, str) else tuple(sorted(set(cut.keys))),
            "queries": None if cut.queries is None else tuple(sorted(set(cut.queries))),
        }
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]
        return cls(id=key, **asked)

    @property
    def cut(self) -> Cut:
        """What is asked."""
        return Cut(self.block, self.keys, self.queries)


class CutShelf:
    """The files: opens and writes them and decides nothing."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find(self, clip_id: str, cut_id: str) -> StoredCut | None:
        """The cut, or None when there is none; a file that cannot be read is none."""
        if not CUT_ID.fullmatch(cut_id):
            return None
        try:
            return StoredCut.model_validate_json(self._path(clip_id, cut_id).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, clip_id: str, stored: StoredCut) -> None:
        """Put the file in place, whole.

        Raises:
            FileNotFoundError: the clip is gone.
        """
        path = self._path(clip_id, stored.id)
        path.parent.mkdir(exist_ok=True)
        replace(path, lambda aside: aside.write_text(stored.model_dump_json(), encoding="utf-8"))

    def forget_oldest(self, clip_id: str, kept: int) -> None:
        """Remove all but the `kept` files that changed last."""
        files = list(self._library.folder(clip_id).glob("cuts/[!.]*.json"))
        files.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[kept:]:
            path.unlink(missing_ok=True)

    def _path(self, clip_id: str, cut_id: str) -> Path:
        return self._library.folder(clip_id) / "cuts" / f"{cut_id}.json"


class Cuts:
    """The web side: ask for cuts and read them.

    Args:
        limit: so many may wait or run at once, of all clips.
    """

    def __init__(self, engine: Engine, library: Library, *, limit: int) -> None:
        self._shelf = CutShelf(library)
        self._client = open_client(engine)
        self._limit = limit
        self._writing = threading.Lock()

    def submit(self, clip_id: str, cut: Cut) -> tuple[StoredCut, bool]:
        """Have the cut made; -> (the cut, whether it is new). One that failed is tried again.

        Raises:
            QueueFull: too many wait.
            StorageFull: no room for its file.
        """
        asked = StoredCut.of(cut)
        with self._writing:
            known = self._shelf.find(clip_id, asked.id)
            if known is not None and known.state == "done":
                return known, False
            job = f"cut-{clip_id}-{asked.id}"
            lives = bool(self._client.list_workflows(workflow_ids=[job], status=list(LIVE), load_input=False))
            if known is not None and known.state != "failed" and lives:
                return known, False
            self._ensure_room()
            self._store(clip_id, asked)
            self._client.delete_workflow(job)  # an id that has ended would not be taken again
            self._client.enqueue(enqueue_options(job, CUT), f"{clip_id}/{asked.id}")
        return asked, True

    def get(self, clip_id: str, cut_id: str) -> StoredCut:
        """The cut and how far it is.

        Raises:
            CutNotFound: there is none of that id.
        """
        found = self._shelf.find(clip_id, cut_id)
        if found is None:
            raise CutNotFound(cut_id)
        return found

    def close(self) -> None:
        """Let go of the client; the engine is the caller's."""
        self._client.destroy()

    def _ensure_room(self) -> None:
        waiting = self._client.list_workflows(name=CUT, status=list(LIVE), load_input=False, limit=self._limit)
        if len(waiting) >= self._limit:
            raise QueueFull(self._limit)

    def _store(self, clip_id: str, asked: StoredCut) -> None:
        try:
            self._shelf.write(clip_id, asked)
            self._shelf.forget_oldest(clip_id, KEPT_CUTS)
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull("the cut") from error
            raise
