"""What a request may ask for, by type: the objects that `create_app` made, and small reads on top of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from threading import Lock
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from app.clips_table import ClipRecord
from app.figures.drawing import Drawing
from app.figures.subject import weights_of
from app.jobs.cuts import Cuts
from app.jobs.feed import Feed
from app.jobs.films import Films
from app.jobs.heartbeat import OtherWorkers
from app.jobs.queue import JobQueue
from app.jobs.supervisor import Supervisor
from app.library import Library
from app.metrics import WebMetrics
from app.overviews import Overviews
from app.problems import ClipNotReady
from app.quotas import Turns
from app.schemas import ClipId, ClipOut, ModelOut
from app.settings import Settings
from app.uploads import UploadReceiver
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.measures import Measures, measure
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.affinity.tour import Stop, tour
from nonlocal_core.zoo.cards import ModelCard

# A field of the largest block holds up to 45 MB once rows and columns were asked: 10 are the blocks of two clips.
FIELDS_KEPT = 10
FINDINGS_KEPT = 1000  # measures and tours: a few kB each
CLIP_ID = re.compile("[0-9a-f]{24}")
Found = TypeVar("Found")


class FieldReader:
    """Reads affinity fields and keeps the ones asked for last. Ids are never used again, so nothing gets stale."""

    def __init__(self, store: AffinityStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, str], tuple[AffinityField, int]] = OrderedDict()

    def kept(self, clip_id: str, block: str) -> tuple[AffinityField, int] | None:
        """The field and the clip's length in frames, if they are in memory."""
        found = self._kept.get((clip_id, block))
        if found is not None:
            self._kept.move_to_end((clip_id, block))
        return found

    def read(self, clip_id: str, block: str) -> tuple[AffinityField, int]:
        """The same from the disk; the oldest is forgotten."""
        found = self._store.read(clip_id, block), self._store.manifest(clip_id).frames.count
        self._kept[clip_id, block] = found
        while len(self._kept) > FIELDS_KEPT:
            self._kept.popitem(last=False)
        return found


class Measurer:
    """Measures blocks and finds tours, and keeps what it found last; for threads.

    Only one is worked on at a time: it takes up to some seconds, and questions should find a free core.
    """

    def __init__(self, fields: FieldReader) -> None:
        self._fields = fields
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._working = Lock()

    def measures(self, clip_id: str, block: str) -> tuple[Measures, AffinityField, int]:
        """The measures of a block, its field and the clip's length in frames.

        Raises:
            UnknownBlock, DamagedAnalysis: as `AffinityStore.read_bytes`.
        """
        field, frames = self._field(clip_id, block)
        return self._found(("measures", clip_id, block), lambda: measure(field)), field, frames

    def tour(self, clip_id: str, block: str, count: int, seed: int) -> tuple[list[Stop], AffinityField, int]:
        """The tour of a block, its field and the clip's length in frames.

        Raises:
            UnknownBlock, DamagedAnalysis: as `AffinityStore.read_bytes`.
        """
        field, frames = self._field(clip_id, block)
        key = ("tour", clip_id, block, count, seed)
        return self._found(key, lambda: tour(field, frames, count=count, seed=seed)), field, frames

    def _field(self, clip_id: str, block: str) -> tuple[AffinityField, int]:
        return self._fields.kept(clip_id, block) or self._fields.read(clip_id, block)

    def _found(self, key: tuple[Any, ...], find: Callable[[], Found]) -> Found:
        with self._working:
            if key not in self._kept:
                self._kept[key] = find()
            self._kept.move_to_end(key)
            while len(self._kept) > FINDINGS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


@dataclass(frozen=True, eq=False)
class Services:
    """Everything that routes use; made once in `create_app`."""

    settings: Settings
    library: Library
    queue: JobQueue
    cuts: Cuts
    films: Films
    feed: Feed
    supervisor: Supervisor | OtherWorkers
    receiver: UploadReceiver
    store: AffinityStore
    fields: FieldReader
    measurer: Measurer
    overviews: Overviews
    drawing: Drawing
    turns: Turns
    metrics: WebMetrics
    cards: dict[str, ModelCard]  # by the names that people see, the default first
    _weights: dict[str, dict[str, str]] = dataclass_field(default_factory=dict[str, dict[str, str]])

    @property
    def default_model(self) -> str:
        """The model of an upload that names none."""
        return next(iter(self.cards))

    def weights(self) -> dict[str, dict[str, str]]:
        """SHA-256 of every model's files as this process first saw them, by model and file; for threads."""
        for name, card in self.cards.items():
            if name not in self._weights:
                self._weights[name] = weights_of(card)
        return self._weights

    def models_out(self) -> list[ModelOut]:
        """The models as JSON, the default first."""
        return [ModelOut.of(card, default=name == self.default_model) for name, card in self.cards.items()]

    def clip_out(self, record: ClipRecord) -> ClipOut:
        """A clip as JSON, with its place in the queue."""
        place = self.library.queue_places().get(record.id) if record.state == "queued" else None
        return ClipOut.of(record, place, time.time())

    def explain_absence(self, clip_id: str) -> None:
        """Raise why a clip cannot be asked: it is not there, or its analysis is not."""
        raise ClipNotReady(clip_id, self.library.get(clip_id).state)

    async def field(self, clip_id: str, block: str) -> tuple[AffinityField, int]:
        """The affinities of one block and the clip's length in frames; what is in memory costs no thread."""
        return self.fields.kept(clip_id, block) or await asyncio.to_thread(self.fields.read, clip_id, block)


async def get_services(request: Request) -> Services:  # async: a plain function would cost a thread
    """The app's services."""
    return request.app.state.services


Ask = Annotated[Services, Depends(get_services)]


def get_clip(clip_id: ClipId, services: Ask) -> ClipRecord:
    """The clip of the address; 404 when there is none."""
    return services.library.get(clip_id)


AnyClip = Annotated[ClipRecord, Depends(get_clip)]


async def get_done_clip(clip_id: ClipId, services: Ask) -> str:
    """The id of the address, once its analysis is there; 409 while it is not.

    A look at the disk, no question to the database: a stored analysis is whole or absent, and goes with its clip.
    """
    if not CLIP_ID.fullmatch(clip_id) or not services.store.folder(clip_id).exists():
        await asyncio.to_thread(services.explain_absence, clip_id)
    return clip_id


DoneClip = Annotated[str, Depends(get_done_clip)]
