"""The form of a new job."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.rendering import Renderer
from web.words import LABELS_ONLY


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/jobs/new")
    async def new_job(request: Request) -> HTMLResponse:
        return render(request, "new.html", labels_only=LABELS_ONLY)
