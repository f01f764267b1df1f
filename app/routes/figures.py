"""A link as a figure (SVG, PNG, PDF), drawn while one waits, or as a film (MP4, GIF), drawn by the worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse

from app.bodies import described, read_json
from app.figures.formats import TYPES, WIDTHS, FigureFormat, FilmFormat
from app.figures.raster import content_of
from app.figures.subject import stored_subject
from app.routes.clips import errors
from app.schemas import API
from app.services import Ask, DoneClip
from app.wishes import FilmOut, FilmWish

router = APIRouter(prefix=f"{API}/clips/{{clip_id}}", tags=["figures"], responses=errors(404, 409, 422))

FilmId = Annotated[str, PathParameter(max_length=64, description="the id that POST gave")]
WISH_BYTES = 20_000  # four times the longest link

Width = Annotated[int | None, Query(ge=200, le=6000, description="pixels; for SVG and PDF of 1/96 inch")]


@router.get("/figure.{kind}", response_class=Response)
def read_figure(
    clip_id: DoneClip, kind: FigureFormat, request: Request, services: Ask, width: Width = None
) -> Response:
    """What the page shows for the same query string: `block`, `q`, `k` and so on as in its address.

    The same link gives the same bytes, but for the date inside.
    """
    subject = stored_subject(services.store, clip_id, services.cards)
    with services.drawing.of(subject, link_of(request)) as sketch:
        made = datetime.now(UTC).isoformat(timespec="seconds")
        chosen = width or WIDTHS[kind]
        svg = sketch.figure(version=version("nonlocal-lens"), made=made, width=chosen)
    headers = named(subject.clip["filename"], f"-{sketch.plan.block}.{kind}") | {"Cache-Control": "no-cache"}
    return Response(content_of(svg, kind, chosen), media_type=TYPES[kind], headers=headers)


def link_of(request: Request) -> str:
    """The page's own part of the query string."""
    return "&".join(part for part in request.url.query.split("&") if not part.startswith("width="))


def named(filename: str, end: str) -> dict[str, str]:
    """The header that offers a name for what is saved: the video's, with another end."""
    return {"Content-Disposition": f"inline; filename*=UTF-8''{quote(PurePath(filename).stem + end)}"}


@router.post(
    "/films",
    status_code=202,
    responses={200: {"model": FilmOut, "description": "known already"}, **errors(413, 429, 507)},
    response_model=FilmOut,
    openapi_extra=described(FilmWish),
)
async def ask_for_film(clip_id: DoneClip, request: Request, services: Ask) -> Response:
    """Have every frame of the clip drawn with the arrows of a link. The same wish is the same film: 200, not 202.

    Follow it at its `url`; 32 frames take about ten seconds.
    """
    wish = await read_json(request, FilmWish, WISH_BYTES)
    stored, created = await asyncio.to_thread(services.films.submit, clip_id, wish.query, wish.format)
    out = FilmOut.of(clip_id, stored)
    return JSONResponse(out.model_dump(mode="json"), 202 if created else 200, {"Location": out.url})


@router.get("/films/{film_id}.{kind}", response_class=FileResponse)
def read_film_file(clip_id: DoneClip, film_id: FilmId, kind: FilmFormat, services: Ask) -> FileResponse:
    """The film itself, once it is done."""
    path = services.films.path(clip_id, film_id, kind)
    filename = services.store.manifest(clip_id).provenance.get("filename", "clip")
    return FileResponse(path, media_type=TYPES[kind], headers=named(filename, f"-arrows.{kind}"))


@router.get("/films/{film_id}")
def read_film(clip_id: DoneClip, film_id: FilmId, services: Ask) -> FilmOut:
    """A film and how far it is."""
    return FilmOut.of(clip_id, services.films.get(clip_id, film_id))


@router.post("/films/{film_id}/cancel")
def cancel_film(clip_id: DoneClip, film_id: FilmId, services: Ask) -> FilmOut:
    """Stop a film that waits or runs; one that has ended stays as it is."""
    return FilmOut.of(clip_id, services.films.cancel(clip_id, film_id))
