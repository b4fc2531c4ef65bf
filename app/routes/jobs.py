"""Submitting, reading and stopping jobs."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from app.deps import CatalogDep, Seen, StoreDep
from app.schemas import AllocationPublic, GenerationPublic, JobPublic, Listing, page
from jobs.admission import admit
from jobs.models import JobRow, Status
from jobs.readers import MAX_ROWS
from jobs.spec import JobSpec
from jobs.store import JobStore

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

JOB_ID = r"^job_[0-9a-f]{20}$"
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("", status_code=202, summary="Submit a tuning job")
def create_job(spec: JobSpec, store: StoreDep, catalog: CatalogDep) -> JobPublic:
    """Checks the whole spec, fills in its defaults and puts the job in the queue."""
    return JobPublic.of(store.enqueue(admit(spec, catalog)))


@router.get("", summary="List jobs, the newest first")
def list_jobs(
    store: StoreDep,
    after: Annotated[str | None, Query(pattern=JOB_ID, description="id of the last seen")] = None,
    status: Status | None = None,
    limit: Limit = 20,
) -> Listing[JobPublic]:
    rows = store.jobs(after=after, status=status, limit=limit + 1)
    return page(_public(store, rows), limit)


@router.get("/{job_id}", summary="One job")
def read_job(job_id: str, store: StoreDep) -> JobPublic:
    return public_job(store, job_id)


@router.post("/{job_id}/cancel", summary="Stop a job and keep its best prompt")
def cancel_job(job_id: str, store: StoreDep) -> JobPublic:
    return _public(store, [store.cancel(job_id)])[0]


@router.post("/{job_id}/resume", summary="Try a paused job again at once")
def resume_job(job_id: str, store: StoreDep) -> JobPublic:
    """A job whose endpoint did not answer goes on by itself after a while; this is sooner."""
    return _public(store, [store.resume(job_id)])[0]


@router.get("/{job_id}/generations", summary="What happened, the oldest first")
def list_generations(
    job_id: str,
    store: StoreDep,
    after: Seen = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Listing[GenerationPublic]:
    rows = store.generations(job_id, after=after, limit=limit + 1)
    return page([GenerationPublic.of(row, timing) for row, timing in rows], limit)


@router.get("/{job_id}/allocation", summary="Which train rows were asked most")
def read_allocation(job_id: str, store: StoreDep, catalog: CatalogDep) -> AllocationPublic:
    """Queries of each train row in the latest generation, the most first.

    Empty before the first generation, and of methods that do not share queries out.
    """
    job = store.job(job_id)
    for row, _ in store.generations(job_id, after=job.generation - 1, limit=1):
        if row.allocation:
            train = catalog.rows(job.spec["dataset"], "train", limit=MAX_ROWS)
            return AllocationPublic.of(row, train)
    return AllocationPublic(job=job_id, generation=job.generation, data=[])


def public_job(store: JobStore, job_id: str) -> JobPublic:
    return _public(store, [store.job(job_id)])[0]


def _public(store: JobStore, rows: Sequence[JobRow]) -> list[JobPublic]:
    ids = [row.id for row in rows]
    prompts, usage = store.incumbents(ids), store.usage(ids)
    return [JobPublic.of(row, prompts.get(row.id), usage.get(row.id)) for row in rows]
