"""How a search has gone: its generations, the best of them, and its log."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from app.deps import CatalogDep, Seen, ServiceDep, StoreDep
from app.log_entries import LogEntryPublic, entries
from app.schemas import AllocationPublic, GenerationPublic, Listing, page
from jobs.generations import Generations, Timed
from jobs.history import History
from jobs.readers import MAX_ROWS

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

MOST_POINTS = 1000  # of a search in a figure: more cannot be seen


def _generations(service: ServiceDep) -> Generations:
    return Generations(service.database)


GenerationsDep = Annotated[Generations, Depends(_generations)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/{job_id}/generations", summary="What happened, the oldest first")
def list_generations(
    job_id: str,
    store: StoreDep,
    generations: GenerationsDep,
    after: Seen = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    points: Annotated[
        int | None,
        Query(
            ge=2,
            le=MOST_POINTS,
            description="at most so many of all that are later than `after`, evenly spread, the "
            "first and the last among them, in one page; `limit` does not count then",
            examples=[60],
        ),
    ] = None,
) -> Listing[GenerationPublic]:
    """`tokens` and `cost` are all that the job had spent on APIs by then.

    They are null of generations that an earlier version of Gradless has recorded.
    """
    if points is not None:
        return Listing(data=_public(generations.picked(job_id, points, after=after)))
    return page(_public(store.generations(job_id, after=after, limit=limit + 1)), limit)


@router.get("/{job_id}/incumbents", summary="The generations that found a better prompt")
def list_incumbents(
    job_id: str, generations: GenerationsDep, after: Seen = 0, limit: Limit = 100
) -> Listing[GenerationPublic]:
    """Those whose champion became the incumbent, the oldest first; `after` is a `number`."""
    rows = generations.incumbents(job_id, after=after, limit=limit + 1)
    return page(_public(rows), limit)


@router.get("/{job_id}/candidates", summary="The best champions")
def list_candidates(
    job_id: str, generations: GenerationsDep, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Listing[GenerationPublic]:
    """Different champions, the best by dev loss first; of the same text the first one.

    Only a few: there is no page after the first.
    """
    return page(_public(generations.candidates(job_id, limit=limit + 1)), limit)


@router.get("/{job_id}/log", summary="What happened to a job, in words, the oldest first")
def read_log(
    job_id: str,
    service: ServiceDep,
    after: Seen = 0,
    limit: Limit = 100,
    last: Annotated[
        int | None,
        Query(
            ge=1,
            le=1000,
            description="only the latest so many, still the oldest of them first, in one page; "
            "`after` and `limit` do not count then",
            examples=[50],
        ),
    ] = None,
) -> Listing[LogEntryPublic]:
    """The events that GET /api/jobs/{job_id}/events streams, with the same numbers."""
    job, history = service.store.job(job_id), History(service.database)
    if last is not None:
        return Listing(data=entries(job, history.events(job_id, limit=last)[::-1]))
    return page(entries(job, history.log(job_id, after=after, limit=limit + 1)), limit)


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


def figure_points(generations: Generations, job_id: str) -> list[dict[str, Any]]:
    """As many of a job's generations as a figure shows, as they leave the service."""
    return as_told(generations.picked(job_id, MOST_POINTS))


def as_told(rows: list[Timed]) -> list[dict[str, Any]]:
    """As a body of JSON has them."""
    return [each.model_dump(mode="json") for each in _public(rows)]


def _public(rows: list[Timed]) -> list[GenerationPublic]:
    return [GenerationPublic.of(*row) for row in rows]
