"""Answers and blocks as files for other programs: CSV and NPZ. JSON is what the questions themselves answer with."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameters

from app.home import take_home
from app.questions import QueryIn
from app.routes.clips import FOR_EVER, errors
from app.routes.figures import named
from app.schemas import API, BlockName
from app.services import Ask, DoneClip
from nonlocal_core.affinity.export import answer_npz, arrows_csv, field_npz, values_csv
from nonlocal_core.affinity.query import answer

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["exports"], responses=errors(404, 409, 422))

Asked = Annotated[QueryIn, Parameters()]
BlockNames = Annotated[str, Parameters(max_length=2000, description="names, joined by commas")]
Table = Literal["arrows", "row"]
CSV, BINARY = "text/csv; charset=utf-8", "application/octet-stream"


@router.get("/{table}.csv", response_class=Response)
async def read_table(clip_id: DoneClip, table: Table, asked: Asked, services: Ask) -> Response:
    """The arrows of a question, one a line; or every value of it, one cell a line."""
    field, _ = await services.field(clip_id, asked.block)
    manifest = await asyncio.to_thread(services.store.manifest, clip_id)
    times = manifest.frames.times_s
    found = await asyncio.to_thread(answer, field, asked.query, len(times))
    text = arrows_csv(field, asked.query, found, times) if table == "arrows" else values_csv(field, asked.query, found)
    return Response(text, media_type=CSV, headers=named(manifest.provenance.get("filename", "clip"), f"-{table}.csv"))


@router.get("/answer.npz", response_class=Response)
async def read_answer(clip_id: DoneClip, asked: Asked, services: Ask) -> Response:
    """All of a question's answer as NumPy arrays: values, arrows, times, and the question itself."""
    field, _ = await services.field(clip_id, asked.block)
    manifest = await asyncio.to_thread(services.store.manifest, clip_id)
    times = manifest.frames.times_s
    found = await asyncio.to_thread(answer, field, asked.query, len(times))
    content = await asyncio.to_thread(answer_npz, field, asked.query, found, times)
    return Response(
        content, media_type=BINARY, headers=named(manifest.provenance.get("filename", "clip"), "-answer.npz")
    )


@router.get("/blocks/{block}/features.npz", response_class=Response)
async def read_features_npz(clip_id: DoneClip, block: BlockName, services: Ask) -> Response:
    """theta and phi of a block as NumPy arrays, and what else is known of its cells."""
    field, _ = await services.field(clip_id, block)
    content = await asyncio.to_thread(field_npz, field)
    return Response(content, media_type=BINARY, headers=named(block, ".npz") | {"Cache-Control": FOR_EVER})


@router.get("/home.html", response_class=Response)
def read_home(clip_id: DoneClip, request: Request, services: Ask, blocks: BlockNames) -> Response:
    """The clip as one HTML file in which the reader asks new questions offline: at most 12 MB, so choose the blocks.

    The rest of the query string is the page's own link, on whose question it opens.
    """
    record = services.library.get(clip_id)
    names = tuple(name for name in blocks.split(",") if name)
    search = "&".join(part for part in request.url.query.split("&") if not part.startswith("blocks="))
    page = take_home(services.store, services.clip_out(record), names, search, version("nonlocal-lens"))
    headers = {
        "Content-Disposition": named(record.filename, ".html")["Content-Disposition"].replace("inline", "attachment")
    }
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
