"""Questions: which places does a block relate to this one? No torch, no worker: rows come from the stored fields.

A question is answered on the event loop: it takes a tenth of a millisecond, less than handing it to a thread.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from app.bodies import described, listed, read_json, read_query
from app.questions import AnswersOut, ArrowsOut, QueriesIn, QueryIn, RowOut, arrows_out, as_json, row_out
from app.routes.clips import FOR_EVER, errors
from app.schemas import API, BlockName
from app.services import Ask, DoneClip, Services
from nonlocal_core.affinity.field import AffinityField
from nonlocal_core.affinity.query import Answer, Query, answer
from nonlocal_core.affinity.store import features_name

QUERIES_BYTES = 500_000  # a thousand questions with every choice are 300 kB

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["questions"], responses=errors(404, 409, 422))


@router.get("/arrows", response_model=ArrowsOut, openapi_extra=listed(QueryIn))
async def read_arrows(clip_id: DoneClip, request: Request, services: Ask) -> Response:
    """The places of highest affinity with a place or region, best first."""
    return as_json(await _answer(clip_id, read_query(request, QueryIn).query, services))


@router.post("/arrows", response_model=AnswersOut, responses=errors(413), openapi_extra=described(QueriesIn))
async def read_many_arrows(clip_id: DoneClip, request: Request, services: Ask) -> Response:
    """Up to 1000 questions in one request; their answers in the same order."""
    asked = await read_json(request, QueriesIn, QUERIES_BYTES)
    queries = [one.query for one in asked.queries]
    fields = {block: await services.field(clip_id, block) for block in {query.block for query in queries}}

    def answers() -> AnswersOut:  # a quarter of a second for a thousand: not on the event loop
        found = ((query, *fields[query.block]) for query in queries)
        return {
            "answers": [
                arrows_out(field, query, answer(field, query, frames), frames) for query, field, frames in found
            ]
        }

    return as_json(await asyncio.to_thread(answers))


async def _answer(clip_id: str, query: Query, services: Services) -> ArrowsOut:
    field, frames = await services.field(clip_id, query.block)
    with services.metrics.queries.time():
        found = await _ask(field, query, frames)
    return arrows_out(field, query, found, frames)


async def _ask(field: AffinityField, query: Query, frames: int) -> Answer:
    """A region asks up to a thousand times: that is for a thread, so that others are not kept waiting."""
    if query.to is None:
        return answer(field, query, frames)
    return await asyncio.to_thread(answer, field, query, frames)


@router.get("/row", response_model=RowOut, openapi_extra=listed(QueryIn))
async def read_row(clip_id: DoneClip, request: Request, services: Ask) -> Response:
    """Every value of a question as a flat grid: the heat map. It holds what `when` and `near` leave out too."""
    query = read_query(request, QueryIn).query
    field, frames = await services.field(clip_id, query.block)
    return as_json(row_out(field, query, await _ask(field, query, frames), frames))


@router.get("/blocks/{block}/features", response_class=Response)
def read_features(clip_id: DoneClip, block: BlockName, services: Ask) -> Response:
    """theta [Q, C] and phi [K, C] (large ones as float16), the log-sum-exp [Q]; kind, scale and grids in the header.

    A safetensors file; with it a browser or a notebook answers every question itself.
    """
    content = services.store.read_bytes(clip_id, features_name(block))
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": FOR_EVER})
