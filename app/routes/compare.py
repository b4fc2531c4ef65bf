"""Jobs side by side: settings, tests of their prompts against each other, curves."""

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from app.deps import StoreDep
from app.errors import BadField
from app.overviews import ComparisonPublic
from app.routes.figures import SVG, FormatOf, ThemeOf, shown
from app.routes.generations import GenerationsDep, as_told
from app.routes.jobs import JOB_ID, public_jobs
from jobs.comparison import Contestant, settings, verdicts
from jobs.generations import Generations
from jobs.report import Scores
from web.compared import AXES, compared_figure

router = APIRouter(prefix="/api/compare", tags=["compare"])

FEWEST, MOST = 2, 8  # jobs
JOB = JOB_ID.strip("^$")
MOST_STEPS = 250  # of one curve
TOLD = rf"^{JOB}(,{JOB}){{{FEWEST - 1},{MOST - 1}}}$"  # only told: what is refused has words
EXAMPLE = "job_0006417c5f3b1d2a4c6e,job_0006417c5f3b2e9f8a01"
Axis: TypeAlias = Literal["queries", "tokens", "cost", "seconds"]


def _picked(
    jobs: Annotated[
        str,
        Query(
            description=f"ids of {FEWEST} to {MOST} jobs, with commas between them",
            examples=[EXAMPLE],
            max_length=1000,
            json_schema_extra={"pattern": TOLD},
        ),
    ],
) -> list[str]:
    """Ids as they are named, none of them twice."""
    ids = [id_ for each in jobs.split(",") if (id_ := each.strip())]
    if not FEWEST <= len(ids) <= MOST:
        message = f"got {len(ids)} jobs; wanted {FEWEST} to {MOST}, as {EXAMPLE}"
        raise BadField("jobs", message, "wrong_number")
    if repeated := next((id_ for id_ in ids if ids.count(id_) > 1), None):
        raise BadField("jobs", f"{repeated!r} is named twice; wanted each job once", "repeated")
    return ids


Picked = Annotated[list[str], Depends(_picked)]


@router.get("", summary="Compare jobs")
def compare_jobs(ids: Picked, store: StoreDep) -> ComparisonPublic:
    """Every setting of their specs, and each pair of tuned prompts on their test rows.

    Pairs are tested as a report tests a prompt against its baseline, row by row, if both have
    answered the same rows and are measured alike; else `reason` says why not. `difference` is the
    second's accuracy minus the first's. No p-value is corrected for the number of pairs.
    """
    rows = [store.job(id_) for id_ in ids]
    kept = store.scores(ids)
    scores = {id_: Scores.model_validate(each) for id_, each in kept.items() if each is not None}
    contestants = [Contestant(row, scores.get(row.id)) for row in rows]
    return ComparisonPublic.of(
        public_jobs(store, rows), settings([row.spec for row in rows]), verdicts(contestants)
    )


@router.get(
    "/figures/{name}",
    summary="The curves of several jobs in one figure",
    response_model=dict[str, Any],
    responses=SVG,
)
def read_compared_figure(
    name: Annotated[Literal["accuracy", "loss"], Path()],
    ids: Picked,
    store: StoreDep,
    generations: GenerationsDep,
    axis: Annotated[
        Axis, Query(description="what the curves are drawn against: what was spent until then")
    ] = "queries",
    theme: ThemeOf = "light",
    format: FormatOf = "json",
) -> dict[str, Any] | Response:
    """Each job's incumbent on dev, and with the accuracy its result on test with the interval."""
    jobs = public_jobs(store, [store.job(id_) for id_ in ids])
    courses = [_course(generations, id_, axis) for id_ in ids]
    figure = compared_figure(
        name, [job.model_dump(mode="json") for job in jobs], courses, axis, theme
    )
    return shown(figure, format, f"{name} of {len(ids)} jobs against {AXES[axis].title}")


def _course(generations: Generations, job_id: str, axis: Axis) -> list[dict[str, Any]]:
    """The steps of a job's curve, with the time until then where this is asked for."""
    course = as_told(generations.steps(job_id, MOST_STEPS))
    if axis == "seconds":
        elapsed = generations.elapsed(job_id, [each["number"] for each in course])
        for each in course:
            each["elapsed"] = elapsed[each["number"]]
    return course
