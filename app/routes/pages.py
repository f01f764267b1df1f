"""Pages for people; they ask the API for everything that changes."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.pages import error_page, page
from app.problems import UploadTooLarge
from app.quotas import client_of
from app.routes.about import limits_of
from app.routes.clips import admit, analyse_again, chosen_model, list_clips, submit
from app.schemas import API
from app.services import AnyClip, Ask, Services
from app.uploads import Body
from nonlocal_core.zoo.published import KIND_WORDS

router = APIRouter(include_in_schema=False)

NOT_OF_PLACES = {"blocks", "classes", "mean", "std"}  # fields of ModelSpec that change neither frames nor grids
FORM_OVERHEAD_BYTES = 100_000  # boundaries and headers of a multipart body around the file


@router.get("/")
def gallery(request: Request, services: Ask) -> Response:
    """The first page: upload, and the clips that are there."""
    clips = list_clips(services).model_dump(mode="json")["clips"]
    return page(
        request,
        "gallery.html",
        version=version("nonlocal-lens"),
        limits=limits_of(services).model_dump(),
        models=[model.model_dump(mode="json") for model in services.models_out()],
        clips=clips,
    )


@router.get("/clips/{clip_id}")
def clip_page(request: Request, record: AnyClip, services: Ask) -> Response:
    """The page of one clip, with the way to what other networks make of the same video."""
    siblings = [other for other in services.library.siblings(record.sha256) if other.id == record.id or other.is_usable]
    tried = {other.model for other in siblings if (other.start_s, other.variant) == (record.start_s, record.variant)}
    return page(
        request,
        "clip.html",
        version=version("nonlocal-lens"),
        clip=services.clip_out(record).model_dump(mode="json"),
        model=services.cards.get(record.model),
        siblings=siblings,
        untried=[card for name, card in services.cards.items() if name not in tried],
        shared_blocks=_shared_blocks(services, record.model),
        kinds=KIND_WORDS,
    )


@router.post("/clips/{clip_id}/again")
async def again_form(request: Request, record: AnyClip, services: Ask) -> Response:
    """Another network for the same video, asked by a form; then on to the new clip's page."""
    async with request.form(max_files=0, max_fields=1) as form:
        answer = await analyse_again(record, request, services, str(form["model"]) if "model" in form else None)
    return _to_clip(answer)


@router.post("/upload")
async def upload_form(request: Request, services: Ask) -> Response:
    """The upload of a browser without JavaScript: one multipart form, then on to the clip's page."""
    limit = services.settings.upload_limit_bytes
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > limit + FORM_OVERHEAD_BYTES:  # before the parser spools it to disk
        await Body(request.receive).forget(limit)
        raise UploadTooLarge(limit)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if file is None or isinstance(file, str) or not file.size:
            return error_page(request, 422, "no file was chosen; go back and pick a video")

        async def chunks():
            while piece := await file.read(1 << 20):
                yield piece

        model = chosen_model(services, str(form["model"]) if "model" in form else None)
        client = client_of(request)
        await admit(services, client)
        received = await services.receiver.receive(chunks(), limit)
        answer = await submit(services, received, file.filename or "video", model, 0.0, client)
    return _to_clip(answer)


def _shared_blocks(services: Services, model: str) -> dict[str, list[str]]:
    """Per network with the same frames and grids as `model`, its blocks: a question to one can be put to the other."""
    own = services.cards.get(model)
    if own is None:
        return {}
    shared: dict[str, list[str]] = {}
    for name, card in services.cards.items():
        if card.spec.model_dump(exclude=NOT_OF_PLACES) == own.spec.model_dump(exclude=NOT_OF_PLACES):
            shared[name] = [block.after for block in card.spec.blocks]
    return shared


def _to_clip(answer: Response) -> Response:
    return RedirectResponse(answer.headers["location"].removeprefix(API), 303)
