"""What a request may ask for, by type: the objects that `create_app` made, and small reads on top of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.jobs.feed import Feed
from app.jobs.queue import JobQueue
from app.jobs.supervisor import Supervisor
from app.library import ClipRecord, Library
from app.problems import ClipNotReady
from app.schemas import ClipId, ClipOut, ModelOut
from app.settings import Settings
from app.uploads import UploadReceiver
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.zoo.cards import ModelCard

# A field of the largest block holds up to 45 MB once rows and columns were asked: 10 are the blocks of two clips.
FIELDS_KEPT = 10
CLIP_ID = re.compile("[0-9a-f]{24}")


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


@dataclass(frozen=True, eq=False)
class Services:
    """Everything that routes use; made once in `create_app`."""

    settings: Settings
    library: Library
    queue: JobQueue
    feed: Feed
    supervisor: Supervisor
    receiver: UploadReceiver
    store: AffinityStore
    fields: FieldReader
    cards: dict[str, ModelCard]  # by the names that people see, the default first

    @property
    def default_model(self) -> str:
        """The model of an upload that names none."""
        return next(iter(self.cards))

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
