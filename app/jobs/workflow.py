"""What the web side and the worker must agree on with DBOS, and nothing else.

Verified with DBOS 3.4 (tests/app/jobs): a workflow is delivered at least once; after kill -9 its row stays PENDING
under the worker's executor id and `DBOS.launch` of the next process with that id puts it back on its queue; rows of
another application version are never taken, hence the pinned one; `enqueue_in_transaction` joins our transaction
on SQLite and on Postgres; enqueueing an id that exists does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbos import DBOS, DBOSClient

from app.logs import working_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dbos import DBOSConfig, EnqueueOptions
    from sqlalchemy import Engine

APPLICATION = "nonlocal-lens"
# Changes only when jobs that wait in somebody's database can no longer be run by the new code.
VERSION = "1"
WORKFLOW, CUT, FILM = "analyse_clip", "cut_clip", "film_clip"
QUEUES = {WORKFLOW: "analyses", CUT: "cuts", FILM: "films"}  # a short errand does not wait behind every analysis
# A queued job starts within this and a few ms. DBOS has no other way to see one: its LISTEN/NOTIFY is not for queues,
# and each queue looked at ten times a second costs the idle worker 3 % of a core.
POLLING_S = {WORKFLOW: 0.1, CUT: 0.5, FILM: 0.5}
# A job that kills its worker is given up by task.py, which counts in the clips table; DBOS's own limit must be
# looser, because DBOS also counts the starts of a worker that was merely told to stop.
DBOS_ATTEMPTS = 20


def open_client(engine: Engine) -> DBOSClient:
    """A client on our engine, for enqueueing and asking; it closes no connection of ours.

    It raises where the database is away: a request that waits for it would be better told so.
    """
    return DBOSClient(system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False)


def enqueue_options(job_id: str, workflow: str = WORKFLOW) -> EnqueueOptions:
    """A job has the id of what it works on (an analysis that of its clip), so it exists once."""
    return {
        "workflow_name": workflow,
        "queue_name": QUEUES[workflow],
        "workflow_id": job_id,
        "app_version": VERSION,
    }


def launch(engine: Engine, executor_id: str, runs: Mapping[str, Callable[[str], None]]) -> None:
    """Start taking jobs in this process: `runs[workflow](argument)` for each, one at a time of each workflow."""
    client = open_client(engine)
    # Before the launch, for DBOS looks for new queues only once a second. A limit per worker and not a global one,
    # which would let a dead worker's job block the queue.
    for workflow in runs:
        client.register_queue(QUEUES[workflow], worker_concurrency=1, polling_interval_sec=POLLING_S[workflow])
    client.destroy()
    config: DBOSConfig = {
        "name": APPLICATION,
        "application_version": VERSION,
        "executor_id": executor_id,
        "system_database_engine": engine,
        "log_level": "WARNING",
        "use_listen_notify": False,
    }
    DBOS(config=config)

    for workflow, run in runs.items():
        _declare(workflow, run)
    DBOS.launch()


def _declare(workflow: str, run: Callable[[str], None]) -> None:
    @DBOS.workflow(name=workflow, max_recovery_attempts=DBOS_ATTEMPTS)
    def job(argument: str) -> None:  # pyright: ignore[reportUnusedFunction]  # DBOS finds it by name
        with working_on(argument):
            run(argument)


def stop(grace_s: int) -> None:
    """Take no new job and wait up to `grace_s` for the running one (DBOS looks once a second)."""
    DBOS.destroy(workflow_completion_timeout_sec=grace_s)
