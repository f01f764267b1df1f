"""What `nonlocal-lens doctor` says of a server beyond the core's findings: its database, and who may ask it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.database import FILE_NAME
from app.problems import DamagedDatabase
from app.settings import Settings
from nonlocal_core.doctor import Finding, examine

PATIENCE_S = 5


def examine_server(settings: Settings) -> list[Finding]:
    """Look at the installation with the server's settings; nothing is changed."""
    more = [("database", lambda: _database(settings)), ("access", lambda: _access(settings))]
    return examine(settings.data, settings.models, settings.models_folder, more=more)


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        return _sqlite(settings.data / FILE_NAME)
    url = sa.make_url(settings.database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, connect_args={"connect_timeout": PATIENCE_S})
    try:
        with engine.connect() as connection:
            told = str(connection.execute(sa.text("SHOW server_version")).scalar_one())
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise OSError(f"{url.render_as_string(hide_password=True)} cannot be asked: {reason}") from error
    finally:
        engine.dispose()
    return f"Postgres {told} answers at {url.render_as_string(hide_password=True)}"


def _sqlite(path: Path) -> str:
    if not path.exists():
        return f"SQLite {sqlite3.sqlite_version}; {path} is made at the first start"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            clips = connection.execute("SELECT count(*) FROM clips").fetchone()[0] if found == "ok" else 0
    except sqlite3.DatabaseError as error:
        raise DamagedDatabase(path, str(error)) from error
    if found != "ok":
        raise DamagedDatabase(path, found)
    return f"SQLite {sqlite3.sqlite_version}; {path} is sound and knows {clips} clips"


def _access(settings: Settings) -> str:
    who = "only who has the key may ask" if settings.api_key else "no key is set: whoever reaches the server may ask"
    names = f"; it also goes by {', '.join(settings.hosts)}" if settings.hosts else ""
    return f"{who}{names}"
