"""Films of a clip: what was asked, how far it is, and the file, all in the clip's folder; and their jobs.

    data/clips/<id>/films/<key>.json           the request and its state, whole or absent
                          <key>.mp4 | .gif     the film, whole or absent: it is there exactly when the film is done
                          <key>.stop           somebody cancelled it

The key is a digest of what is asked, so the same link in the same format is the same film. Cancelling leaves a mark
of its own, so the web side and the worker never write the same file at the same time.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.jobs.queue import LIVE
from app.jobs.workflow import FILM, enqueue_options, open_client
from app.problems import FULL, FilmNotFound, QueueFull, StorageFull
from nonlocal_core.durable import replace

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from app.library import Library

KEPT_FILMS = 20  # of one clip, up to 5 MB each; the oldest is forgotten
FILM_ID = re.compile("[0-9a-f]{24}")

FilmFormat = Literal["mp4", "gif"]


class FilmError(BaseModel, frozen=True):
    """Why a film failed."""

    code: str
    message: str


class StoredFilm(BaseModel):
    """One film and how far it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    query: str
    format: FilmFormat
    state: Literal["queued", "running", "done", "failed", "cancelled"] = "queued"
    progress: float = 0.0
    attempts: int = 0
    error: FilmError | None = None

    @classmethod
    def of(cls, query: str, kind: FilmFormat) -> StoredFilm:
        """A film that nobody has made yet; another version of the program draws another one."""
        asked = json.dumps([query.removeprefix("?"), kind, version("nonlocal-lens")])
        return cls(id=hashlib.sha256(asked.encode()).hexdigest()[:24], query=query, format=kind)


class FilmShelf:
    """The files: opens and writes them and decides nothing."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def find(self, clip_id: str, film_id: str) -> StoredFilm | None:
        """The film, or None when there is none; a file that cannot be read is none."""
        if not FILM_ID.fullmatch(film_id):
            return None
        try:
            film = StoredFilm.model_validate_json(self._request(clip_id, film_id).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        if self.path(clip_id, film).exists():
            return film.model_copy(update={"state": "done", "progress": 1.0, "error": None})
        if film.state != "failed" and self.is_stopped(clip_id, film_id):
            return film.model_copy(update={"state": "cancelled"})
        return film

    def path(self, clip_id: str, film: StoredFilm) -> Path:
        """Where the film itself is, or would be."""
        return self._folder(clip_id) / f"{film.id}.{film.format}"

    def write(self, clip_id: str, film: StoredFilm) -> None:
        """Put the request in place, whole.

        Raises:
            FileNotFoundError: the clip is gone.
        """
        self._folder(clip_id).mkdir(exist_ok=True)
        text = film.model_dump_json()
        replace(self._request(clip_id, film.id), lambda aside: aside.write_text(text, encoding="utf-8"))

    def stop(self, clip_id: str, film_id: str) -> None:
        """Mark the film as cancelled."""
        self._mark(clip_id, film_id).touch()

    def restart(self, clip_id: str, film_id: str) -> None:
        """Take the mark away."""
        self._mark(clip_id, film_id).unlink(missing_ok=True)

    def is_stopped(self, clip_id: str, film_id: str) -> bool:
        """Whether the film is marked as cancelled."""
        return self._mark(clip_id, film_id).exists()

    def forget_oldest(self, clip_id: str, kept: int) -> None:
        """Remove all but the `kept` films that were asked for or made last."""
        requests = list(self._folder(clip_id).glob("[!.]*.json"))
        requests.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for request in requests[kept:]:
            for path in self._folder(clip_id).glob(f"*{request.stem}*"):
                path.unlink(missing_ok=True)

    def _folder(self, clip_id: str) -> Path:
        return self._library.folder(clip_id) / "films"

    def _request(self, clip_id: str, film_id: str) -> Path:
        return self._folder(clip_id) / f"{film_id}.json"

    def _mark(self, clip_id: str, film_id: str) -> Path:
        return self._folder(clip_id) / f"{film_id}.stop"


class Films:
    """The web side: ask for films, read and cancel them.

    Args:
        limit: so many may wait or run at once, of all clips.
    """

    def __init__(self, engine: Engine, library: Library, *, limit: int) -> None:
        self._shelf = FilmShelf(library)
        self._client = open_client(engine)
        self._limit = limit
        self._writing = threading.Lock()

    def submit(self, clip_id: str, query: str, kind: FilmFormat) -> tuple[StoredFilm, bool]:
        """Have the film made; -> (the film, whether it is new). One that failed or was cancelled is made after all.

        Raises:
            QueueFull: too many wait.
            StorageFull: no room for its request.
        """
        asked = StoredFilm.of(query, kind)
        with self._writing:
            known = self._shelf.find(clip_id, asked.id)
            if known is not None and (
                known.state == "done" or (known.state in ("queued", "running") and self._lives(clip_id, known))
            ):
                return known, False
            waiting = self._client.list_workflows(name=FILM, status=list(LIVE), load_input=False, limit=self._limit)
            if len(waiting) >= self._limit:
                raise QueueFull(self._limit)
            self._store(clip_id, asked)
            if known is None or not self._lives(clip_id, asked):  # a cancelled one may not have noticed yet: it goes on
                self._client.delete_workflow(_job(clip_id, asked))  # an id that has ended would not be taken again
                self._client.enqueue(enqueue_options(_job(clip_id, asked), FILM), f"{clip_id}/{asked.id}")
        return asked, True

    def get(self, clip_id: str, film_id: str) -> StoredFilm:
        """The film and how far it is.

        Raises:
            FilmNotFound: there is none of that id.
        """
        found = self._shelf.find(clip_id, film_id)
        if found is None:
            raise FilmNotFound(film_id)
        return found

    def path(self, clip_id: str, film_id: str, kind: FilmFormat) -> Path:
        """The file of a film that is done.

        Raises:
            FilmNotFound: it is not done, or is of another format.
        """
        film = self.get(clip_id, film_id)
        if film.state != "done" or film.format != kind:
            raise FilmNotFound(film_id)
        return self._shelf.path(clip_id, film)

    def cancel(self, clip_id: str, film_id: str) -> StoredFilm:
        """Stop the film: at its next frame when it runs, else before it starts. One that has ended stays as it is.

        Raises:
            FilmNotFound: there is none of that id.
        """
        if self.get(clip_id, film_id).state in ("queued", "running"):
            self._shelf.stop(clip_id, film_id)
        return self.get(clip_id, film_id)

    def close(self) -> None:
        """Let go of the client; the engine is the caller's."""
        self._client.destroy()

    def _lives(self, clip_id: str, film: StoredFilm) -> bool:
        jobs = [_job(clip_id, film)]
        return bool(self._client.list_workflows(workflow_ids=jobs, status=list(LIVE), load_input=False))

    def _store(self, clip_id: str, asked: StoredFilm) -> None:
        try:
            self._shelf.write(clip_id, asked)
            self._shelf.restart(clip_id, asked.id)
            self._shelf.forget_oldest(clip_id, KEPT_FILMS)
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull("the film") from error
            raise


def _job(clip_id: str, film: StoredFilm) -> str:
    return f"film-{clip_id}-{film.id}"
