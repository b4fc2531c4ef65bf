"""Tuning jobs as OpenAI's clients submit, follow and stop them."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.deps import CatalogDep, StoreDep
from app.idempotency import OnceDep, kept
from app.openai.parts import HistoryDep
from app.openai.tuning import (
    EVENT,
    Checkpoint,
    Checkpoints,
    TuningBody,
    TuningEvent,
    TuningJob,
    asked_as,
)
from app.routes.jobs import JOB_ID
from app.schemas import Listing, page
from jobs.admission import Refused, admit
from jobs.catalog import NoSuchDataset, NoSuchEndpoint
from jobs.estimates import estimate
from jobs.models import JobRow
from jobs.names import NoSuchModel
from jobs.store import JobStore
from jobs.uploads import NoSuchFile

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["openai"])

METADATA = re.compile(r"metadata\[(.{1,64})\]")
JobId = Annotated[str | None, Query(pattern=JOB_ID, description="id of the last seen")]
EventId = Annotated[
    str | None, Query(pattern=rf"^{EVENT}[0-9]{{1,18}}$", description="id of the last seen")
]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("", summary="Create a tuning job")
def create_tuning_job(
    body: TuningBody, store: StoreDep, catalog: CatalogDep, once: OnceDep
) -> TuningJob:
    """The weights of `model` stay as they are: what is tuned is a prompt for it.

    How is said by `method`, which OpenAI's clients pass on as it is: `{"type": "prompt", "prompt":
    {"method": …, "budget": …, "task": …}}`, the fields of POST /api/jobs.
    """
    try:
        spec = admit(body.spec(), catalog)
    except NoSuchEndpoint as error:
        raise NoSuchModel(f"the model {body.model!r} does not exist: {error}") from None
    except NoSuchDataset as error:
        raise NoSuchFile(f"{error}, and no file of that id") from None
    except Refused as error:
        raise Refused(asked_as(error.param), str(error), error.code) from None
    expected = asdict(estimate(spec, catalog, store))
    job = store.enqueue(spec, estimate=expected, also=kept(once, 200, TuningJob.of))
    return TuningJob.of(job)


@router.get("", summary="List tuning jobs, the newest first")
def list_tuning_jobs(
    request: Request, store: StoreDep, history: HistoryDep, after: JobId = None, limit: Limit = 20
) -> Listing[TuningJob]:
    """Those with all the metadata that is asked for, as `metadata[key]=value`."""
    asked = {
        match[1]: value
        for name, value in request.query_params.items()
        if (match := METADATA.fullmatch(name))
    }
    return page(_public(store, history.jobs(asked, after=after, limit=limit + 1)), limit)


@router.get("/{job_id}", summary="One tuning job")
def read_tuning_job(job_id: str, store: StoreDep) -> TuningJob:
    return _public(store, [store.job(job_id)])[0]


@router.post("/{job_id}/cancel", summary="Stop a tuning job and keep its best prompt")
def cancel_tuning_job(job_id: str, store: StoreDep) -> TuningJob:
    """A job that runs still says so for a second or two."""
    return _public(store, [store.cancel(job_id)])[0]


@router.post("/{job_id}/pause", summary="Let a tuning job wait")
def pause_tuning_job(job_id: str, store: StoreDep) -> TuningJob:
    """A job that runs still says so until its generation has ended."""
    return _public(store, [store.pause(job_id)])[0]


@router.post("/{job_id}/resume", summary="Let a paused tuning job go on")
def resume_tuning_job(job_id: str, store: StoreDep) -> TuningJob:
    return _public(store, [store.resume(job_id)])[0]


@router.get("/{job_id}/events", summary="What has happened, the newest first")
def list_tuning_events(
    job_id: str, history: HistoryDep, after: EventId = None, limit: Limit = 20
) -> Listing[TuningEvent]:
    seen = int(after.removeprefix(EVENT)) if after is not None else None
    rows = history.events(job_id, before=seen, limit=limit + 1)
    return page([TuningEvent.of(row) for row in rows], limit)


@router.get("/{job_id}/checkpoints", summary="Its best prompt so far, as a model")
def list_checkpoints(
    job_id: str,
    store: StoreDep,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 10,
) -> Checkpoints:
    """One at most, since a job keeps one prompt; it can be asked while the job still runs."""
    job, row = store.job(job_id), store.prompt(job_id)
    found = [Checkpoint.of(job, row)] if row is not None else []
    data = [each for each in found if each.id != after][:limit]
    only = data[0].id if data else None
    return Checkpoints(data=data, first_id=only, last_id=only)


def _public(store: JobStore, rows: Sequence[JobRow]) -> list[TuningJob]:
    ids = [row.id for row in rows]
    prompts, usage = store.incumbents(ids), store.usage(ids)
    return [TuningJob.of(row, prompts.get(row.id), usage.get(row.id)) for row in rows]
