"""Workers say that they live: so a web process knows whether there is one, and a lost worker's jobs are taken over.

A heartbeat is a number that grows in the worker's row. Observers count how often in a row they saw it unchanged, and
only looks that reached the database count. So no two clocks need agree, and neither a jump of one nor a database
that is away makes a living worker look dead. A worker under the server's own supervisor does not need any of this.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.database import changing_tables
from app.jobs.workflow import QUEUES, open_client

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

log = logging.getLogger(__name__)

BEAT_S = 2.0  # a worker beats, and looks at the others, this often
SILENT_LOOKS = 15  # 30 s: a busy machine may be late, and TRUST.md F15 wants a lost worker's jobs done within 60 s
READY_LOOKS = 5  # 10 s without a beat, and the server says that nobody works

metadata = sa.MetaData()
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),  # its executor id in DBOS
    sa.Column("beats", sa.BigInteger, nullable=False),
)


class Seen(NamedTuple):
    """What an observer knows of a worker: its beats, how often they were seen unchanged, whether ever to grow."""

    beats: int
    looks: int = 0
    grew: bool = False

    def again(self, beats: int) -> Seen:
        """After one more look."""
        return Seen(beats, 0, grew=True) if beats != self.beats else self._replace(looks=self.looks + 1)


class Heartbeats:
    """The beats of all workers of one database, and what this process has seen of them; for one thread."""

    def __init__(self, engine: Engine) -> None:
        with changing_tables(engine) as connection:
            metadata.create_all(connection)
        self._engine = engine
        self._seen: dict[str, Seen] = {}

    def beat(self, name: str) -> None:
        """The worker `name` lives."""
        with self._engine.begin() as connection:
            mine = workers.update().where(workers.c.name == name).values(beats=workers.c.beats + 1)
            if connection.execute(mine).rowcount == 0:
                connection.execute(workers.insert().values(name=name, beats=1))

    def look(self) -> None:
        """See who has beaten since the last look."""
        with self._engine.connect() as connection:
            found = {row.name: row.beats for row in connection.execute(sa.select(workers))}
        before = self._seen
        self._seen = {
            name: before[name].again(beats) if name in before else Seen(beats) for name, beats in found.items()
        }

    def living(self) -> list[str]:
        """Who was seen to beat within the last looks; a row at first sight may be of yesterday."""
        return [name for name, seen in self._seen.items() if seen.grew and seen.looks < READY_LOOKS]

    def silent(self) -> list[str]:
        """Who was not for so long that its jobs may be taken."""
        return [name for name, seen in self._seen.items() if seen.looks >= SILENT_LOOKS]

    def claim(self, name: str) -> bool:
        """Whether it is for us to take over the jobs of `name`: one asks in its place, the others see a beat."""
        unchanged = (workers.c.name == name) & (workers.c.beats == self._seen[name].beats)
        with self._engine.begin() as connection:
            return connection.execute(workers.update().where(unchanged).values(beats=workers.c.beats + 1)).rowcount == 1

    def forget(self, name: str) -> None:
        """Drop the row of a worker that is gone; one that comes back makes a new one."""
        with self._engine.begin() as connection:
            connection.execute(workers.delete().where(workers.c.name == name))


def take_over(engine: Engine, name: str) -> int:
    """Put the jobs that the worker `name` left running back on their queues; -> how many."""
    client = open_client(engine)
    try:
        left = client.list_workflows(status="PENDING", executor_id=name, load_input=False, load_output=False)
        for job in left:
            client.resume_workflow(job.workflow_id, queue_name=QUEUES[job.name])
        return len(left)
    finally:
        client.destroy()


class Heart:
    """A worker's thread: it beats, touches `sign` for the container's health check, and takes over from the lost."""

    def __init__(self, engine: Engine, name: str, sign: Path) -> None:
        self._engine = engine
        self._name = name
        self._sign = sign
        self._beats = Heartbeats(engine)
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()  # never set: the process ends without asking
        while True:
            try:
                self._once()
            except IntegrityError:
                pass  # somebody of our name was faster with the first beat; ours is the next
            except SQLAlchemyError as error:  # the database is away: jobs wait for it, and so do we
                log.warning("no heartbeat: %s", error)
            except Exception:
                log.exception("no heartbeat")
            pause.wait(BEAT_S)

    def _once(self) -> None:
        self._beats.beat(self._name)
        self._sign.touch()
        self._beats.look()
        for name in self._beats.silent():
            if name != self._name and self._beats.claim(name):
                count = take_over(self._engine, name)
                log.warning(
                    "%s is silent for %.0f s: %d of its jobs are queued again", name, SILENT_LOOKS * BEAT_S, count
                )
                self._beats.forget(name)


class OtherWorkers:
    """In place of a Supervisor in a web process that runs no worker: tells whether one beats somewhere."""

    def __init__(self, engine: Engine) -> None:
        self._beats = Heartbeats(engine)
        self._living: list[str] = []
        self.starts = 0  # none of ours
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="worker-watch", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether any worker lives; one that loads its model does not beat yet."""
        return bool(self._living)

    @property
    def ready(self) -> bool:
        """Whether any worker takes jobs."""
        return bool(self._living)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; the workers go on."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._beats.look()
                self._living = self._beats.living()
            except SQLAlchemyError as error:
                self._living = []
                log.warning("cannot see the workers: %s", error)
            self._stopping.wait(BEAT_S)
