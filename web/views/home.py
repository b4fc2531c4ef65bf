"""What is going on now, and the list of all jobs."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.rendering import Renderer


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/")
    async def home(request: Request) -> HTMLResponse:
        return render(request, "jobs.html")
