"""Cuts and films as JSON: what is asked of the worker, and how far it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.figures.formats import FilmFormat
from app.jobs.cuts import StoredChange, StoredCut
from app.jobs.errands import State
from app.jobs.films import StoredFilm
from app.schemas import API, ClipError, Frozen
from nonlocal_core.affinity.cut import TOP_CLASSES, Removed


class CutWish(BaseModel):
    """What to remove from a block of the clip's network. Cells are flat: time-major, then rows, then columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block: str = Field(max_length=64, examples=["mixed_4c"])
    keys: list[StrictInt] | Removed = Field(
        description="cells of the key grid; or other_frames: the keys of every time step but the query's; or block: "
        "the block itself, so that z = x"
    )
    queries: list[StrictInt] | None = Field(
        default=None, description="the cells of the query grid that lose them; null: every one"
    )


class CutClass(Frozen):
    """One class and its probability."""

    label: str
    probability: float


class CutOut(Frozen):
    """A cut, how far it is and what came of it."""

    id: str
    state: State
    url: str
    block: str
    keys: list[int] | Removed
    queries: list[int] | None
    error: ClipError | None
    before: list[CutClass] = Field(description="the top 5 of the whole network; empty until done")
    after: list[CutClass] = Field(description="the top 5 without what was cut")
    changes: list[StoredChange] = Field(description="the classes of both lists, as they stood before")
    moved: float | None = Field(description="probability that went to other classes: half of sum |after - before|")

    @classmethod
    def of(cls, clip_id: str, stored: StoredCut) -> CutOut:
        """A stored cut as JSON."""
        return cls.model_validate(
            stored.model_dump()
            | {
                "url": f"{API}/clips/{clip_id}/cuts/{stored.id}",
                "before": _top(stored, "before"),
                "after": _top(stored, "after"),
            }
        )


def _top(stored: StoredCut, when: Literal["before", "after"]) -> list[CutClass]:
    best = sorted(stored.changes, key=lambda change: -getattr(change, when))[:TOP_CLASSES]
    return [CutClass(label=change.label, probability=getattr(change, when)) for change in best]


class FilmWish(BaseModel):
    """A film of the clip: the player's view of every frame, with the arrows of a link."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(max_length=4096, description="the page's own query string", examples=["block=mixed_4c&q=4.5.7"])
    format: FilmFormat


class FilmOut(Frozen):
    """A film and how far it is."""

    id: str
    state: State
    progress: float = Field(description="share of the frames that are drawn, in [0, 1]")
    error: ClipError | None
    format: FilmFormat
    url: str = Field(description="where this is told")
    file: str | None = Field(description="the film itself, once it is done")

    @classmethod
    def of(cls, clip_id: str, stored: StoredFilm) -> FilmOut:
        """A stored film as JSON."""
        url = f"{API}/clips/{clip_id}/films/{stored.id}"
        file = f"{url}.{stored.format}" if stored.state == "done" else None
        return cls.model_validate(stored.model_dump() | {"url": url, "file": file})
