"""Submitting, reading and stopping jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.deps import CatalogDep, StoreDep
from app.idempotency import Once, OnceDep, kept
from app.schemas import (
    EstimatePublic,
    JobPublic,
    Listing,
    page,
)
from jobs.admission import admit, complete
from jobs.catalog import Catalog
from jobs.cloning import changed
from jobs.estimates import POINTS, estimate
from jobs.models import JobRow, Status
from jobs.spec import JobSpec
from jobs.store import JobStore

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

JOB_ID = r"^job_[0-9a-f]{20}$"
Limit = Annotated[int, Query(ge=1, le=100)]
Priority = Annotated[
    int, Query(ge=-100, le=100, description="the highest waits least; among equals the oldest")
]
ACCEPTED = 202


@router.post("", status_code=ACCEPTED, summary="Submit a tuning job")
def create_job(
    spec: JobSpec, store: StoreDep, catalog: CatalogDep, once: OnceDep, priority: Priority = 0
) -> JobPublic:
    """Checks the whole spec, fills in its defaults and puts the job in the queue."""
    return _enqueued(spec, store, catalog, once, priority)


@router.post("/estimate", summary="What a job would take, without starting it")
def estimate_job(
    spec: JobSpec,
    store: StoreDep,
    catalog: CatalogDep,
    points: Annotated[
        float,
        Query(gt=0, le=100, description="of accuracy, in hundredths: the effect you want to see"),
    ] = POINTS,
) -> EstimatePublic:
    """Queries, and by earlier jobs on the endpoint seconds, tokens and money, with warnings.

    A budget that is too small is a warning here, and a refusal when the job is submitted. An
    estimate that is stored with a job stands in its report, beside what was spent.
    """
    return EstimatePublic.of(estimate(complete(spec, catalog), catalog, store, points=points))


@router.get("", summary="List jobs, the newest first")
def list_jobs(
    store: StoreDep,
    after: Annotated[str | None, Query(pattern=JOB_ID, description="id of the last seen")] = None,
    status: Status | None = None,
    limit: Limit = 20,
) -> Listing[JobPublic]:
    rows = store.jobs(after=after, status=status, limit=limit + 1)
    return page(public_jobs(store, rows), limit)


@router.get("/{job_id}", summary="One job")
def read_job(job_id: str, store: StoreDep) -> JobPublic:
    return public_job(store, job_id)


@router.post("/{job_id}/cancel", summary="Stop a job and keep its best prompt")
def cancel_job(job_id: str, store: StoreDep) -> JobPublic:
    return public_jobs(store, [store.cancel(job_id)])[0]


@router.post("/{job_id}/pause", summary="Pause a job until it is resumed")
def pause_job(job_id: str, store: StoreDep) -> JobPublic:
    """At once if it waits, within seconds if it runs: it goes on after its last generation."""
    return public_jobs(store, [store.pause(job_id)])[0]


@router.post("/{job_id}/resume", summary="Let a paused job go on")
def resume_job(job_id: str, store: StoreDep) -> JobPublic:
    """A job whose endpoint did not answer goes on by itself after a while; this is sooner."""
    return public_jobs(store, [store.resume(job_id)])[0]


@router.post("/{job_id}/clone", status_code=ACCEPTED, summary="Submit a job's spec again")
def clone_job(
    job_id: str,
    store: StoreDep,
    catalog: CatalogDep,
    once: OnceDep,
    changes: Annotated[
        dict[str, Any],
        Body(
            description="merged into the spec; null takes a field back to its default, and another "
            "method or preset brings its own settings",
            examples=[{"seed": 1, "budget": {"queries": 60_000}}],
        ),
    ] = {},  # noqa: B006 - FastAPI copies it
    priority: Priority = 0,
) -> JobPublic:
    """Another job with the same spec, or with some fields changed: it starts from nothing."""
    body = changed(store.job(job_id).spec, changes)
    try:
        spec = JobSpec.model_validate(body)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None
    return _enqueued(spec, store, catalog, once, priority)


@router.delete("/{job_id}", status_code=204, summary="Delete a job with all it has found")
def delete_job(
    job_id: str,
    store: StoreDep,
    force: Annotated[bool, Query(description="also one that waits or runs")] = False,
) -> None:
    """Its generations, prompt, report and events go with it; its dataset stays."""
    store.delete(job_id, force=force)


def _enqueued(
    spec: JobSpec, store: JobStore, catalog: Catalog, once: Once | None, priority: int
) -> JobPublic:
    admitted = admit(spec, catalog)
    expected = asdict(estimate(admitted, catalog, store))
    also = kept(once, ACCEPTED, JobPublic.of)
    return JobPublic.of(store.enqueue(admitted, priority=priority, estimate=expected, also=also))


def public_job(store: JobStore, job_id: str) -> JobPublic:
    return public_jobs(store, [store.job(job_id)])[0]


def public_jobs(store: JobStore, rows: Sequence[JobRow]) -> list[JobPublic]:
    ids = [row.id for row in rows]
    prompts, usage = store.incumbents(ids), store.usage(ids)
    return [JobPublic.of(row, prompts.get(row.id), usage.get(row.id)) for row in rows]
