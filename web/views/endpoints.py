"""The endpoints, and what one can do."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web import endpoint_facts as facts
from web.asking import ask
from web.rendering import Renderer
from web.words import RUNGS


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/endpoints")
    async def endpoints(request: Request) -> HTMLResponse:
        listed = await ask(request, "/api/endpoints")
        return render(request, "endpoints.html", endpoints=listed["data"], rungs=RUNGS)

    @router.get("/endpoints/{endpoint_id}")
    async def endpoint(request: Request, endpoint_id: str) -> HTMLResponse:
        endpoint = await ask(request, f"/api/endpoints/{endpoint_id}")
        values = {
            "powers": facts.powers(endpoint),
            "options": facts.options(endpoint),
            "ladder": facts.ladder(endpoint),
            "found": facts.found(endpoint),
            "others": facts.others(endpoint),
        }
        return render(request, "endpoint.html", endpoint=endpoint, **values)
