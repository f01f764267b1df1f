"""Cuts of a clip, as errands: what was asked and what came of it, in one file of the folder `cuts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from app.jobs.errands import Errands, Shelf, StoredErrand, key_of
from app.jobs.workflow import CUT
from app.problems import CutNotFound
from nonlocal_core.affinity.cut import Cut, Removed

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.library import Library

KEPT_CUTS = 200  # of one clip, some kB each


class StoredChange(BaseModel, frozen=True):
    """One class: its probability before the cut and after it."""

    index: int
    label: str
    before: float
    after: float


class StoredCut(StoredErrand):
    """One cut and how far it is; `changes` and `moved` are there when it is done."""

    block: str
    keys: tuple[int, ...] | Removed
    queries: tuple[int, ...] | None
    changes: tuple[StoredChange, ...] = ()  # the top 5 before and the top 5 after, as they stood before
    moved: float | None = None  # probability that went to other classes, in [0, 1]

    @classmethod
    def of(cls, cut: Cut) -> StoredCut:
        """A cut that nobody has made yet; cells in rising order, once each."""
        asked: dict[str, Any] = {
            "block": cut.block,
            "keys": cut.keys if isinstance(cut.keys, str) else tuple(sorted(set(cut.keys))),
            "queries": None if cut.queries is None else tuple(sorted(set(cut.queries))),
        }
        return cls(id=key_of(asked), **asked)

    @property
    def cut(self) -> Cut:
        """What is asked."""
        return Cut(self.block, self.keys, self.queries)


class CutShelf(Shelf[StoredCut]):
    """The files of cuts."""

    def __init__(self, library: Library) -> None:
        super().__init__(library, "cut", StoredCut)


class Cuts(Errands[StoredCut]):
    """The web side of cuts; `limit` as for all errands."""

    def __init__(self, engine: Engine, library: Library, *, limit: int) -> None:
        super().__init__(engine, CutShelf(library), CUT, kept=KEPT_CUTS, limit=limit, absent=CutNotFound)

    def submit(self, clip_id: str, cut: Cut) -> tuple[StoredCut, bool]:
        """Have the cut made; answers and raises as `ask`."""
        return self.ask(clip_id, StoredCut.of(cut))
