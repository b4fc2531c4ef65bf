"""The form of a new job, for the choice that the address names."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web import job_form
from web.asking import ask
from web.rendering import Renderer

READ = 200  # train rows, to find a few of different labels
ROWS, IMAGES = 3, 10  # of them, shown


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/jobs/new")
    async def new_job(request: Request) -> HTMLResponse:
        origin = request.query_params.get("from")
        job = await ask(request, f"/api/jobs/{origin}") if origin else None
        values = await form(request, job["spec"] if job else {})
        return render(request, "new.html", job=job, **values)


async def form(request: Request, spec: dict[str, Any]) -> dict[str, Any]:
    """All that the template writes of the form; `spec` is of the job that it is filled from."""
    kinds = ("datasets", "endpoints", "methods", "metrics")
    offers = job_form.Offers(*[(await ask(request, f"/api/{kind}"))["data"] for kind in kinds])
    asked = job_form.asked_for(request.query_params, spec)
    choice = job_form.choose(offers, asked)
    given = job_form.given(request.query_params, spec, choice)
    return {
        "choice": choice,
        "options": job_form.options(offers, choice),
        "gone": job_form.gone(offers, asked),
        "given": given,
        "settings": job_form.settings(choice, given),
        "body": job_form.body(choice, given),
        "powers": job_form.powers(choice.endpoint) if choice.endpoint else [],
        "walls": job_form.walls(choice.endpoint),
        "dataset": choice.dataset,
        "sample": await sample(request, choice.dataset) if choice.dataset else [],
        "queries": job_form.QUERIES,
        "query": request.url.query,
        "locked": "authorization" in request.headers,
    }


async def sample(request: Request, dataset: Any) -> list[dict[str, Any]]:
    """A few of the first train rows, of as many labels as there are."""
    path = f"/api/datasets/{dataset['id']}/rows"
    rows = (await ask(request, path, split="train", limit=str(READ)))["data"]
    return job_form.spread(rows, IMAGES if dataset["image_column"] else ROWS)
