"""Films of a clip, as errands: the wish in the folder `films`, and the film itself beside it.

    data/clips/<id>/films/<key>.mp4 | .gif     whole or absent

The file is there exactly when the film is done.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from app.figures.formats import FilmFormat
from app.jobs.errands import Errands, Shelf, StoredErrand, key_of
from app.jobs.workflow import FILM
from app.problems import FilmNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from app.library import Library

KEPT_FILMS = 20  # of one clip, up to 5 MB each


class StoredFilm(StoredErrand):
    """One film and how far it is."""

    query: str
    format: FilmFormat
    progress: float = 0.0

    @classmethod
    def of(cls, query: str, kind: FilmFormat) -> StoredFilm:
        """A film that nobody has made yet; another version of the program draws another one."""
        asked = [query.removeprefix("?"), kind, version("nonlocal-lens")]
        return cls(id=key_of(asked), query=query, format=kind)


class FilmShelf(Shelf[StoredFilm]):
    """The files of films."""

    def __init__(self, library: Library) -> None:
        super().__init__(library, "film", StoredFilm)

    def find(self, clip_id: str, errand_id: str) -> StoredFilm | None:
        """As for all errands; done is a film whose file is there."""
        film = super().find(clip_id, errand_id)
        if film is not None and self.path(clip_id, film).exists():
            return film.model_copy(update={"state": "done", "progress": 1.0, "error": None})
        return film

    def path(self, clip_id: str, film: StoredFilm) -> Path:
        """Where the film itself is, or would be."""
        return self._file(clip_id, film.id, film.format)


class Films(Errands[StoredFilm]):
    """The web side of films; `limit` as for all errands."""

    def __init__(self, engine: Engine, library: Library, *, limit: int) -> None:
        self._films = FilmShelf(library)
        super().__init__(engine, self._films, FILM, kept=KEPT_FILMS, limit=limit, absent=FilmNotFound)

    def submit(self, clip_id: str, query: str, kind: FilmFormat) -> tuple[StoredFilm, bool]:
        """Have the film made; answers and raises as `ask`."""
        return self.ask(clip_id, StoredFilm.of(query, kind))

    def path(self, clip_id: str, film_id: str, kind: FilmFormat) -> Path:
        """The file of a film that is done.

        Raises:
            FilmNotFound: it is not done, or is of another format.
        """
        film = self.get(clip_id, film_id)
        if film.state != "done" or film.format != kind:
            raise FilmNotFound(film_id)
        return self._films.path(clip_id, film)
