"""Pages for people; they ask the API for everything that changes."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.pages import error_page, page
from app.problems import UploadTooLarge
from app.routes.about import version_of
from app.routes.clips import chosen_model, list_clips, submit
from app.schemas import ModelOut
from app.services import AnyClip, Ask

router = APIRouter(include_in_schema=False)

FORM_OVERHEAD_BYTES = 100_000  # boundaries and headers of a multipart body around the file


@router.get("/")
def gallery(request: Request, services: Ask) -> Response:
    """The first page: upload, and the clips that are there."""
    about = version_of(services)
    default = services.settings.models[0]
    models = [ModelOut.of(card, default=name == default) for name, card in services.cards.items()]
    clips = list_clips(services).model_dump(mode="json")["clips"]
    return page(
        request,
        "gallery.html",
        version=about.version,
        limits=about.limits.model_dump(),
        models=[model.model_dump(mode="json") for model in models],
        clips=clips,
    )


@router.get("/clips/{clip_id}")
def clip_page(request: Request, record: AnyClip, services: Ask) -> Response:
    """The page of one clip."""
    version = version_of(services).version
    clip = services.clip_out(record).model_dump(mode="json")
    return page(request, "clip.html", clip=clip, model=services.cards.get(record.model), version=version)


@router.post("/upload")
async def upload_form(request: Request, services: Ask) -> Response:
    """The upload of a browser without JavaScript: one multipart form, then on to the clip's page."""
    limit = services.settings.upload_limit_bytes
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > limit + FORM_OVERHEAD_BYTES:  # before the parser spools it to disk
        raise UploadTooLarge(limit)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if file is None or isinstance(file, str) or not file.size:
            return error_page(request, 422, "no file was chosen; go back and pick a video")

        async def chunks():
            while piece := await file.read(1 << 20):
                yield piece

        model = chosen_model(services, str(form["model"]) if "model" in form else None)
        await asyncio.to_thread(services.queue.ensure_room)
        received = await services.receiver.receive(chunks(), limit)
        answer = await submit(services, received, file.filename or "video", model, start_s=0.0)
    return RedirectResponse(answer.headers["location"].removeprefix("/api/v1"), 303)
