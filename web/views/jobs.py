"""One job and its report."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.asking import NotTold, ask
from web.rendering import Renderer
from web.words import UNWORDED


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/jobs/{job_id}")
    async def job(request: Request, job_id: str) -> HTMLResponse:
        job = await ask(request, f"/api/jobs/{job_id}")
        return render(request, "job.html", job_id=job_id, job=job, unworded=UNWORDED)

    @router.get("/jobs/{job_id}/report")
    async def report(request: Request, job_id: str) -> HTMLResponse:
        path = f"/api/jobs/{job_id}"
        values = {"report": await ask(request, f"{path}/report"), "job": await ask(request, path)}
        column = await image_column(request, values["job"]["spec"]["dataset"])
        return render(
            request, "report.html", job_id=job_id, column=column, unworded=UNWORDED, **values
        )


async def image_column(request: Request, dataset_id: str) -> str:
    """Of a job's dataset, the column that names images; empty: none does, or it is deleted."""
    try:
        dataset = await ask(request, f"/api/datasets/{dataset_id}")
    except NotTold:
        return ""
    return str(dataset["image_column"])
