"""The one database: our `clips` table beside DBOS's system tables, so that both change in one transaction.

SQLite in the data folder unless a Postgres URL is given. The engine here is handed to DBOS and to its client as
well; DBOS leaves an engine that it did not make as it is, so what it would set on SQLite is set here.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from dbos import DBOS
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError

from app.problems import DamagedDatabase, StorageFull

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from sqlalchemy import Connection

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

FILE_NAME = "lens.sqlite"
BUSY_MS = 30_000  # a writer waits this long for another: DBOS's own choice for SQLite
AWAIT_S = 60.0  # a Postgres that starts with us may need so long
AWAY = (OperationalError, InterfaceError)  # what SQLAlchemy raises when the database does not answer
RETRY_S = 2.0
# A Postgres whose machine is gone answers nothing at all; without these a request would wait for minutes.
PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000}  # s, ms
TABLES_LOCK = 0x6C656E73  # "lens": of two processes that start on one Postgres, one makes tables at a time


def open_database(data: Path, url: str | None) -> Engine:
    """Open the database of `data`, made and migrated first where it is missing or old.

    `url` names a Postgres database; None means the SQLite file in `data`. Takes about 0.1 s when new, 10 ms
    later, so the web process calls it too: DBOSClient never migrates, and the worker may start later.

    Raises:
        DamagedDatabase: the file is no database or fails SQLite's check.
    """
    logging.getLogger("dbos").setLevel(logging.WARNING)  # else each start tells that SQLite is for development
    if url is not None:
        address = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(address, pool_pre_ping=True, connect_args=PATIENCE)
        _await(engine)
        with _turn(engine):
            DBOS.migrate(url)
        return engine
    data.mkdir(parents=True, exist_ok=True)
    path = data / FILE_NAME
    engine = create_engine(f"sqlite:///{path}", pool_size=10, max_overflow=20)
    event.listen(engine, "connect", _prepare_connection)
    try:
        with engine.connect() as connection:
            finding = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
        if finding == "ok":
            DBOS.migrate(f"sqlite:///{path}")
            return engine
    except OperationalError:  # no right to open it, no room to make it: not the file's fault
        raise
    except DatabaseError as error:
        finding = str(error.orig)
    engine.dispose()
    raise DamagedDatabase(path, finding)


def _await(engine: Engine) -> None:
    """Return once the database answers.

    Raises:
        OperationalError: it did not within `AWAIT_S`.
    """
    deadline = time.monotonic() + AWAIT_S
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("waiting for the database: %s", str(error.orig).splitlines()[0])
            time.sleep(1)
        else:
            return


def until_possible(ask: Callable[[], Answer]) -> Answer:
    """The answer of `ask`, which is tried until the database answers and has room. For workers.

    A job that ended meanwhile would be lost for a while: DBOS could not note it either, and would think that it runs.
    """
    while True:
        try:
            return ask()
        except StorageFull as error:
            log.warning("%s: waiting", error)
        except AWAY as error:
            log.warning("the database is away, waiting: %s", str(error.orig).splitlines()[0])
        time.sleep(RETRY_S)


def _prepare_connection(connection: Any, _record: Any) -> None:
    """Readers never wait for a writer (WAL), writers queue up, and a commit is on disk when it returns."""
    connection.isolation_level = "IMMEDIATE"  # a write transaction takes its lock at its first write, never midway
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


@contextlib.contextmanager
def changing_tables(engine: Engine) -> Generator[Connection]:
    """A transaction in which tables may be made; on Postgres nobody else makes any meanwhile."""
    with _turn(engine), engine.begin() as connection:
        yield connection


@contextlib.contextmanager
def _turn(engine: Engine) -> Generator[None]:
    """One process at a time, on Postgres.

    Who waits asks again and again, in no transaction: DBOS makes indexes CONCURRENTLY, which waits for every
    statement that runs, so also for one that waits for a lock, which then is never let go.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({TABLES_LOCK})").scalar_one():
            time.sleep(0.1)
        try:
            yield
        finally:
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({TABLES_LOCK})")
