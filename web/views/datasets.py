"""The datasets, and the rows of one."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.asking import ask
from web.rendering import Renderer

ROWS, IMAGES = 50, 240  # of a dataset on one page


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/datasets")
    async def datasets(request: Request) -> HTMLResponse:
        listed = await ask(request, "/api/datasets")
        return render(request, "datasets.html", datasets=listed["data"])

    @router.get("/datasets/{dataset_id}")
    async def dataset(
        request: Request, dataset_id: str, split: str = "train", after: str = "0"
    ) -> HTMLResponse:
        path = f"/api/datasets/{dataset_id}"
        dataset = await ask(request, path)
        limit = str(IMAGES if dataset.get("image_column") else ROWS)
        rows = await ask(request, f"{path}/rows", split=split, after=after, limit=limit)
        values = {"dataset": dataset, "rows": rows, "split": split, "is_first": after == "0"}
        return render(request, "dataset.html", dataset_id=dataset_id, **values)
