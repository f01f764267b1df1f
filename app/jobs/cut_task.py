"""What the job of a cut does: run the clip's network once whole and once cut, and write down what changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.jobs.cuts import CutShelf, StoredChange, StoredCut
from app.jobs.errand_task import ErrandTask
from nonlocal_core.errors import UnknownModel

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from app.clips_table import ClipRecord
    from app.library import Library
    from app.metrics import JobMetrics
    from nonlocal_core.cutting import ClipToCut


class CutTask(ErrandTask[StoredCut]):
    """Makes cuts, and keeps the clip that was cut last: a person cuts one clip several times.

    Args:
        models: by the name that clips carry.
        alone: held while a network runs.
        metrics: as for every errand.
    """

    def __init__(self, library: Library, models: Mapping[str, Any], alone: threading.Lock, metrics: JobMetrics) -> None:
        super().__init__(library, CutShelf(library), metrics, advice="cut fewer keys")
        self._models = models
        self._alone = alone
        self._kept: tuple[str, ClipToCut] | None = None

    def make(self, record: ClipRecord, errand: StoredCut) -> None:
        """Run the network and write down what changed."""
        with self._alone:
            self.look(record.id, errand.id)  # a whole analysis may have passed
            result = self._clip(record).without(errand.cut)
        self.look(record.id, errand.id)
        changes = tuple(StoredChange(**asdict(change)) for change in result.changes())
        done = {"state": "done", "changes": changes, "moved": result.moved}
        self._shelf.write(record.id, errand.model_copy(update=done))

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
