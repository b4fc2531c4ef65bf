"""The description of the API."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.reference import sections
from web.rendering import Renderer


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/api/docs")
    def reference(request: Request) -> HTMLResponse:
        return render(request, "reference.html", sections=sections(request.app.openapi()))
