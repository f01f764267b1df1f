"""The server itself: models, version and limits, health."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response

from app.metrics import CONTENT_TYPE
from app.schemas import API, LimitsOut, ModelsOut, VersionOut
from app.services import Ask, Services
from nonlocal_core.video.info import CODECS_IN_WORDS, CONTAINERS, DecodeLimits
from nonlocal_core.video.probe import ffmpeg_version

router = APIRouter(tags=["server"])


@router.get(f"{API}/models")
def list_models(services: Ask) -> ModelsOut:
    """The models this server runs, the default first."""
    return ModelsOut(models=services.models_out())


def limits_of(services: Services) -> LimitsOut:
    """What an upload must keep to."""
    limits = DecodeLimits()
    return LimitsOut(
        upload_bytes=services.settings.upload_limit_bytes,
        video_seconds=limits.seconds,
        video_frames=limits.frames,
        video_pixels=limits.pixels,
        queue=services.settings.queue_limit,
        containers=list(CONTAINERS),
        codecs=list(CODECS_IN_WORDS),
    )


@router.get("/version")
def read_version(services: Ask) -> VersionOut:
    """The server's version, what it is built on, its models' files, and what an upload must keep to."""
    return VersionOut(
        version=version("nonlocal-lens"),
        limits=limits_of(services),
        ffmpeg=ffmpeg_version(),
        torch=version("torch"),
        models=services.weights(),
    )


@router.get("/metrics", response_class=Response)
def read_metrics(services: Ask) -> Response:
    """Numbers for Prometheus: requests, queue, jobs and their stages, refused videos, memory."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/healthz")
def read_health() -> dict[str, str]:
    """The web process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "the worker is not up (yet)"}})
def read_readiness(services: Ask, response: Response) -> dict[str, str]:
    """Whether uploads are worked on: the worker is up and has loaded its models."""
    if services.supervisor.ready:
        return {"status": "ready"}
    response.status_code = 503
    return {"status": "the worker is starting" if services.supervisor.alive else "the worker is down"}
