"""A job's curves as plotly figures: the same for the dashboard, the SDK and notebooks."""

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path

from app.deps import StoreDep
from app.routes.jobs import public_generations, public_job
from app.routes.prompts import public_report
from web.figures import FIGURES, REPORT_FIGURES

router = APIRouter(prefix="/api/jobs", tags=["figures"])

Name: TypeAlias = Literal[
    "loss", "accuracy", "internals", "comparison", "confusion-tuned", "confusion-baseline"
]


@router.get("/{job_id}/figures/{name}", summary="A plotly figure as JSON")
def read_figure(
    job_id: str,
    name: Annotated[Name, Path()],
    store: StoreDep,
    theme: Literal["light", "dark"] = "light",
) -> dict[str, Any]:
    """`loss`, `accuracy` and `internals` grow with the search; the others come with the report."""
    if name in REPORT_FIGURES:
        return REPORT_FIGURES[name](public_report(store, job_id), theme)
    job = public_job(store, job_id).model_dump(mode="json")
    return FIGURES[name](job, public_generations(store, job_id), theme)
