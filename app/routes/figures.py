"""A job's curves as plotly figures: the same for the dashboard, the SDK and notebooks."""

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from app.bands import with_bands
from app.deps import StoreDep
from app.routes.generations import GenerationsDep, figure_points
from app.routes.jobs import public_job
from app.routes.prompts import public_report
from web.figures import FIGURES, REPORT_FIGURES
from web.plotting import Figure
from web.svg import as_file

router = APIRouter(prefix="/api/jobs", tags=["figures"])

Name: TypeAlias = Literal[
    "loss", "accuracy", "internals", "comparison", "confusion-tuned", "confusion-baseline"
]
ThemeOf: TypeAlias = Literal["light", "dark"]
FormatOf = Annotated[
    Literal["json", "svg"],
    Query(description="json: for plotly; svg: a drawing that needs no script"),
]
SVG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}}}


@router.get(
    "/{job_id}/figures/{name}",
    summary="A figure of a job",
    response_model=dict[str, Any],
    responses=SVG,
)
def read_figure(
    job_id: str,
    name: Annotated[Name, Path()],
    store: StoreDep,
    generations: GenerationsDep,
    theme: ThemeOf = "light",
    format: FormatOf = "json",
) -> dict[str, Any] | Response:
    """`loss`, `accuracy` and `internals` grow with the search; the others come with the report.

    Of a long search a thousand generations are drawn, evenly spread.
    """
    if name in REPORT_FIGURES:
        figure = REPORT_FIGURES[name](public_report(store, job_id), theme)
    else:
        job = public_job(store, job_id).model_dump(mode="json")
        figure = FIGURES[name](job, with_bands(figure_points(generations, job_id), job), theme)
    return shown(figure, format, f"{name} of {job_id}")


def shown(figure: Figure, format: str, label: str) -> dict[str, Any] | Response:
    """In the format asked for."""
    if format == "json":
        return figure
    return Response(as_file(figure, label), media_type="image/svg+xml")
