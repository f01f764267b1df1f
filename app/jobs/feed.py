"""Changes of clips as they happen, for server-sent events.

One poller per web process asks the database ten times a second for the latest revision, only while somebody
listens, and only on a change reads the clips that are listened to. So it sees the worker's writes, other web
processes' too, and costs one row per tick however many listen.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

from app.database import AWAY

if TYPE_CHECKING:
    from app.clips_table import ClipRecord
    from app.library import Library

log = logging.getLogger(__name__)

POLL_S = 0.1


class Feed:
    """Wakes those who wait for a clip to change. Belongs to one event loop."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._thread = CapacityLimiter(2)  # of its own: a burst of clicks must not stop the events
        self._waiting: dict[asyncio.Future[ClipRecord | None], tuple[str, int]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._newcomer = False
        self._closed = False

    def watch(self, clip_id: str, last_revision: int = 0) -> Watch:
        """The clip now if it changed after `last_revision`, then at each change; ends when it is final or gone.

        Changes that follow each other faster than the listener reads are merged: it gets the latest.
        """
        return Watch(self, clip_id, last_revision)

    def close(self) -> None:
        """End every watch, so that the server can stop."""
        self._closed = True
        if self._poller is not None:
            self._poller.cancel()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def next(self, clip_id: str, last_revision: int) -> ClipRecord | None:
        """The clip as soon as its revision passes `last_revision`; None when it is gone or the feed is closed."""
        if self._closed:
            return None
        future: asyncio.Future[ClipRecord | None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = (clip_id, last_revision)
        self._newcomer = True  # it may have missed a change that the poller has seen already
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await future
        finally:
            del self._waiting[future]

    async def _poll(self) -> None:
        seen = -1
        while self._waiting:
            try:
                revision = await to_thread.run_sync(self._library.revision, limiter=self._thread)
                if revision != seen or self._newcomer:
                    await self._wake()
                    seen, self._newcomer = revision, False
            except AWAY as error:  # who listens goes on listening
                log.warning("cannot see changes of clips: %s", str(error.orig).splitlines()[0])
            await asyncio.sleep(POLL_S)

    async def _wake(self) -> None:
        waiting = dict(self._waiting)
        ids = {clip_id for clip_id, _ in waiting.values()}
        records = await to_thread.run_sync(self._library.find_all, ids, limiter=self._thread)
        for future, (clip_id, last_revision) in waiting.items():
            record = records.get(clip_id)
            if not future.done() and (record is None or record.revision > last_revision):
                future.set_result(record)


class Watch:
    """An async iterator over one clip's changes.

    An object and not a generator: a `__anext__` that is cancelled (a time limit around it, to send a comment that
    keeps the connection open) leaves it usable.
    """

    def __init__(self, feed: Feed, clip_id: str, last_revision: int) -> None:
        self._feed = feed
        self._clip_id = clip_id
        self._last = last_revision
        self._ended = False

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> ClipRecord:
        record = None if self._ended else await self._feed.next(self._clip_id, self._last)
        if record is None:
            self._ended = True
            raise StopAsyncIteration
        self._last = record.revision
        self._ended = record.is_final
        return record
