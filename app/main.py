"""`create_app(settings)`: everything is wired here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.database import open_database
from app.errors import install_error_handlers
from app.figures.drawing import Drawing
from app.jobs.cuts import Cuts
from app.jobs.feed import Feed
from app.jobs.films import Films
from app.jobs.queue import JobQueue
from app.jobs.supervisor import Supervisor
from app.library import Library
from app.overviews import Overviews
from app.resources import resource
from app.routes import about, arrows, clips, cutting, exports, figures, measures, pages
from app.samples import offer_samples
from app.schemas import API
from app.security import SecurityHeaders
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

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await asyncio.to_thread(self_test)  # refuse to start with a decoder that is not safe
        cards = cards_of(settings.models, settings.models_folder)
        engine = open_database(settings.data, settings.database_url)
        library = Library(engine, settings.data)
        queue = JobQueue(engine, library, limit=settings.queue_limit, ttl_s=settings.ttl_s)
        cuts = Cuts(engine, library, limit=settings.queue_limit)
        films = Films(engine, library, limit=settings.queue_limit)
        queue.tidy(leftover_s=0)
        if settings.samples:
            offer_samples(queue, settings.data, next(iter(cards)))
        feed, supervisor = Feed(library), Supervisor(settings.model_dump_json())
        store, drawing = AffinityStore(library.root), Drawing()
        fields = FieldReader(store)
        app.state.services = Services(
            settings=settings,
            library=library,
            queue=queue,
            cuts=cuts,
            films=films,
            feed=feed,
            supervisor=supervisor,
            receiver=UploadReceiver(library.uploads),
            store=store,
            fields=fields,
            measurer=Measurer(fields),
            overviews=Overviews(library),
            drawing=drawing,
            cards=cards,
        )
        supervisor.start()
        tidying = asyncio.create_task(queue.keep_tidy())
        try:
            yield
        finally:
            tidying.cancel()
            feed.close()
            await asyncio.to_thread(supervisor.stop)
            drawing.close()
            cuts.close()
            films.close()
            queue.close()
            engine.dispose()

    app = FastAPI(
        title="Nonlocal Lens",
        version=version("nonlocal-lens"),
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # Swagger's page would load scripts from a CDN
        redoc_url=None,
    )
    app.add_middleware(SecurityHeaders)
    install_error_handlers(app)
    for module in (clips, arrows, cutting, measures, figures, exports, about, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=resource("static")), name="static")
    return app
