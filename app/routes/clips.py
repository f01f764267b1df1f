"""Clips: upload, list, follow, cancel, delete, and what was found in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.clips_table import ClipRecord
from app.database import AWAY
from app.errors import error_body
from app.jobs.feed import Watch
from app.quotas import client_of
from app.schemas import API, BlockOut, BlocksOut, ClipOut, ClipsOut, OverviewOut, PredictionsOut
from app.services import AnyClip, Ask, DoneClip, Services
from app.uploads import Body, Received
from nonlocal_core.affinity.store import FRAMES
from nonlocal_core.errors import LensError, UnknownModel
from nonlocal_core.variant import Variant, ensure_fits

router = APIRouter(prefix=f"{API}/clips", tags=["clips"])

KEEP_ALIVE_S = 15.0  # proxies close a silent connection after 30 or 60 s
FOR_EVER = "private, max-age=31536000, immutable"  # what is stored under an id never changes

ModelName = Annotated[str | None, Query(max_length=4096, description="a name from GET /models")]
_START = Query(ge=0, le=86400, allow_inf_nan=False, description="where in the video the clip starts, in seconds")
Start = Annotated[float, _START]
StartOfClip = Annotated[float | None, _START]

VariantName = Annotated[Variant | None, Query(description="a null model; of what the clip is, unless given")]

ErrorOf = dict[int | str, dict[str, Any]]


def errors(*statuses: int) -> ErrorOf:
    """The error responses of a route, for OpenAPI."""
    example = error_body("ClipNotFound", "no clip '6f1c…'; list them with GET /api/v1/clips")
    content = {"application/json": {"example": example}}
    return {status: {"description": "see `error.message`", "content": content} for status in statuses}


@router.post(
    "",
    status_code=202,
    responses={200: {"model": ClipOut, "description": "known already"}, **errors(404, 413, 422, 429, 507)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload_clip(
    request: Request,
    services: Ask,
    filename: Annotated[str, Query(max_length=4096, description="shown to people, never used as a path")] = "video",
    model: ModelName = None,
    start_s: Start = 0.0,
) -> Response:
    """Send a video as the request's body; the answer is a queued clip to follow.

    The same bytes for the same model and start are the same clip: 200 instead of 202.
    """
    body, limit = Body(request.receive), services.settings.upload_limit_bytes
    client = client_of(request)
    try:
        chosen = chosen_model(services, model)
        await admit(services, client)
        received = await services.receiver.receive(body.chunks(), limit)
    except (LensError, *AWAY):
        await body.forget(limit)
        raise
    return await submit(services, received, filename, chosen, start_s, client)


async def admit(services: Services, client: str) -> None:
    """One more clip of that client, before it is received.

    Raises:
        TooManyUploads, QuotaReached: the client's own limits. QueueFull: everybody's.
    """
    services.turns.take(client)
    await asyncio.to_thread(services.queue.ensure_room, client)


def chosen_model(services: Services, name: str | None) -> str:
    """The model asked for, or the default.

    Raises:
        UnknownModel: this server does not run it.
    """
    if name is not None and name not in services.cards:
        raise UnknownModel(name, tuple(services.cards))
    return name or services.default_model


async def submit(
    services: Services, received: Received, filename: str, model: str, start_s: float, client: str
) -> Response:
    """A received file becomes a clip."""
    submitted = await asyncio.to_thread(
        services.queue.submit, received, filename=filename, model=model, start_s=start_s, client=client
    )
    return answer(services, submitted)


def answer(services: Services, submitted: tuple[ClipRecord, bool]) -> Response:
    """The clip as JSON, 202 when it is new, 200 when it is known."""
    record, created = submitted
    out = services.clip_out(record)
    location = {"Location": f"{API}/clips/{record.id}"}
    return JSONResponse(out.model_dump(mode="json"), 202 if created else 200, location)


@router.get("")
def list_clips(services: Ask) -> ClipsOut:
    """All clips, newest first."""
    places, now = services.library.queue_places(), time.time()
    return ClipsOut(clips=[ClipOut.of(record, places.get(record.id), now) for record in services.library.list()])


@router.get("/{clip_id}", responses=errors(404))
def read_clip(record: AnyClip, services: Ask) -> ClipOut:
    """A clip and how far its analysis is."""
    return services.clip_out(record)


@router.delete("/{clip_id}", status_code=204, responses=errors(404))
def delete_clip(record: AnyClip, services: Ask) -> None:
    """Forget a clip and remove everything made from it; running work on it stops."""
    services.queue.delete(record.id)


@router.post(
    "/{clip_id}/again",
    status_code=202,
    responses={200: {"model": ClipOut, "description": "known already"}, **errors(404, 422, 429, 507)},
)
async def analyse_again(
    record: AnyClip,
    request: Request,
    services: Ask,
    model: ModelName = None,
    start_s: StartOfClip = None,
    variant: VariantName = None,
) -> Response:
    """The same video with another model, start or null model, without a second upload; the clip's own unless given.

    The answer is a clip of its own, as for an upload: 202 when it is new, 200 when it is known.
    """
    chosen = chosen_model(services, model or record.model)
    taken = record.variant if variant is None else variant
    ensure_fits(taken, (block.kind for block in services.cards[chosen].spec.blocks))
    client = client_of(request)
    await admit(services, client)
    start = record.start_s if start_s is None else start_s
    submitted = await asyncio.to_thread(
        services.queue.submit_again, record, model=chosen, start_s=start, variant=taken, client=client
    )
    return answer(services, submitted)


@router.post("/{clip_id}/cancel", responses=errors(404, 409))
def cancel_clip(record: AnyClip, services: Ask) -> ClipOut:
    """Stop a queued or running clip."""
    return services.clip_out(services.queue.cancel(record.id))


@router.get("/{clip_id}/events", response_class=StreamingResponse, responses=errors(404))
def follow_clip(
    record: AnyClip, services: Ask, last_event_id: Annotated[int, Header(description="resume after this event")] = 0
) -> StreamingResponse:
    """Server-sent events: the clip at each change, until it is done, failed or cancelled. Resumable."""
    watch = services.feed.watch(record.id, last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(services, watch), media_type="text/event-stream", headers=headers)


async def _events(services: Services, watch: Watch) -> AsyncIterator[str]:
    while True:
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                record = await anext(watch)
        except TimeoutError:
            yield ": still here\n\n"
        except StopAsyncIteration:
            return
        else:
            try:
                out = await asyncio.to_thread(services.clip_out, record)
            except AWAY:  # whoever listens comes back with the number of the last event
                return
            yield f"id: {record.revision}\nevent: clip\ndata: {out.model_dump_json()}\n\n"


@router.get("/{clip_id}/frames.jpg", response_class=Response, responses=errors(404, 409))
def read_frames(clip_id: DoneClip, services: Ask) -> Response:
    """The frames the network saw, as one JPEG; its geometry is in the clip's `frames`."""
    content = services.store.read_bytes(clip_id, FRAMES)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": FOR_EVER})


@router.get("/{clip_id}/overview", responses=errors(404, 409, 507))
async def read_overview(clip_id: DoneClip, services: Ask) -> OverviewOut:
    """The whole video in at most 48 small whole frames, what of them the network sees, and the windows chosen so far.

    Made when first asked for, which takes up to some seconds.
    """
    record = await asyncio.to_thread(services.library.get, clip_id)
    found = await services.overviews.of(record)
    siblings = await asyncio.to_thread(services.library.siblings, record.sha256)
    card = services.cards.get(record.model)
    return OverviewOut.of(found, record, [other for other in siblings if other.is_usable], card and card.spec)


@router.get("/{clip_id}/overview.jpg", response_class=Response, responses=errors(404, 409, 507))
async def read_overview_picture(clip_id: DoneClip, services: Ask) -> Response:
    """The same as one JPEG; its geometry is in the JSON."""
    record = await asyncio.to_thread(services.library.get, clip_id)
    content = await services.overviews.picture(record)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": FOR_EVER})


@router.get("/{clip_id}/predictions", responses=errors(404, 409))
def read_predictions(clip_id: DoneClip, services: Ask, k: Annotated[int, Query(ge=1, le=1000)] = 5) -> PredictionsOut:
    """The k most probable classes."""
    return PredictionsOut(predictions=services.store.manifest(clip_id).predictions[:k])


@router.get("/{clip_id}/blocks", responses=errors(404, 409))
def list_blocks(clip_id: DoneClip, services: Ask) -> BlocksOut:
    """The non-local blocks, in network order, with their grids."""
    return BlocksOut(blocks=[BlockOut.of(clip_id, block) for block in services.store.manifest(clip_id).blocks])
