"""The server itself: models, version and limits, health."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response

from app.schemas import API, LimitsOut, ModelsOut, VersionOut
from app.services import Ask, Services
from nonlocal_core.video.info import CONTAINERS, DecodeLimits

router = APIRouter(tags=["server"])


@router.get(f"{API}/models")
def list_models(services: Ask) -> ModelsOut:
    """The models this server runs, the default first."""
    return ModelsOut(models=services.models_out())


def version_of(services: Services) -> VersionOut:
    """The server's version and limits."""
    limits = DecodeLimits()
    return VersionOut(
        version=version("nonlocal-lens"),
        limits=LimitsOut(
            upload_bytes=services.settings.upload_limit_bytes,
            video_seconds=limits.seconds,
            video_frames=limits.frames,
            video_pixels=limits.pixels,
            queue=services.settings.queue_limit,
            containers=list(CONTAINERS),
        ),
    )


@router.get("/version")
def read_version(services: Ask) -> VersionOut:
    """The server's version, and what an upload must keep to."""
    return version_of(services)


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
