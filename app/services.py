"""What a request may ask for, by type: the objects that `create_app` made, and small reads on top of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request

from app.jobs.feed import Feed
from app.jobs.queue import JobQueue
from app.jobs.supervisor import Supervisor
from app.library import ClipRecord, Library
from app.problems import ClipNotReady
from app.schemas import ClipId, ClipOut
from app.settings import Settings
from app.uploads import UploadReceiver
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.zoo.cards import ModelCard

# A field of the largest block holds up to 45 MB once rows and columns were asked: 10 are the blocks of two clips.
FIELDS_KEPT = 10


class FieldReader:
    """Reads affinity fields and keeps the ones asked for last. Ids are never used again, so nothing gets stale."""

    def __init__(self, store: AffinityStore) -> None:
        self.read = lru_cache(FIELDS_KEPT)(store.read)
        self.manifest = lru_cache(FIELDS_KEPT)(store.manifest)


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
    cards: dict[str, ModelCard]

    def clip_out(self, record: ClipRecord) -> ClipOut:
        """A clip as JSON, with its place in the queue."""
        place = self.library.queue_places().get(record.id) if record.state == "queued" else None
        return ClipOut.of(record, place, time.time())

    def field(self, record: ClipRecord, block: str) -> tuple[AffinityField, int]:
        """The affinities of one block and the clip's length in frames."""
        return self.fields.read(record.id, block), self.fields.manifest(record.id).frames.count


def get_services(request: Request) -> Services:
    """The app's services."""
    return request.app.state.services


Ask = Annotated[Services, Depends(get_services)]


def get_clip(clip_id: ClipId, services: Ask) -> ClipRecord:
    """The clip of the address; 404 when there is none."""
    return services.library.get(clip_id)


AnyClip = Annotated[ClipRecord, Depends(get_clip)]


def get_done_clip(record: AnyClip) -> ClipRecord:
    """The clip of the address, with its analysis; 409 while there is none."""
    if record.state != "done":
        raise ClipNotReady(record.id, record.state)
    return record


DoneClip = Annotated[ClipRecord, Depends(get_done_clip)]
