"""Clips as people see them: one row in `clips`, one folder in data/clips/<id>.

The row is the truth; the job engine's own tables are not shown to anybody. Every change of a row is one UPDATE
that names the states it may start from, so a worker that comes late cannot revive a cancelled clip, and every
change takes the next `revision`, by which listeners resume. Files first, row second when a clip is added; row
first, files second when it goes: a crash in between leaves a folder without a row, which `sweep` removes.
No engine is imported here; app/jobs/queue.py joins a row and its job into one transaction.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.clips_table import ACTIVE, FINAL, ClipRecord, NewClip, clips, counter, make_clips, record_of, shown_name
from app.database import changing_tables
from app.problems import FULL, ClipAlreadyFinished, ClipNotFound, StorageFull
from nonlocal_core.durable import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from app.uploads import Received

_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV)  # FAT and some network file systems, overlays


class Library:
    """The clips of one data folder and one database."""

    def __init__(self, engine: sa.Engine, data: Path) -> None:
        self._engine = engine
        self.root = data / "clips"
        self.uploads = data / "uploads"
        self._rests: dict[Path, tuple[str, float]] = {}  # without a row: how it looked, and since when
        self.root.mkdir(parents=True, exist_ok=True)
        self.uploads.mkdir(parents=True, exist_ok=True)
        with changing_tables(engine) as connection:
            make_clips(connection)

    def folder(self, clip_id: str) -> Path:
        """Where the clip's files are; `clip_id` comes from a row, never from a person."""
        return self.root / clip_id

    def video(self, clip_id: str) -> Path:
        """The uploaded bytes, under a name without the user's extension."""
        return self.folder(clip_id) / "video"

    # reading

    def find(self, clip_id: str) -> ClipRecord | None:
        """The clip, or None when it is not (or no longer) there."""
        return self.find_all([clip_id]).get(clip_id)

    def get(self, clip_id: str) -> ClipRecord:
        """The clip.

        Raises:
            ClipNotFound: there is none of that id.
        """
        record = self.find(clip_id)
        if record is None:
            raise ClipNotFound(clip_id)
        return record

    def find_all(self, clip_ids: Iterable[str]) -> dict[str, ClipRecord]:
        """Those of the clips that exist, by id."""
        return {record.id: record for record in self._select(clips.c.id.in_(list(clip_ids)))}

    def list(self) -> list[ClipRecord]:
        """Every clip, newest first."""
        return self._select(sa.true())[::-1]

    def active(self) -> list[ClipRecord]:
        """The queued and the running clips, oldest first."""
        return self._select(clips.c.state.in_(ACTIVE))

    def expired(self, now_s: float) -> list[ClipRecord]:
        """The finished clips whose time to live is over."""
        return self._select(clips.c.state.in_(FINAL), clips.c.expires_at <= now_s)

    def siblings(self, sha256: str) -> list[ClipRecord]:
        """The clips of one video, oldest first: other models, other starts, null models."""
        return self._select(clips.c.sha256 == sha256)

    def queue_places(self) -> dict[str, int]:
        """For each queued clip how many start before it, plus one."""
        query = sa.select(clips.c.id).where(clips.c.state == "queued").order_by(clips.c.arrival)
        with self._engine.connect() as connection:
            return {clip_id: place for place, clip_id in enumerate(connection.execute(query).scalars(), start=1)}

    def states(self) -> dict[str, int]:
        """How many clips are in each state."""
        query = sa.select(clips.c.state, sa.func.count()).group_by(clips.c.state)
        with self._engine.connect() as connection:
            found = {str(row[0]): int(row[1]) for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in (*ACTIVE, *FINAL)}

    def revision(self) -> int:
        """The number of the last change of any clip, deletions included."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(counter.c.value)).scalar_one()

    # adding and removing

    def add(
        self, received: Received, new: NewClip, with_row: Callable[[sa.Connection, str], None]
    ) -> tuple[ClipRecord, bool]:
        """Make a queued clip of an upload; -> (clip, whether it is new).

        The same bytes for the same model, start and variant give the clip that is there, unless that failed or was
        cancelled; its time to live is then the longer one. `with_row(connection, clip_id)` runs in the transaction
        of the new row, and the clip is not made when it raises. The received file is gone afterwards in every case.

        Raises:
            StorageFull: no room on the disk or in the database.
        """
        clip_id = secrets.token_hex(12)
        try:
            _move_whole(received.path, self.video(clip_id))
            with self._change() as (connection, revision):
                known = _renewed(connection, revision, received, new)
                if known is None:
                    made = _inserted(connection, revision, received, new, clip_id)
                    with_row(connection, clip_id)
                    return made, True
        except BaseException as error:
            shutil.rmtree(self.folder(clip_id), ignore_errors=True)
            if isinstance(error, OSError) and error.errno in FULL:
                raise StorageFull("the clip") from error
            raise
        finally:
            received.path.unlink(missing_ok=True)
        shutil.rmtree(self.folder(clip_id), ignore_errors=True)
        return known, False

    def lend(self, clip_id: str) -> Path:
        """The clip's video once more, where uploads arrive: a hard link, or a copy where there are none.

        Raises:
            ClipNotFound: the clip was deleted meanwhile.
            StorageFull: no room for the copy.
        """
        path = self.uploads / secrets.token_hex(16)
        try:
            _link(self.video(clip_id), path)
        except FileNotFoundError as error:
            raise ClipNotFound(clip_id) from error
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno in FULL:
                raise StorageFull("the clip") from error
            raise
        return path

    def delete(self, clip_id: str) -> None:
        """Forget the clip, then remove its files.

        Raises:
            ClipNotFound: there is none of that id.
        """
        with self._change() as (connection, revision):
            if connection.execute(clips.delete().where(clips.c.id == clip_id)).rowcount == 0:
                raise ClipNotFound(clip_id)
            _touch_queued(connection, revision)
        shutil.rmtree(self.folder(clip_id), ignore_errors=True)

    def sweep(self, older_than_s: float) -> int:
        """Remove uploads that broke off and folders without a row, unchanged here for `older_than_s`; -> how many.

        The age spares what another process is receiving at this moment; 0 is right before the first request. It is
        told by this process's steady clock: the machine's may jump, and a link has the times of an old file.
        """
        looks = {path: _look_of(path) for folder in (self.uploads, self.root) for path in folder.iterdir()}
        with self._engine.connect() as connection:
            known = set(connection.execute(sa.select(clips.c.id)).scalars())
        now, before = time.monotonic(), self._rests
        self._rests = {
            path: before[path] if before.get(path, ("", 0.0))[0] == look else (look, now)
            for path, look in looks.items()
            if path.name not in known
        }
        rests = [path for path, (_, since) in self._rests.items() if now - since >= older_than_s]
        for path in rests:
            remove_path(path)
        return len(rests)

    # moving from state to state: each answers whether the clip was where the move may start

    def start(self, clip_id: str) -> ClipRecord | None:
        """A worker takes the clip: one more attempt; None when it is gone, done, failed or cancelled."""
        values = {
            "state": "running", "stage": "decode", "progress": 0.0, "started_at": time.time(),
            "attempts": clips.c.attempts + 1,
        }  # fmt: skip
        return self._move(clip_id, ACTIVE, None, values)

    def report(self, clip_id: str, attempt: int, stage: str, progress: float) -> bool:
        """The attempt has come so far; False when it is no longer the one that counts."""
        values: dict[str, Any] = {"stage": stage, "progress": min(max(progress, 0.0), 1.0)}
        return self._move(clip_id, ("running",), attempt, values) is not None

    def finish(self, clip_id: str, attempt: int, details: Mapping[str, Any]) -> bool:
        """The attempt's analysis is stored whole."""
        values = {"state": "done", "stage": "done", "progress": 1.0, "finished_at": time.time(), "details": details}
        return self._move(clip_id, ("running",), attempt, values) is not None

    def fail(self, clip_id: str, attempt: int | None = None, *, code: str, message: str) -> bool:
        """The clip cannot be analysed, for a reason that its owner is told."""
        values = {"state": "failed", "finished_at": time.time(), "error_code": code, "error_message": message}
        return self._move(clip_id, ACTIVE, attempt, values) is not None

    def release(self, clip_id: str, attempt: int) -> bool:
        """A worker that must stop gives the clip back; the attempt does not count."""
        values: dict[str, Any] = {"state": "queued", "stage": "queued", "progress": 0.0, "attempts": attempt - 1}
        return self._move(clip_id, ("running",), attempt, values) is not None

    def cancel(self, clip_id: str) -> ClipRecord:
        """Stop the clip: at once when queued, at its next report when running. Cancelling twice is no error.

        Raises:
            ClipNotFound: there is none of that id.
            ClipAlreadyFinished: it is done or failed.
        """
        moved = self._move(clip_id, ACTIVE, None, {"state": "cancelled", "finished_at": time.time()})
        record = moved or self.get(clip_id)
        if record.state != "cancelled":
            raise ClipAlreadyFinished(clip_id, record.state)
        return record

    # inside

    def _select(self, *where: sa.ColumnElement[bool]) -> list[ClipRecord]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(clips).where(*where).order_by(clips.c.arrival)).all()
        return [record_of(row) for row in rows]

    def _move(
        self, clip_id: str, origins: tuple[str, ...], attempt: int | None, values: dict[str, Any]
    ) -> ClipRecord | None:
        """One UPDATE from one of `origins` (and of that attempt only); None when the clip is not there."""
        where = [clips.c.id == clip_id, clips.c.state.in_(origins)]
        if attempt is not None:
            where.append(clips.c.attempts == attempt)
        with self._change() as (connection, revision):
            update = clips.update().where(*where).values(values | {"revision": revision}).returning(clips)
            row = connection.execute(update).first()
            if row is not None and "state" in values:
                _touch_queued(connection, revision)
        return None if row is None else record_of(row)

    @contextlib.contextmanager
    def _change(self) -> Generator[tuple[sa.Connection, int]]:
        """One write transaction and its revision number.

        Raises:
            StorageFull: the database could not grow.
        """
        try:
            with self._engine.begin() as connection:
                following = counter.update().values(value=counter.c.value + 1).returning(counter.c.value)
                yield connection, connection.execute(following).scalar_one()
        except OperationalError as error:
            if "disk is full" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "53100":
                raise StorageFull("the state of the clips") from error
            raise


def remove_path(path: Path) -> None:
    """Remove a file or a folder; one that is gone already is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _renewed(connection: sa.Connection, revision: int, received: Received, new: NewClip) -> ClipRecord | None:
    """The clip of the same content, kept for the longer of both times; None when there is none."""
    same = (
        clips.c.sha256 == received.sha256,
        clips.c.model == new.model,
        clips.c.start_s == new.start_s,
        clips.c.variant == new.variant,
    )
    usable = clips.c.state.in_((*ACTIVE, "done"))
    row = connection.execute(sa.select(clips).where(*same, usable).order_by(clips.c.arrival).limit(1)).first()
    if row is None:
        return None
    known = record_of(row)
    ends = None if new.expires_at is None or known.expires_at is None else max(new.expires_at, known.expires_at)
    values: dict[str, Any] = {"expires_at": ends, "sample": known.sample or new.sample, "revision": revision}
    update = clips.update().where(clips.c.id == known.id).values(values).returning(clips)
    return record_of(connection.execute(update).one())


def _inserted(connection: sa.Connection, revision: int, received: Received, new: NewClip, clip_id: str) -> ClipRecord:
    values: dict[str, Any] = asdict(new) | {
        "id": clip_id,
        "sha256": received.sha256,
        "filename": shown_name(new.filename),
        "bytes": received.bytes,
        "state": "queued",
        "stage": "queued",
        "progress": 0.0,
        "created_at": time.time(),
        "arrival": revision,
        "revision": revision,
        "attempts": 0,
        "details": {},
    }
    return record_of(connection.execute(clips.insert().values(values).returning(clips)).one())


def _touch_queued(connection: sa.Connection, revision: int) -> None:
    """Whoever leaves the queue moves the others up, and their listeners want to see it."""
    connection.execute(clips.update().where(clips.c.state == "queued").values(revision=revision))


def _look_of(path: Path) -> str:
    """What changes with a file or folder; empty when it vanished meanwhile."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)


def _move_whole(source: Path, target: Path) -> None:
    """Rename within the data folder so that the new name survives a power cut; the bytes were synced before."""
    target.parent.mkdir()
    source.replace(target)
    for folder in (target.parent, target.parent.parent):
        sync(folder)
