"""A job's curves as plotly figures: the same for the dashboard, the SDK and notebooks."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from app.deps import StoreDep
from app.routes.jobs import public_job
from app.schemas import GenerationPublic
from web.figures import FIGURES

router = APIRouter(prefix="/api/jobs", tags=["figures"])

ALL = 100_000  # generations


@router.get("/{job_id}/figures/{name}", summary="A plotly figure as JSON")
def read_figure(
    job_id: str,
    name: Annotated[Literal["loss", "accuracy"], Path()],
    store: StoreDep,
    theme: Literal["light", "dark"] = "light",
) -> dict[str, Any]:
    job = public_job(store, job_id).model_dump(mode="json")
    rows = store.generations(job_id, limit=ALL)
    generations = [GenerationPublic.of(*row).model_dump(mode="json") for row in rows]
    return FIGURES[name](job, generations, theme)
