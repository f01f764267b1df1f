"""What the job of any errand does around its work: count attempts, look for a cancellation, write down a failure.

As task.py: it may be called again for the same errand at any time, and what comes of it is in place whole or not at
all.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

from app.database import until_possible
from app.jobs.errands import E, StoredError
from app.jobs.task import MAX_ATTEMPTS
from app.library import remove_path
from nonlocal_core.errors import LensError

if TYPE_CHECKING:
    from app.clips_table import ClipRecord
    from app.jobs.errands import Shelf
    from app.library import Library
    from app.metrics import JobMetrics

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The errand was cancelled: stop, and leave nothing."""


class ErrandTask(ABC, Generic[E]):
    """Does errands of one kind, one at a time.

    Args:
        metrics: hears how errands went.
        advice: what to ask for instead of an errand that kills its worker.
    """

    def __init__(self, library: Library, shelf: Shelf[E], metrics: JobMetrics, *, advice: str) -> None:
        self._library = library
        self._shelf = shelf
        self._metrics = metrics
        self._advice = advice

    @abstractmethod
    def make(self, record: ClipRecord, errand: E) -> None:
        """Do the work and put what came of it in place, so that the shelf finds the errand done.

        Calls `look` now and then. May raise anything; leaves no file then.
        """

    def run(self, job: str) -> None:
        """Bring the errand `<clip id>/<errand id>` to its end, whatever happens short of this process's death."""
        clip_id, _, errand_id = job.partition("/")
        began = time.monotonic()
        self._run(clip_id, errand_id)
        found, seconds = self._shelf.find(clip_id, errand_id), time.monotonic() - began
        outcome = "forgotten" if found is None else found.state
        log.info("%s %s: %s after %.2f s", self._shelf.name, job, outcome, seconds)
        self._metrics.ended(self._shelf.name, outcome, seconds)

    def _run(self, clip_id: str, errand_id: str) -> None:
        while True:
            record, errand = self._find(clip_id), self._shelf.find(clip_id, errand_id)
            if record is None or errand is None or errand.state == "done":
                break
            try:
                self._attempt(record, errand)
                break
            except Stopped:
                if self._shelf.let_go(clip_id, errand_id):
                    break
                # asked for again before we let go: nobody else will do it
        if self._find(clip_id) is None:  # deleted while we wrote
            remove_path(self._library.folder(clip_id))

    def look(self, clip_id: str, errand_id: str) -> None:
        """Raise Stopped when the errand was cancelled."""
        if self._shelf.is_stopped(clip_id, errand_id):
            raise Stopped

    def _attempt(self, record: ClipRecord, errand: E) -> None:
        name = self._shelf.name
        self.look(record.id, errand.id)
        if errand.attempts >= MAX_ATTEMPTS:
            died = f"the worker died {errand.attempts} times over this {name}; {self._advice}"
            self._fail(record, errand, "WorkerDied", died)
            return
        try:
            begun = errand.model_copy(update={"state": "running", "attempts": errand.attempts + 1})
            self._shelf.write(record.id, begun)
            self.make(record, begun)
        except Stopped:
            raise
        except LensError as error:
            self._fail(record, errand, type(error).__name__, str(error))
        except Exception:  # a job must end
            if self._find(record.id) is not None:  # missing files of a deleted clip are no news
                log.exception("%s %s of clip %s failed", name, errand.id, record.id)
                cause = f"the program failed on this {name}; the server's log has the cause"
                self._fail(record, errand, "InternalError", cause)

    def _find(self, clip_id: str) -> ClipRecord | None:
        return until_possible(lambda: self._library.find(clip_id))

    def _fail(self, record: ClipRecord, errand: E, code: str, message: str) -> None:
        error = StoredError(code=code, message=message)
        try:
            self._shelf.write(record.id, errand.model_copy(update={"state": "failed", "error": error}))
        except OSError:
            if self._find(record.id) is not None:  # else nobody asks any more
                log.exception("%s %s of clip %s could not be written", self._shelf.name, errand.id, record.id)
