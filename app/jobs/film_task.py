"""What the job of a film does: draw each frame, encode it, put the film in place.

As task.py: it may be called again for the same film at any time, and a film is in place whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from app.jobs.films import FilmError, FilmShelf, StoredFilm
from app.jobs.task import MAX_ATTEMPTS, REPORT_EVERY_S
from app.library import remove_path
from nonlocal_core.durable import replace
from nonlocal_core.errors import LensError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.library import Library
    from nonlocal_core.affinity.store import AffinityStore
    from nonlocal_core.zoo.cards import ModelCard

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The film was cancelled or its clip deleted: stop, and leave nothing."""


class FilmTask:
    """Makes films, one at a time.

    Args:
        cards: of the models that clips name, for what the film says of its origin.
    """

    def __init__(self, library: Library, store: AffinityStore, cards: Mapping[str, ModelCard]) -> None:
        self._library = library
        self._store = store
        self._cards = cards
        self._shelf = FilmShelf(library)

    def run(self, job: str) -> None:
        """Bring the film `<clip id>/<film id>` to its end, whatever happens short of this process's death."""
        clip_id, _, film_id = job.partition("/")
        film = self._shelf.find(clip_id, film_id)
        if film is None or film.state in ("done", "cancelled"):
            return
        try:
            self._make(clip_id, film)
        except Stopped:
            pass
        except LensError as error:
            self._fail(clip_id, film, type(error).__name__, str(error))
        except Exception:  # a job must end
            if self._library.find(clip_id) is not None:  # missing files of a deleted clip are no news
                log.exception("film %s of clip %s failed", film_id, clip_id)
                self._fail(clip_id, film, "InternalError", "the program failed on this film; the server's log says why")
        if self._library.find(clip_id) is None:  # deleted while we wrote
            remove_path(self._library.folder(clip_id))

    def _make(self, clip_id: str, film: StoredFilm) -> None:
        from app.figures.drawing import Drawing
        from app.figures.film import make_film
        from app.figures.subject import stored_subject

        if film.attempts >= MAX_ATTEMPTS:
            self._fail(clip_id, film, "WorkerDied", f"the worker died {film.attempts} times over this film")
            return
        begun = film.model_copy(update={"state": "running", "attempts": film.attempts + 1})
        self._shelf.write(clip_id, begun)
        report = _Reporter(self._shelf, clip_id, begun)
        subject, drawing = stored_subject(self._store, clip_id, self._cards), Drawing()

        def write(aside: Path) -> None:
            try:
                make_film(aside, film.format, drawing, subject, film.query, report)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise

        try:
            replace(self._shelf.path(clip_id, film), write)
        finally:
            drawing.close()

    def _fail(self, clip_id: str, film: StoredFilm, code: str, message: str) -> None:
        error = FilmError(code=code, message=message)
        with contextlib.suppress(FileNotFoundError):  # the clip is gone: nobody asks any more
            self._shelf.write(clip_id, film.model_copy(update={"state": "failed", "error": error}))


class _Reporter:
    """Writes down how far the film is, thinned out; raises Stopped when nobody wants it any more."""

    def __init__(self, shelf: FilmShelf, clip_id: str, film: StoredFilm) -> None:
        self._shelf = shelf
        self._clip_id = clip_id
        self._film = film
        self._next = 0.0

    def __call__(self, share: float) -> None:
        if self._shelf.is_stopped(self._clip_id, self._film.id):
            raise Stopped
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REPORT_EVERY_S
        report: dict[str, Any] = {"progress": round(share, 3)}
        try:
            self._shelf.write(self._clip_id, self._film.model_copy(update=report))
        except FileNotFoundError as error:
            raise Stopped from error
