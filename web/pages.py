"""The dashboard's pages and static files. Every number comes from /api: what moves, by fetch.

What stays as it is, a dataset and a report, is asked here and readable without a script.
No job, no store, no query to a model. `mount_pages(app)` is all the service needs.
"""

import importlib.metadata
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from web.asking import NotTold, ask
from web.formats import FILTERS
from web.reference import sections
from web.words import LABELS_ONLY, MEASURES, POWERS, RUNGS, UNWORDED

Renderer = Callable[..., HTMLResponse]  # (request, template, status=200, **values)

HERE = Path(__file__).parent
ROWS, IMAGES = 50, 240  # of a dataset on one page
PLOTLY = "plotly.min.js"

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
REVALIDATE = "no-cache"  # our modules import each other by name: ask each time, answer 304
FOR_EVER = "public, max-age=31536000, immutable"  # plotly's address carries its version


class Assets(StaticFiles):
    """`web/static`, and plotly.min.js out of the installed wheel; etag, and when to ask again."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if path != PLOTLY:
            return super().lookup_path(path)
        source = _plotly_source()
        return str(source), source.stat()

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = FOR_EVER if path == PLOTLY else REVALIDATE
        return response


def mount_pages(app: FastAPI) -> None:
    """Add the pages and `/static` to the service."""
    app.include_router(pages_router())
    app.mount("/static", static_files(), name="static")


def static_files() -> StaticFiles:
    """The application to mount at `/static`."""
    return Assets(directory=HERE / "static")


def pages_router() -> APIRouter:
    """The routes of the pages. They are kept out of the OpenAPI schema."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    render = _renderer()

    @router.get("/favicon.ico")
    def favicon() -> FileResponse:
        return FileResponse(HERE / "static" / "favicon.svg", media_type="image/svg+xml")

    _add_jobs(router, render)
    _add_datasets(router, render)
    _add_endpoints(router, render)
    _add_reference(router, render)
    return router


def _add_jobs(router: APIRouter, render: Renderer) -> None:
    @router.get("/")
    def jobs(request: Request) -> HTMLResponse:
        return render(request, "jobs.html")

    @router.get("/jobs/new")
    def new_job(request: Request) -> HTMLResponse:
        return render(request, "new.html", labels_only=LABELS_ONLY)

    @router.get("/jobs/{job_id}")
    def job(request: Request, job_id: str) -> HTMLResponse:
        return render(request, "job.html", job_id=job_id, unworded=UNWORDED)

    @router.get("/jobs/{job_id}/report")
    async def report(request: Request, job_id: str) -> HTMLResponse:
        path = f"/api/jobs/{job_id}"
        try:
            values = {"report": await ask(request, f"{path}/report")}
            values["job"] = await ask(request, path)
        except NotTold as why:
            return not_told(request, render, why)
        column = await _image_column(request, values["job"]["spec"]["dataset"])
        return render(
            request, "report.html", job_id=job_id, column=column, unworded=UNWORDED, **values
        )


async def _image_column(request: Request, dataset_id: str) -> str:
    """Of a job's dataset, the column that names images; empty: none does, or it is deleted."""
    try:
        dataset = await ask(request, f"/api/datasets/{dataset_id}")
    except NotTold:
        return ""
    return str(dataset["image_column"])


def _add_datasets(router: APIRouter, render: Renderer) -> None:
    @router.get("/datasets")
    def datasets(request: Request) -> HTMLResponse:
        return render(request, "datasets.html")

    @router.get("/datasets/{dataset_id}")
    async def dataset(
        request: Request, dataset_id: str, split: str = "train", after: str = "0"
    ) -> HTMLResponse:
        path = f"/api/datasets/{dataset_id}"
        try:
            dataset = await ask(request, path)
            limit = str(IMAGES if dataset.get("image_column") else ROWS)
            rows = await ask(request, f"{path}/rows", split=split, after=after, limit=limit)
        except NotTold as why:
            return not_told(request, render, why)
        values = {"dataset": dataset, "rows": rows, "split": split}
        return render(request, "dataset.html", dataset_id=dataset_id, **values)


def _add_endpoints(router: APIRouter, render: Renderer) -> None:
    @router.get("/endpoints")
    def endpoints(request: Request) -> HTMLResponse:
        return render(request, "endpoints.html", rungs=RUNGS)

    @router.get("/endpoints/{endpoint_id}")
    def endpoint(request: Request, endpoint_id: str) -> HTMLResponse:
        values = {"endpoint_id": endpoint_id, "powers": POWERS, "rungs": RUNGS}
        return render(request, "endpoint.html", **values)


def _add_reference(router: APIRouter, render: Renderer) -> None:
    @router.get("/api/docs")
    def reference(request: Request) -> HTMLResponse:
        return render(request, "reference.html", sections=sections(request.app.openapi()))


def not_found_page(request: Request) -> HTMLResponse:
    """For the service's 404 handler, when a browser (Accept: text/html) asks outside /api."""
    return _renderer()(request, "not_found.html", status=404, message="")


def not_told(request: Request, render: Renderer, why: NotTold) -> HTMLResponse:
    """In place of a page whose subject the API does not tell."""
    return render(request, "not_found.html", status=why.status, message=str(why))


def _renderer() -> Renderer:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.globals["plotly_version"] = importlib.metadata.version("plotly")
    environment.globals["measures"] = MEASURES
    environment.filters.update(FILTERS)
    templates = Jinja2Templates(env=environment)
    headers = {"cache-control": REVALIDATE}

    def render(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        return templates.TemplateResponse(request, name, values, status, headers)

    return render


def _plotly_source() -> Path:
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("plotly is not installed; it carries plotly.min.js")
    return Path(spec.origin).parent / "package_data" / PLOTLY
