"""Questions: which places does a block relate to this one? No torch, no worker: rows come from the stored fields.

A question is answered on the event loop: it takes a tenth of a millisecond, less than handing it to a thread.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from app.routes.clips import FOR_EVER, errors
from app.schemas import API, ArrowsOut, ArrowsQuery, BlockName, CellOut, Place, PlaceQuery, RowOut
from app.services import Ask, DoneClip
from nonlocal_core.affinity.arrows import top_arrows
from nonlocal_core.affinity.store import features_name
from nonlocal_core.geometry import cell_at

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["questions"], responses=errors(404, 409, 422))


@router.get("/arrows", response_model=ArrowsOut)
async def read_arrows(clip_id: DoneClip, query: Annotated[ArrowsQuery, Query()], services: Ask) -> Response:
    """The k places of highest affinity with a place, best first."""
    field, frames = await services.field(clip_id, query.block)
    cell = cell_at(field.asking_grid(query.direction), query.point, frames)
    arrows = top_arrows(field, cell, query.k, query.direction)
    return as_json(ArrowsOut.of(field, query, cell, arrows, frames))


@router.get("/row", response_model=RowOut)
async def read_row(clip_id: DoneClip, query: Annotated[PlaceQuery, Query()], services: Ask) -> Response:
    """Every weight of a question as a flat grid: the heat map."""
    field, frames = await services.field(clip_id, query.block)
    asked, answered = field.asking_grid(query.direction), field.answering_grid(query.direction)
    cell = cell_at(asked, query.point, frames)
    return as_json(
        RowOut(
            block=query.block,
            direction=query.direction,
            start=Place.of(asked, cell, frames),
            grid=CellOut(t=answered.t, h=answered.h, w=answered.w),
            weights=field.weights(cell, query.direction).tolist(),
        )
    )


def as_json(answer: BaseModel) -> Response:
    """A model that is valid already: FastAPI would validate it once more, which takes longer than the question."""
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/blocks/{block}/features", response_class=Response)
def read_features(clip_id: DoneClip, block: BlockName, services: Ask) -> Response:
    """theta [Q, C] and phi [K, C] (large ones as float16), the log-sum-exp [Q]; kind, scale and grids in the header.

    A safetensors file; with it a browser or a notebook answers every question itself.
    """
    content = services.store.read_bytes(clip_id, features_name(block))
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": FOR_EVER})
