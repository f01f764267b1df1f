"""`create_app(settings)`: everything is wired here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app import access
from app.access import Access
from app.database import open_database
from app.errors import answer_to, install_error_handlers, unexpected
from app.figures.drawing import Drawing, wake_v8
from app.jobs.cuts import Cuts
from app.jobs.feed import Feed
from app.jobs.films import Films
from app.jobs.heartbeat import OtherWorkers
from app.jobs.queue import LEFTOVER_S, JobQueue
from app.jobs.supervisor import Supervisor
from app.library import Library
from app.logs import Observe, RequestLog
from app.metrics import WebMetrics, metrics_folder
from app.overviews import Overviews
from app.quotas import Turns
from app.resources import resource
from app.routes import about, arrows, clips, cutting, exports, figures, measures, pages
from app.samples import offer_samples
from app.schemas import API
from app.security import Hosts, Key, SecurityHeaders, names_of
from app.services import FieldReader, Measurer, Services
from app.settings import Settings
from app.uploads import UploadReceiver
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.video import self_test
from nonlocal_core.zoo.cards import cards_of

DESCRIPTION = """
Which places in space and time does a non-local block of a video network relate to each other?
Upload a video, follow its analysis, then ask: `GET /clips/{id}/arrows` gives, for a place in a frame,
the places of highest affinity (Wang et al., CVPR 2018, Figure 3).
"""


def create_app(settings: Settings) -> FastAPI:
    """The web app; its lifespan opens the database and runs the worker."""
    wake_v8()
    observed: list[Observe] = []  # empty until the lifespan begins

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        for tell in observed:
            tell(method, route, status, seconds)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await asyncio.to_thread(self_test)  # refuse to start with a decoder that is not safe
        with opened_services(settings) as services:
            app.state.services = services
            observed.append(services.metrics.observe_request)
            services.supervisor.start()
            tidying = asyncio.create_task(services.queue.keep_tidy())
            try:
                yield
            finally:
                tidying.cancel()
                services.feed.close()
                await asyncio.to_thread(services.supervisor.stop)

    app = FastAPI(
        title="Nonlocal Lens",
        version=version("nonlocal-lens"),
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        responses={503: {"description": "the database does not answer; see Retry-After"}},
        docs_url=None,  # Swagger's page would load scripts from a CDN
        redoc_url=None,
    )
    # The last one added is the first to see a request.
    app.add_middleware(
        Access,
        hosts=Hosts(settings.hosts, names_of(socket.gethostname())),
        key=Key(settings.api_key.get_secret_value()) if settings.api_key else None,
        respond=answer_to,
        forget_bytes=settings.upload_limit_bytes,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, observe=observe, respond=unexpected)
    install_error_handlers(app)
    # Routes are tried in this order, and questions come most often.
    for module in (arrows, access, clips, cutting, measures, figures, exports, about, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=resource("static")), name="static")
    return app


@contextlib.contextmanager
def opened_services(settings: Settings) -> Generator[Services]:
    """What routes use, on an open database with the samples in its queue; all of it is put away in the end."""
    cards = cards_of(settings.models, settings.models_folder)
    with contextlib.ExitStack() as closing:
        engine = open_database(settings.data, settings.database_url)
        closing.callback(engine.dispose)
        library, drawing = Library(engine, settings.data), Drawing()
        limit, clips_each = settings.queue_limit, settings.clips_per_client
        queue = JobQueue(engine, library, limit=limit, ttl_s=settings.ttl_s, clips_per_client=clips_each)
        cuts, films = Cuts(engine, library, limit=limit), Films(engine, library, limit=limit)
        for part in (queue, films, cuts, drawing):
            closing.callback(part.close)
        # Another server on the same database may be receiving at this moment.
        queue.tidy(leftover_s=0 if settings.database_url is None else LEFTOVER_S)
        if settings.samples:
            offer_samples(queue, settings.data, next(iter(cards)))
        supervisor = Supervisor(settings.model_dump_json()) if settings.worker else OtherWorkers(engine)
        store = AffinityStore(library.root)
        fields = FieldReader(store)
        yield Services(
            settings=settings,
            library=library,
            queue=queue,
            cuts=cuts,
            films=films,
            feed=Feed(library),
            supervisor=supervisor,
            receiver=UploadReceiver(library.uploads),
            store=store,
            fields=fields,
            measurer=Measurer(fields),
            overviews=Overviews(library),
            drawing=drawing,
            turns=Turns(settings.uploads_per_minute),
            metrics=WebMetrics(library.states, supervisor, metrics_folder(settings.data)),
            cards=cards,
        )
