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
    ├── TooManyUploads        this client's uploads of a minute are used up (429)
    ├── QuotaReached          this client has as many clips as it may have (429)
    ├── ForeignHost           the request names a host that is not ours (400)
    ├── KeyNeeded             this server has a key, and the request has not (401)
    ├── ForeignPage           another site's page wants to change something here (403)
    ├── DatabaseAway          the database does not answer (503)
    ├── StorageFull           the disk or the database has no room (507)
    └── DamagedDatabase       the database file cannot be read: the server does not start

`app/errors.py` maps each to its status.
"""

from __future__ import annotations

import errno
import json
import math
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


class TooManyUploads(LensError):
    """A client sends more often than the settings allow."""

    def __init__(self, per_minute: int, wait_s: float) -> None:
        super().__init__(f"one client may upload {per_minute} times a minute here; try again in {wait_s:.0f} s")
        self.retry_after_s = math.ceil(wait_s)


class QuotaReached(LensError):
    """A client has as many clips as the settings allow."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"one client may have {limit} clips here; delete some of yours and upload again")


class ForeignHost(LensError):
    """The Host header names a host that this server does not go by: a page may have pointed its own name at us."""

    def __init__(self, host: str) -> None:
        shown = host[:100]
        super().__init__(
            f"this server does not go by the name {shown!r}; if it should, start it with "
            f"NONLOCAL_LENS_HOSTS='{json.dumps([shown])}'"
        )


class KeyNeeded(LensError):
    """The server has a key; whatever was asked for, the answer to a stranger is this one."""

    def __init__(self) -> None:
        super().__init__(
            "this server wants its key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`; in a browser, "
            "open any page of it and give the key there"
        )


class ForeignPage(LensError):
    """A browser sends this for a page of another origin."""

    def __init__(self) -> None:
        super().__init__("a page of another site may not change anything here; use this server's own pages")


class DatabaseAway(LensError):
    """What is kept cannot be asked or changed at the moment; nothing is lost."""

    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("the server's database does not answer; what is kept is safe, try again in a moment")


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
