"""The web side of the jobs: a clip and its job are made, cancelled and removed together."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

import anyio
import sqlalchemy as sa
from anyio import to_thread

from app.clips_table import ACTIVE, NewClip, clips
from app.database import AWAY
from app.jobs.task import PARTIAL
from app.jobs.workflow import enqueue_options, open_client
from app.library import remove_path
from app.problems import ClipNotFound, QueueFull, QuotaReached
from app.uploads import Received

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from app.clips_table import ClipRecord
    from app.library import Library
    from nonlocal_core.variant import Variant

log = logging.getLogger(__name__)

LIVE = ("ENQUEUED", "PENDING", "DELAYED")
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
ENDED = ["SUCCESS", "ERROR", "CANCELLED", GIVEN_UP]
TIDY_EVERY_S = 60.0
LEFTOVER_S = 3600.0  # an upload that has not grown for an hour has lost its sender


class JobQueue:
    """Clips and their jobs on one database.

    Args:
        limit: so many clips may be queued or running.
        ttl_s: seconds that a clip is kept, None for ever; samples are always kept.
        clips_per_client: so many clips of one client are kept, None for no limit.
    """

    def __init__(
        self,
        engine: Engine,
        library: Library,
        *,
        limit: int,
        ttl_s: float | None,
        clips_per_client: int | None = None,
    ) -> None:
        self._engine = engine
        self._library = library
        self._client = open_client(engine)
        self._limit = limit
        self._ttl_s = ttl_s
        self._clips_per_client = clips_per_client

    def ensure_room(self, client: str | None = None) -> None:
        """Ask before the body is received; `submit` asks again.

        Raises:
            QueueFull: the limit is reached.
            QuotaReached: the client has as many clips as it may have.
        """
        with self._engine.connect() as connection:
            self._ensure_at_most(connection, self._limit - 1)
            self._ensure_quota(connection, client, 1)

    def submit(
        self,
        received: Received,
        *,
        filename: str,
        model: str,
        start_s: float = 0.0,
        variant: Variant = "none",
        sample: bool = False,
        client: str | None = None,
    ) -> tuple[ClipRecord, bool]:
        """Make the clip and its job in one transaction; -> (clip, whether it is new).

        Raises:
            QueueFull: the limit is reached, and the content is not known already.
            QuotaReached: the client's own limit is.
            StorageFull: no room in the database.
        """
        ends = None if sample or self._ttl_s is None else time.time() + self._ttl_s
        # Where nobody counts, nobody's address is kept.
        owner = client if self._clips_per_client is not None else None
        new = NewClip(filename, model, start_s, sample, ends, variant, owner)

        def enqueue(connection: Connection, clip_id: str) -> None:
            self._ensure_quota(connection, owner, 0)  # the new row is counted
            self._enqueue(connection, clip_id)

        record, created = self._library.add(received, new, enqueue)
        if created:
            log.info("clip %s: queued", record.id)
        return record, created

    def submit_again(
        self, record: ClipRecord, *, model: str, start_s: float, variant: Variant, client: str | None = None
    ) -> tuple[ClipRecord, bool]:
        """The video of a clip that is there, with another model, start or variant; -> (clip, whether it is new).

        Raises:
            ClipNotFound: the clip was deleted meanwhile.
            QueueFull, QuotaReached, StorageFull: as `submit`.
        """
        received = Received(self._library.lend(record.id), record.sha256, record.bytes)
        return self.submit(
            received, filename=record.filename, model=model, start_s=start_s, variant=variant, client=client
        )

    def cancel(self, clip_id: str) -> ClipRecord:
        """Stop the clip: at once when queued, at its next report when running. Cancelling twice is no error.

        Its job is left to DBOS: when it comes up or reports, it sees the clip's state and ends. (Cancelled in DBOS
        as well, a running one ends in an error there, and the log shows a trace for each.)

        Raises:
            ClipNotFound: there is none of that id.
            ClipAlreadyFinished: it is done or failed.
        """
        return self._library.cancel(clip_id)

    def delete(self, clip_id: str) -> None:
        """Forget the clip and its files; its job ends as in `cancel`.

        Raises:
            ClipNotFound: there is none of that id.
        """
        self._library.delete(clip_id)

    def tidy(self, leftover_s: float = LEFTOVER_S) -> None:
        """Remove expired clips, what broken uploads left for longer than `leftover_s`, ended jobs; `reconcile`."""
        for record in self._library.expired(time.time()):
            with contextlib.suppress(ClipNotFound):  # somebody else was faster
                self.delete(record.id)
        self._library.sweep(leftover_s)
        self.reconcile()
        ended = self._client.list_workflows(status=ENDED, load_input=False, load_output=False)
        needed = {record.id for record in self._library.active()}
        self._client.delete_workflows([job.workflow_id for job in ended if job.workflow_id not in needed])

    async def keep_tidy(self) -> None:
        """`tidy` once a minute until cancelled."""
        while True:
            await anyio.sleep(TIDY_EVERY_S)
            try:
                await to_thread.run_sync(self.tidy)
            except AWAY as error:
                log.warning("the database is away, nothing is tidied: %s", str(error.orig).splitlines()[0])
            except Exception:  # a full disk or a lost connection now must not end the tidying for ever
                log.exception("could not remove expired clips; trying again in %g s", TIDY_EVERY_S)

    def reconcile(self) -> None:
        """Make clips and jobs agree; a worker does it before it takes jobs, `tidy` now and then.

        A waiting clip whose job is gone or ended gets a new one; one that DBOS gave up on is failed; rests of
        attempts that were killed are removed. What other workers run is left alone.
        """
        rests = list(self._library.root.glob(f"*/{PARTIAL}"))  # listed first: a job that starts now makes new ones
        active = self._library.active()
        states = {}
        if active:
            found = self._client.list_workflows(workflow_ids=[record.id for record in active], load_input=False)
            states = {workflow.workflow_id: workflow.status for workflow in found}
        for record in active:
            state = states.get(record.id)
            if state == GIVEN_UP:
                message = "the job was given up after too many starts; upload the video again"
                self._library.fail(record.id, code="WorkerDied", message=message)
            elif state not in LIVE:
                log.warning("clip %s is %s, its job %s: enqueued again", record.id, record.state, state)
                self._client.delete_workflow(record.id)
                self._client.enqueue(enqueue_options(record.id), record.id)
        running = {record.id for record in active if record.state == "running"}
        for path in rests:
            if path.parent.name not in running:  # a running one's are removed by its next attempt
                remove_path(path)

    def close(self) -> None:
        """Let go of the client; the engine is the caller's."""
        self._client.destroy()

    def _enqueue(self, connection: Connection, clip_id: str) -> None:
        self._ensure_at_most(connection, self._limit)  # the new row is counted
        self._client.enqueue_in_transaction(connection, enqueue_options(clip_id), clip_id)

    def _ensure_at_most(self, connection: Connection, count: int) -> None:
        query = sa.select(sa.func.count()).select_from(clips).where(clips.c.state.in_(ACTIVE))
        if connection.execute(query).scalar_one() > count:
            raise QueueFull(self._limit)

    def _ensure_quota(self, connection: Connection, client: str | None, more: int) -> None:
        if client is None or self._clips_per_client is None:
            return
        query = sa.select(sa.func.count()).select_from(clips).where(clips.c.client == client)
        if connection.execute(query).scalar_one() + more > self._clips_per_client:
            raise QuotaReached(self._clips_per_client)
