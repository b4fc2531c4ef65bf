"""Ended jobs out of one database and into another: every SQL statement of the two."""

from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from jobs.bundles import Bundle
from jobs.catalog import IdTaken
from jobs.database import Database
from jobs.lookup import belongs, by_id
from jobs.models import (
    ENDED,
    DatasetRow,
    EndpointRow,
    EventRow,
    ExampleRow,
    GenerationRow,
    ImageRow,
    JobRow,
    PromptRow,
    ReportRow,
    TimingRow,
    UsageRow,
)
from jobs.readers import BadFile
from jobs.store import NotEnded, get_job, new_job_id


class RowsGone(Exception):
    """The dataset is not the one any more that the job was tuned on."""


class Transfers:
    """Exports and imports whole jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exported(self, job_id: str) -> bytes:
        """The zip of one job.

        Raises:
            NoSuchJob: no job has this id.
            NotEnded: it is not over.
            RowsGone: its dataset has been deleted.
        """
        with self._database.reading() as session:
            job = get_job(session, job_id)
            if job.status not in ENDED:
                raise NotEnded(f"job {job_id} is {job.status}; wait for its end, or cancel it")
            endpoint = by_id(session, EndpointRow, job.spec["endpoint"])
            bundle = _bundle(session, job)
        return bundle.dumps(f"{endpoint.kind}:{endpoint.model}" if endpoint else "")

    def add(self, bundle: Bundle) -> JobRow:
        """The job under its own id, with its dataset where that is not here yet.

        Ids of jobs are one list for all projects: where another project has this one, which is
        nobody else's business, the job gets a new id. Nothing hears of it: what its events tell
        happened elsewhere.

        Raises:
            IdTaken: the job is here, or another dataset has the name of its own.
            BadFile: two of its rows cannot stand side by side, or a number is too large.
        """
        try:
            with self._database.writing() as session:
                _add(session, bundle)
        except (IntegrityError, OverflowError) as error:
            reason = str(getattr(error, "orig", error))
            raise BadFile(f"the rows of the exported job cannot be stored: {reason}") from None
        return bundle.job


def _bundle(session: Session, job: JobRow) -> Bundle:
    dataset = by_id(session, DatasetRow, job.spec["dataset"])
    if dataset is None:
        raise RowsGone(f"the dataset {job.spec['dataset']!r} of job {job.id} has been deleted")

    def rows(table: Any, order: Any, condition: Any) -> list[Any]:
        return list(session.exec(select(table).where(condition).order_by(order)))

    return Bundle(
        job,
        rows(GenerationRow, col(GenerationRow.number), GenerationRow.job_id == job.id),
        rows(TimingRow, col(TimingRow.number), TimingRow.job_id == job.id),
        session.get(UsageRow, job.id),
        session.get(PromptRow, job.id),
        session.get(ReportRow, job.id),
        dataset,
        rows(ExampleRow, col(ExampleRow.number), belongs(ExampleRow, dataset)),
        rows(ImageRow, col(ImageRow.name), belongs(ImageRow, dataset)),
    )


def _add(session: Session, bundle: Bundle) -> None:
    if session.get(JobRow, bundle.job.id) is not None:
        raise IdTaken(f"job {bundle.job.id} is here already")
    if _is_another_s(session, bundle.job.id):
        bundle.rename(new_job_id())
    _add_dataset(session, bundle)
    session.add(bundle.job)
    session.flush()
    rows = (bundle.usage, bundle.prompt, bundle.report)
    session.add_all([*bundle.generations, *bundle.timings])
    session.add_all([row for row in rows if row is not None])
    session.add_all(_events(bundle))


def _is_another_s(session: Session, job_id: str) -> bool:
    """Asked below the session, which sees its own project alone."""
    known = select(col(JobRow.id)).where(JobRow.id == job_id)
    return session.connection().scalar(known) is not None


def _add_dataset(session: Session, bundle: Bundle) -> None:
    dataset = bundle.dataset
    known = by_id(session, DatasetRow, dataset.id)
    if known is not None and known.sha256 != dataset.sha256:
        raise IdTaken(
            f"there is already a dataset {dataset.id!r} with other rows; delete it, or import the "
            "job into another Gradless"
        )
    if known is not None:
        return
    dataset.built_in = False
    session.add(dataset)
    session.flush()
    session.add_all([*bundle.examples, *bundle.images])


def _events(bundle: Bundle) -> list[EventRow]:
    job = bundle.job
    told: list[tuple[str, dict[str, Any]]] = [
        ("generation", {"number": row.number}) for row in bundle.generations
    ]
    if bundle.report is not None:
        told.append(("result", {}))
    told += [("status", {"status": job.status}), ("done", {"status": job.status, "imported": True})]
    return [EventRow(job_id=job.id, type=type_, data=data) for type_, data in told]
