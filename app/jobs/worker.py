"""The worker process: `python -m app.jobs.worker FACTORY`, started by supervisor.py, or `nonlocal-lens worker`.

Under a supervisor its standard input carries the settings as one line of JSON and then stays open as a lifeline: end
of file means that the server is gone, however it went. Its standard output carries one word, "ready", when jobs are
taken. By itself (`run_alone`) it has its settings from the command line and says by heartbeat.py that it lives.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pydantic import BaseModel

from app.database import open_database
from app.jobs import workflow
from app.jobs.heartbeat import Heart
from app.jobs.queue import JobQueue
from app.library import Library
from app.logs import Style, set_up_logs
from nonlocal_core.model.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs.task import Task

    TaskFactory = Callable[["WorkerSettings", Library], Task]

NICENESS = 10  # clicks are answered by the web process, on the same cores
GRACE_S = 5  # most analyses end in this; one that does not is queued again


class WorkerSettings(BaseModel, frozen=True):
    """What the worker reads of the server's Settings, whose JSON it is given."""

    data: Path
    database_url: str | None
    models: tuple[str, ...]
    models_folder: Path
    precision: Precision = "float32"
    ttl_s: float | None
    queue_limit: int
    log: Style = "human"
    worker: bool = True
    name: str = "worker-0"

    @property
    def executor(self) -> str:
        """The worker's name in DBOS: stable, so that a restarted worker gets its own broken-off jobs back.

        Machines that share a database need names of their own, or each would take the other's jobs for lost.
        """
        return self.name if self.database_url is None else f"{self.name}@{socket.gethostname()}"

    @property
    def beats(self) -> bool:
        """Whether others must be told that this worker lives: not where it is the only one and supervised."""
        return self.database_url is not None or not self.worker


class Worker:
    """One process's share of the work."""

    def __init__(self, settings: WorkerSettings, factory: TaskFactory) -> None:
        engine = open_database(settings.data, settings.database_url)
        # Held until the process is gone: two under one name would each take the other's jobs for lost.
        sign = settings.data / f"{settings.executor}.lock"
        self._lock = _lock(sign)
        self._library = Library(engine, settings.data)
        self._task = factory(settings, self._library)
        queue = JobQueue(engine, self._library, limit=settings.queue_limit, ttl_s=settings.ttl_s)
        queue.reconcile()
        workflow.launch(engine, settings.executor, {workflow.WORKFLOW: self._task.run, **self._task.errands})
        if settings.beats:
            Heart(engine, settings.executor, sign)

    def stop(self, grace_s: int) -> None:
        """End the process with status 0; a job that runs gets `grace_s` to finish and is queued again otherwise."""
        if grace_s and self._task.current is not None:
            workflow.stop(grace_s)
        unfinished = self._task.current
        if unfinished is not None:
            self._library.release(unfinished.id, unfinished.attempts)
        # Past all clean-up on purpose: the job's thread cannot be ended otherwise, and DBOS must go on seeing its
        # workflow as PENDING to start it again.
        os._exit(0)


def main(arguments: list[str]) -> None:
    """Run until told to stop or until the server is gone."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle; it stops us then
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))  # while loading there is nothing to put in order
    say, lifeline = _own_pipes()
    settings = WorkerSettings.model_validate_json(lifeline.readline())
    set_up_logs(settings.log, "worker")
    loaded, told_to_stop, gone = threading.Event(), threading.Event(), threading.Event()

    def watch_lifeline() -> None:
        lifeline.read()
        if not loaded.is_set():
            os._exit(0)
        gone.set()
        told_to_stop.set()

    threading.Thread(target=watch_lifeline, daemon=True).start()
    worker = Worker(settings, _factory(arguments[0]))
    loaded.set()
    signal.signal(signal.SIGTERM, lambda _number, _frame: told_to_stop.set())
    say.write("ready\n")
    say.flush()
    told_to_stop.wait()
    worker.stop(0 if gone.is_set() else GRACE_S)


def run_alone(settings: WorkerSettings, *, task: str) -> None:
    """Run until SIGTERM or Ctrl-C; ends the process with status 0. `task` is as in supervisor.py."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(0))
    set_up_logs(settings.log, settings.name)
    settings.data.mkdir(parents=True, exist_ok=True)
    told_to_stop = threading.Event()
    worker = Worker(settings, _factory(task))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: told_to_stop.set())
    print(f"Nonlocal Lens: {settings.executor} takes jobs   (Ctrl-C stops it)", flush=True)
    told_to_stop.wait()
    worker.stop(GRACE_S)


def _factory(task: str) -> TaskFactory:
    module, _, name = task.partition(":")
    return getattr(importlib.import_module(module), name)


def _own_pipes() -> tuple[IO[str], IO[str]]:
    """Our ends of the two pipes; whatever else prints or reads in this process gets standard error and nothing."""
    say = os.fdopen(os.dup(1), "w")
    lifeline = os.fdopen(os.dup(0), "r")
    os.dup2(2, 1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return say, lifeline


def _lock(path: Path) -> IO[str]:
    """Wait for the worker before us to be gone altogether; the kernel frees the lock of a killed process."""
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


if __name__ == "__main__":
    main(sys.argv[1:])
