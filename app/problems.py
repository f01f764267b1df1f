"""What can go wrong between a request and a clip; the web layer's own part of the error tree.

    LensError
    ├── ClipNotFound          no such id (404)
    ├── ClipNotReady          the clip's analysis is not there (yet) (409)
    ├── ClipAlreadyFinished   it can no longer be cancelled (409)
    ├── CutNotFound           no such cut of the clip (404)
    ├── FilmNotFound          no such film of the clip, or it is not done (404)
    ├── NoOverview            no strip can be made of the clip's video (404)
    ├── UploadTooLarge        the body passes the limit (413)
    ├── QueueFull             as many clips wait as may wait (429)
    ├── StorageFull           the disk or the database has no room (507)
    └── DamagedDatabase       the database file cannot be read: the server does not start

`app/errors.py` maps each to its status.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from nonlocal_core.errors import LensError

if TYPE_CHECKING:
    from pathlib import Path

# The file system, or this user's quota on it, is full.
FULL = (errno.ENOSPC, errno.EDQUOT)


class ClipNotFound(LensError):
    """No clip has that id; the message does not tell a deleted one from one that never was."""

    def __init__(self, clip_id: str) -> None:
        super().__init__(f"no clip {clip_id!r}; list them with GET /api/v1/clips")


class ClipNotReady(LensError):
    """The clip exists, its analysis does not."""

    def __init__(self, clip_id: str, state: str) -> None:
        todo = "wait for its events" if state in {"queued", "running"} else "upload the video again"
        super().__init__(f"clip {clip_id!r} is {state}, it has no analysis; {todo}")


class ClipAlreadyFinished(LensError):
    """Only a queued or running clip can be cancelled."""

    def __init__(self, clip_id: str, state: str) -> None:
        super().__init__(f"clip {clip_id!r} is {state} and can no longer be cancelled; delete it instead")


class NoOverview(LensError):
    """The clip's video cannot be shown at a glance, though it could be analysed."""

    def __init__(self, clip_id: str, problem: str) -> None:
        super().__init__(f"there is no overview of the video of clip {clip_id!r}: {problem}")


class CutNotFound(LensError):
    """Nobody asked for that cut, or it was one of too many and forgotten."""

    def __init__(self, cut_id: str) -> None:
        super().__init__(f"no cut {cut_id!r} of this clip; ask for it with POST /api/v1/clips/{{id}}/cuts")


class FilmNotFound(LensError):
    """Nobody asked for that film, or it was one of too many and forgotten, or there is nothing to see of it yet."""

    def __init__(self, film_id: str) -> None:
        super().__init__(f"no film {film_id!r} of this clip; ask for it with POST /api/v1/clips/{{id}}/films")


class UploadTooLarge(LensError):
    """More bytes arrived than one video may have."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the upload passes the limit of {limit_bytes} bytes; send a shorter or smaller one")


class QueueFull(LensError):
    """As many clips are queued or running as the settings allow."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} clips are waiting already, no more are taken; try again in a minute")


class StorageFull(LensError):
    """A file or the database could not be written for want of room."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no room left to store {what}; delete clips or ask the administrator for space")


class DamagedDatabase(LensError):
    """The SQLite file fails its own check."""

    def __init__(self, path: Path | str, finding: str) -> None:
        super().__init__(
            f"the database {path} is damaged ({finding}); move it and its -wal and -shm files away "
            "(clips are then forgotten) or restore a backup, and start again"
        )


class TooMuchToTake(LensError):
    """A page to take home would be too large."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the page would have {size / 1e6:.1f} MB; the limit is {limit / 1e6:.0f} MB: choose fewer blocks"
        )
