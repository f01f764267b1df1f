"""What the job of a cut does: run the clip's network once whole and once cut, and write down what changed.

As task.py: it may be called again for the same cut at any time, and a file is in place whole or as it was before.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.jobs.cuts import CutShelf, StoredChange, StoredCut, StoredError
from app.jobs.task import MAX_ATTEMPTS
from app.library import remove_path
from nonlocal_core.errors import LensError, UnknownModel

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from app.library import ClipRecord, Library
    from nonlocal_core.cutting import ClipToCut

log = logging.getLogger(__name__)


class CutTask:
    """Makes cuts, and keeps the clip that was cut last: a person cuts one clip several times.

    Args:
        models: by the name that clips carry.
        alone: held while a network runs.
    """

    def __init__(self, library: Library, models: Mapping[str, Any], alone: threading.Lock) -> None:
        self._library = library
        self._shelf = CutShelf(library)
        self._models = models
        self._alone = alone
        self._kept: tuple[str, ClipToCut] | None = None

    def run(self, job: str) -> None:
        """Bring the cut `<clip id>/<cut id>` to its end, whatever happens short of this process's death."""
        clip_id, _, cut_id = job.partition("/")
        record, stored = self._library.find(clip_id), self._shelf.find(clip_id, cut_id)
        if record is None or stored is None or stored.state == "done":
            return
        try:
            self._shelf.write(clip_id, self._made(record, stored))
        except OSError:
            if self._library.find(clip_id) is not None:
                log.exception("cut %s could not be written", job)
        if self._library.find(clip_id) is None:  # deleted while we wrote
            remove_path(self._library.folder(clip_id))

    def _made(self, record: ClipRecord, stored: StoredCut) -> StoredCut:
        if stored.attempts >= MAX_ATTEMPTS:
            return _failed(
                stored, "WorkerDied", f"the worker died {stored.attempts} times over this cut; cut fewer keys"
            )
        begun = stored.model_copy(update={"state": "running", "attempts": stored.attempts + 1})
        self._shelf.write(record.id, begun)
        try:
            with self._alone:
                result = self._clip(record).without(stored.cut)
        except LensError as error:
            return _failed(begun, type(error).__name__, str(error))
        except Exception:  # a job must end
            log.exception("cut %s of clip %s failed", stored.id, record.id)
            return _failed(begun, "InternalError", "the program failed on this cut; the server's log has the cause")
        changes = tuple(StoredChange(**asdict(change)) for change in result.changes())
        return begun.model_copy(update={"state": "done", "changes": changes, "moved": result.moved})

    def _clip(self, record: ClipRecord) -> ClipToCut:
        from nonlocal_core.cutting import ClipToCut

        if self._kept is None or self._kept[0] != record.id:
            if record.model not in self._models:
                raise UnknownModel(record.model, tuple(self._models))
            self._kept = None  # before the next is made: one clip at a time in memory
            clip = ClipToCut(
                self._library.video(record.id),
                self._models[record.model],
                start_s=record.start_s,
                variant=record.variant,
            )
            self._kept = record.id, clip
        return self._kept[1]


def _failed(stored: StoredCut, code: str, message: str) -> StoredCut:
    return stored.model_copy(update={"state": "failed", "error": StoredError(code=code, message=message)})
