"""The dashboard put together: its pages, its static files, and what is shown where there is none.

Every number comes from /api, asked by the service's own door (`web/asking.py`); the pages are whole
without a script, which only keeps them fresh. `mount_pages(app)` is all the service needs.
"""

import importlib.util
import os
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from web.asking import NotTold
from web.rendering import HERE, REVALIDATE, renderer
from web.views import access, compare, datasets, endpoints, home, jobs, new_job, prompts, reference

VIEWS = (home, new_job, compare, jobs, datasets, endpoints, prompts, access, reference)
PLOTLY = "plotly.min.js"

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
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
    app.add_exception_handler(NotTold, not_told)


def static_files() -> StaticFiles:
    """The application to mount at `/static`."""
    return Assets(directory=HERE / "static")


def pages_router() -> APIRouter:
    """The routes of the pages. They are kept out of the OpenAPI schema."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/favicon.ico")
    def favicon() -> FileResponse:
        return FileResponse(HERE / "static" / "favicon.svg", media_type="image/svg+xml")

    render = renderer()
    for view in VIEWS:
        view.add(router, render)
    return router


def not_found_page(request: Request) -> HTMLResponse:
    """For the service's 404 handler, when a browser (Accept: text/html) asks outside /api."""
    return renderer()(request, "not_found.html", status=404, message="")


def not_told(request: Request, why: Exception) -> HTMLResponse:
    """In place of a page whose subject the API does not tell."""
    status = why.status if isinstance(why, NotTold) else 500
    return renderer()(request, "not_found.html", status=status, message=str(why))


def _plotly_source() -> Path:
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("plotly is not installed; it carries plotly.min.js")
    return Path(spec.origin).parent / "package_data" / PLOTLY
