"""The endpoints, and what one can do."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.rendering import Renderer
from web.words import POWERS, RUNGS


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/endpoints")
    def endpoints(request: Request) -> HTMLResponse:
        return render(request, "endpoints.html", rungs=RUNGS)

    @router.get("/endpoints/{endpoint_id}")
    def endpoint(request: Request, endpoint_id: str) -> HTMLResponse:
        values = {"endpoint_id": endpoint_id, "powers": POWERS, "rungs": RUNGS}
        return render(request, "endpoint.html", **values)
