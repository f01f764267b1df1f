"""What blocks do, in numbers, and good questions to them; found in a thread when first asked for, then remembered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.findings import MeasuresOut, StopOut, TourOut, TourQuery
from app.routes.clips import errors
from app.schemas import API, BlockName
from app.services import Ask, DoneClip

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["questions"], responses=errors(404, 409, 422))


@router.get("/blocks/{block}/measures")
def read_measures(clip_id: DoneClip, block: BlockName, services: Ask) -> MeasuresOut:
    """Query dependence, reach in space and time, entropy and hubs of one block: all rows, up to some seconds once."""
    found, field, frames = services.measurer.measures(clip_id, block)
    return MeasuresOut.of(block, found, field.key_grid, frames)


@router.get("/tour")
def read_tour(clip_id: DoneClip, query: Annotated[TourQuery, Query()], services: Ask) -> TourOut:
    """Places whose affinity is far-reaching, focused and their own: good first questions, the same each time."""
    found, field, frames = services.measurer.tour(clip_id, query.block, query.count, query.seed)
    stops = [StopOut.of(stop, field, frames) for stop in found]
    return TourOut(block=query.block, seed=query.seed, stops=stops)
