"""Cuts: the same clip once more without some arrows. The worker runs them; here they are asked for and read."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse

from app.bodies import described, read_json
from app.jobs.cuts import StoredCut
from app.routes.clips import chosen_model, errors
from app.schemas import API
from app.services import Ask, DoneClip, Services
from app.wishes import CutOut, CutWish
from nonlocal_core.affinity.cut import Cut
from nonlocal_core.errors import UnknownBlock
from nonlocal_core.geometry import Grid

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}/cuts", tags=["cuts"])

WISH_BYTES = 1_000_000  # the cells of the largest block twice over are 150 kB
CutId = Annotated[str, PathParameter(max_length=64, description="the id that POST gave")]


@router.post(
    "",
    status_code=202,
    responses={200: {"model": CutOut, "description": "known already"}, **errors(404, 409, 413, 422, 429, 507)},
    response_model=CutOut,
    openapi_extra=described(CutWish),
)
async def ask_for_cut(clip_id: DoneClip, request: Request, services: Ask) -> Response:
    """Run the clip's network again without some keys, all keys of other frames, or the whole block.

    The same wish is the same cut: 200 instead of 202. Follow it at its `url`; it takes seconds.
    """
    cut = _cut_of(await read_json(request, CutWish, WISH_BYTES))
    stored, created = await asyncio.to_thread(_submit, services, clip_id, cut)
    out = CutOut.of(clip_id, stored)
    return JSONResponse(out.model_dump(mode="json"), 202 if created else 200, {"Location": out.url})


@router.get("/{cut_id}", responses=errors(404, 409))
def read_cut(clip_id: DoneClip, cut_id: CutId, services: Ask) -> CutOut:
    """A cut, how far it is and, when it is done, the top classes before and after."""
    return CutOut.of(clip_id, services.cuts.get(clip_id, cut_id))


@router.post("/{cut_id}/cancel", responses=errors(404, 409))
def cancel_cut(clip_id: DoneClip, cut_id: CutId, services: Ask) -> CutOut:
    """Drop a cut that waits or runs; one that has ended stays as it is. The same wish later is made after all."""
    return CutOut.of(clip_id, services.cuts.cancel(clip_id, cut_id))


def _submit(services: Services, clip_id: str, cut: Cut) -> tuple[StoredCut, bool]:
    """Check the cut against what is stored of the clip, so that a job is only made of one that can run."""
    blocks = {block.name: block for block in services.store.manifest(clip_id).blocks}
    if cut.block not in blocks:
        raise UnknownBlock(cut.block, tuple(blocks))
    block = blocks[cut.block]
    cut.ensure_inside(Grid(**block.query_grid.model_dump()), Grid(**block.key_grid.model_dump()))
    chosen_model(services, services.library.get(clip_id).model)
    return services.cuts.submit(clip_id, cut)


def _cut_of(wish: CutWish) -> Cut:
    return Cut(
        wish.block,
        tuple(wish.keys) if isinstance(wish.keys, list) else wish.keys,
        None if wish.queries is None else tuple(wish.queries),
    )
