"""The HTTP face, put together. No module-level state: `create_app(settings)` makes it all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.deps import Service
from app.errors import REFUSALS, ErrorEnvelope, add_error_handlers
from app.limits import Gate
from app.routes import catalog, datasets, events, figures, health, jobs, prompts
from app.routes.health import VERSION
from app.settings import Settings
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.queue import JobQueue
from jobs.serving import Predictor
from jobs.store import JobStore
from jobs.supervisor import Supervisor
from web.pages import mount_pages

ERRORS = {code: {"model": ErrorEnvelope} for code in REFUSALS}


def create_app(settings: Settings) -> FastAPI:
    """The service on its database; the schema is brought up, built-ins are put in."""
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    database.migrate()
    catalog_ = Catalog(database)
    catalog_.add_built_ins()
    service = Service(
        settings,
        JobStore(database),
        catalog_,
        Predictor(),
        Supervisor(JobQueue(database), database.url, settings.runners),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.supervisor.start()
        yield
        service.supervisor.stop()
        service.predictor.close()
        database.close()

    app = FastAPI(
        title="Gradless",
        version=VERSION,
        summary="Tunes prompts for models that can only be called.",
        lifespan=lifespan,
        middleware=[Middleware(Gate, settings=settings)],
        docs_url=None,  # FastAPI's own page loads from a CDN; ours is web/reference.py
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=ERRORS,  # type: ignore[arg-type]
    )
    app.state.service = service
    add_error_handlers(app)
    for module in (health, catalog, datasets, jobs, events, prompts, figures):
        app.include_router(module.router)
    mount_pages(app)
    return app
