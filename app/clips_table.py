"""The table of clips: what the database keeps of each, and its rows as records. What becomes of them: library.py."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

if TYPE_CHECKING:
    from nonlocal_core.variant import Variant

ACTIVE = ("queued", "running")
FINAL = ("done", "failed", "cancelled")
FILENAME_LENGTH = 200

metadata = sa.MetaData()
clips = sa.Table(
    "clips",
    metadata,
    sa.Column("id", sa.String(24), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("filename", sa.String(FILENAME_LENGTH), nullable=False),  # shown, never used as a path
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("start_s", sa.Double, nullable=False),  # where in the video the clip starts
    sa.Column("variant", sa.String(16), nullable=False, server_default="none"),  # a null model, see variant.py
    sa.Column("client", sa.String(64)),  # who sent it, where quotas are set; see quotas.py
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sample", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("stage", sa.String(16), nullable=False),
    sa.Column("progress", sa.Double, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("created_at", sa.Double, nullable=False),  # all times: seconds since 1970, UTC
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("expires_at", sa.Double),
    sa.Column("arrival", sa.BigInteger, nullable=False),  # revision at birth: order that a jump of the clock cannot mix
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("clips_by_content", "sha256", "model"),
    sa.Index("clips_by_state", "state"),
)
# One row. A change increments it first: on Postgres that row's lock lets revisions commit in their order.
counter = sa.Table(
    "clips_revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True)
class NewClip:
    """What is asked of an upload; `filename` is as the user sent it, `expires_at` None for ever."""

    filename: str
    model: str
    start_s: float
    sample: bool
    expires_at: float | None
    variant: Variant = "none"
    client: str | None = None


@dataclass(frozen=True)
class ClipRecord:
    """One row of `clips`; times in seconds since 1970, `progress` in [0, 1], `details` as the analysis told them."""

    id: str
    sha256: str
    filename: str
    model: str
    start_s: float
    variant: Variant
    bytes: int
    sample: bool
    state: str
    stage: str
    progress: float
    error_code: str | None
    error_message: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float | None
    arrival: int
    revision: int
    attempts: int
    details: dict[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    @property
    def is_usable(self) -> bool:
        """Whether its analysis is there or may still come."""
        return self.state in (*ACTIVE, "done")


def make_clips(connection: sa.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date."""
    metadata.create_all(connection)
    _add_missing_columns(connection)
    row = sa.select(sa.literal(1), sa.literal(0)).where(~sa.select(counter.c.value).exists())
    connection.execute(counter.insert().from_select(["id", "value"], row))


def record_of(row: sa.Row[Any]) -> ClipRecord:
    """A row of `clips`."""
    return ClipRecord(**{field.name: getattr(row, field.name) for field in fields(ClipRecord)})


def shown_name(filename: str) -> str:
    """The user's file name without control and direction signs, cut to 200 characters; "video" when none is left."""
    kept = "".join(sign for sign in filename if not unicodedata.category(sign).startswith("C"))
    return kept.strip()[:FILENAME_LENGTH] or "video"


def _add_missing_columns(connection: sa.Connection) -> None:
    """A table that version 0.1.0 made gets what came later; each later column has a default."""
    known = {column["name"] for column in sa.inspect(connection).get_columns(clips.name)}
    for column in clips.columns:
        if column.name not in known:
            added = CreateColumn(column).compile(dialect=connection.dialect)
            # Two servers on one Postgres may start at once; SQLite, which knows no IF NOT EXISTS here, has one.
            unless = "IF NOT EXISTS " if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"ALTER TABLE {clips.name} ADD COLUMN {unless}{added}")
