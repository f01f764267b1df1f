"""Questions: which places does a block relate to this one? No torch, no worker: rows come from the stored fields."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.routes.clips import FOR_EVER, errors
from app.schemas import API, ArrowsOut, ArrowsQuery, BlockName, CellOut, Place, PlaceQuery, RowOut
from app.services import Ask, DoneClip
from nonlocal_core.affinity.arrows import top_arrows
from nonlocal_core.affinity.store import features_name
from nonlocal_core.geometry import cell_at

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["questions"], responses=errors(404, 409, 422))


@router.get("/arrows")
def read_arrows(record: DoneClip, query: Annotated[ArrowsQuery, Query()], services: Ask) -> ArrowsOut:
    """The k places of highest affinity with a place, best first."""
    field, frames = services.field(record, query.block)
    cell = cell_at(field.asking_grid(query.direction), query.point, frames)
    arrows = top_arrows(field, cell, query.k, query.direction)
    return ArrowsOut.of(field, query, cell, arrows, frames)


@router.get("/row")
def read_row(record: DoneClip, query: Annotated[PlaceQuery, Query()], services: Ask) -> RowOut:
    """Every weight of a question as a flat grid: the heat map."""
    field, frames = services.field(record, query.block)
    asked, answered = field.asking_grid(query.direction), field.answering_grid(query.direction)
    cell = cell_at(asked, query.point, frames)
    return RowOut(
        block=query.block,
        direction=query.direction,
        start=Place.of(asked, cell, frames),
        grid=CellOut(t=answered.t, h=answered.h, w=answered.w),
        weights=field.weights(cell, query.direction).tolist(),
    )


@router.get("/blocks/{block}/features", response_class=Response)
def read_features(record: DoneClip, block: BlockName, services: Ask) -> Response:
    """theta [Q, C] and phi [K, C] as float16 and the log-sum-exp [Q], with kind, scale and grids in the header.

    A safetensors file; with it a browser or a notebook answers every question itself.
    """
    content = services.store.read_bytes(record.id, features_name(block))
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": FOR_EVER})
