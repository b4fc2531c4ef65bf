"""The HTTP face, put together. No module-level state: `create_app(settings)` makes it all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.access import Access
from app.audited import Auditor
from app.background import background
from app.deps import Service
from app.document import say_who_may_ask
from app.errors import REFUSALS, ErrorEnvelope, add_error_handlers
from app.idempotency import Idempotency
from app.limits import OPEN_PATHS, Gate
from app.metrics import Metrics
from app.routes import (
    catalog,
    compare,
    datasets,
    events,
    figures,
    generations,
    health,
    jobs,
    metrics,
    prompts,
    summary,
    webhooks,
)
from app.routes.access import router as access
from app.routes.bundles import router as bundles
from app.routes.health import VERSION
from app.routes.named import router as named
from app.routes.openai import completions, files, fine_tuning, models
from app.settings import Settings
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.projects import Projects
from jobs.queue import JobQueue
from jobs.serving import Predictor
from jobs.store import JobStore
from jobs.supervisor import Supervisor
from web.pages import mount_pages

ERRORS = {code: {"model": ErrorEnvelope} for code in REFUSALS}


def create_app(settings: Settings) -> FastAPI:
    """The service on its database; the schema is brought up, built-ins are put in."""
    service = _service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.supervisor.start()
        async with background(service):
            yield
        service.supervisor.stop()
        service.predictor.close()
        service.database.close()

    app = FastAPI(
        title="Gradless",
        version=VERSION,
        summary="Tunes prompts for models that can only be called.",
        lifespan=lifespan,
        middleware=_layers(service),
        docs_url=None,  # FastAPI's own page loads from a CDN; ours is web/reference.py
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=ERRORS,  # type: ignore[arg-type]
    )
    app.state.service = service
    add_error_handlers(app)
    for module in (health, catalog, datasets, jobs, generations, events, prompts, figures):
        app.include_router(module.router)
    for module in (summary, compare, webhooks, metrics):
        app.include_router(module.router)
    app.include_router(named)
    app.include_router(bundles)
    app.include_router(access)
    for module in (files, fine_tuning, models, completions):
        app.include_router(module.router)
    mount_pages(app)
    needs_key = bool(settings.api_key.get_secret_value())
    say_who_may_ask(app, OPEN_PATHS, needs_key=needs_key)
    return app


def _layers(service: Service) -> list[Middleware]:
    """Around all routes, the outermost first."""
    gate = Middleware(
        Gate,
        settings=service.settings,
        access=Access(service.settings, service.database),
        auditor=Auditor(service.database),
        observe=service.metrics.observe,
    )
    return [gate, Middleware(Idempotency, database=service.database)]


def _service(settings: Settings) -> Service:
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    database.migrate()
    Projects(database).add_default()
    catalog_ = Catalog(database)
    catalog_.add_built_ins()
    limits = settings.running_jobs, settings.project_running_jobs
    return Service(
        settings,
        JobStore(database),
        catalog_,
        Predictor(),
        Supervisor(JobQueue(database), database.url, settings.runners, *limits),
        database,
        Metrics(VERSION),
    )
