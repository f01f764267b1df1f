"""What the job of a film does: draw each frame, encode it, put the film in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.jobs.errand_task import ErrandTask
from app.jobs.films import FilmShelf, StoredFilm
from app.jobs.task import REPORT_EVERY_S
from nonlocal_core.durable import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from app.clips_table import ClipRecord
    from app.library import Library
    from app.metrics import JobMetrics
    from nonlocal_core.affinity.store import AffinityStore
    from nonlocal_core.zoo.cards import ModelCard


class FilmTask(ErrandTask[StoredFilm]):
    """Makes films.

    Args:
        cards: of the models that clips name, for what the film says of its origin.
        metrics: as for every errand.
    """

    def __init__(
        self, library: Library, store: AffinityStore, cards: Mapping[str, ModelCard], metrics: JobMetrics
    ) -> None:
        self._films = FilmShelf(library)
        super().__init__(library, self._films, metrics, advice="ask for fewer arrows")
        self._store = store
        self._cards = cards

    def make(self, record: ClipRecord, errand: StoredFilm) -> None:
        """Draw and encode; a cancelled film stops at its next frame."""
        from app.figures.drawing import Drawing
        from app.figures.film import make_film
        from app.figures.subject import stored_subject

        report = self._reporter(record.id, errand)
        subject, drawing = stored_subject(self._store, record.id, self._cards), Drawing()

        def write(aside: Path) -> None:
            try:
                make_film(aside, errand.format, drawing, subject, errand.query, report)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise

        try:
            replace(self._films.path(record.id, errand), write)
        finally:
            drawing.close()

    def _reporter(self, clip_id: str, film: StoredFilm) -> Callable[[float], None]:
        """Writes down how far the film is, thinned out; raises Stopped when it was cancelled."""
        due = 0.0

        def report(share: float) -> None:
            nonlocal due
            self.look(clip_id, film.id)
            if time.monotonic() >= due:
                due = time.monotonic() + REPORT_EVERY_S
                self._shelf.write(clip_id, film.model_copy(update={"progress": round(share, 3)}))

        return report
