"""Prompts under names: promoted, versioned, rolled back, and found by a model's id.

A tuned prompt is the model `pt:<endpoint>:<job or name>`; `pt:<job or name>` is enough. A job's id
stands for its best prompt so far, a name for the version that is current.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import Session, col, select

from jobs.catalog import ID, BadId
from jobs.database import Database
from jobs.models import ENDED, JobRow, PromptRow, now
from jobs.name_rows import NameRow, VersionRow
from jobs.store import get_job
from jobs.strict import did_you_mean

PREFIX = "pt"
JOB_ID = re.compile(r"job_[0-9a-f]{20}")
MODEL_ID = re.compile(rf"{PREFIX}:(?:([^:]+):)?([^:]+)")
LISTED = 1000  # most models of jobs that are listed, the newest


class NoSuchModel(LookupError):
    """No tuned prompt has this id."""


class NoSuchName(LookupError):
    """No prompt has this name."""


class NoSuchVersion(LookupError):
    """The name has no such version."""


class NothingToPromote(Exception):
    """The job has no prompt yet."""


class NothingEarlier(Exception):
    """The current version is the first one."""


class Model(NamedTuple):
    """A tuned prompt that can be asked; of a name, the version that is current."""

    id: str
    created_at: float  # seconds since the epoch
    job_id: str
    version: VersionRow | None  # None: the job's best prompt so far


class Names:
    """Every SQL statement about names and versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def promote(self, name: str, job_id: str) -> VersionRow:
        """A copy of the job's best prompt so far becomes the name's next and current version.

        Raises:
            BadId: the name is none.
            NoSuchJob: no job has this id.
            NothingToPromote: the job has no prompt yet.
        """
        if not ID.fullmatch(name) or JOB_ID.fullmatch(name):
            raise BadId(
                f"{name!r} cannot be a name; wanted 1 to 64 small letters, digits, dots, dashes "
                "or underscores, beginning with a letter or digit, and not a job's id"
            )
        with self._database.writing() as session:
            job, prompt = get_job(session, job_id), session.get(PromptRow, job_id)
            if prompt is None:
                raise NothingToPromote(f"job {job_id} has no prompt yet, so there is none to name")
            newest = select(func.max(VersionRow.version)).where(VersionRow.name == name)
            version = _copy(name, (session.exec(newest).one() or 0) + 1, job, prompt)
            row = _by_name(session, name) or NameRow(name=name, version=0)
            row.version, row.updated_at = version.version, now()
            session.add(row)
            session.flush()
            session.add(version)
        return version

    def names(self) -> list[tuple[NameRow, VersionRow]]:
        """Each with its current version, in the order of the alphabet."""
        current = (
            (col(VersionRow.project) == NameRow.project)
            & (col(VersionRow.name) == NameRow.name)
            & (col(VersionRow.version) == NameRow.version)
        )
        query = select(NameRow, VersionRow).join(VersionRow, current).order_by(NameRow.name)
        with self._database.reading() as session:
            return list(session.exec(query))

    def current(self, name: str) -> VersionRow:
        """Raises NoSuchName."""
        with self._database.reading() as session:
            return _version(session, name, _name(session, name).version)

    def versions(
        self, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[VersionRow]:
        """The newest first; raises NoSuchName."""
        query = select(VersionRow).where(VersionRow.name == name)
        if before is not None:
            query = query.where(col(VersionRow.version) < before)
        with self._database.reading() as session:
            _name(session, name)
            return session.exec(query.order_by(col(VersionRow.version).desc()).limit(limit)).all()

    def version(self, name: str, version: int) -> VersionRow:
        """Raises NoSuchName, NoSuchVersion."""
        with self._database.reading() as session:
            _name(session, name)
            return _version(session, name, version)

    def roll_back(self, name: str, version: int | None = None) -> VersionRow:
        """This version is the current one again; None: the one before the current.

        Raises:
            NoSuchName, NoSuchVersion: there is none.
            NothingEarlier: the current one is the first.
        """
        with self._database.writing() as session:
            row = _name(session, name)
            if version is None and row.version == 1:
                raise NothingEarlier(f"version 1 of {name!r} is current; there is none before it")
            chosen = _version(session, name, row.version - 1 if version is None else version)
            row.version, row.updated_at = chosen.version, now()
            session.add(row)
            return chosen

    def find(self, model: str) -> Model:
        """The tuned prompt of a model's id; raises NoSuchModel."""
        match = MODEL_ID.fullmatch(model)
        if match is None:
            raise _no_model(model)
        base, last = match.groups()
        with self._database.reading() as session:
            found = _of_job(session, last) if JOB_ID.fullmatch(last) else _of_name(session, last)
        if found is None or base not in (None, found.id.split(":")[1]):
            raise _no_model(model)
        return found._replace(id=model)

    def models(self) -> list[Model]:
        """Every name, then the jobs that have ended with a prompt, the newest first."""
        named = [
            Model(_id(version.spec, row.name), row.updated_at.timestamp(), version.job_id, version)
            for row, version in self.names()
        ]
        query = (
            select(JobRow)
            .join(PromptRow, col(PromptRow.job_id) == JobRow.id)
            .where(col(JobRow.status).in_(ENDED))
            .order_by(col(JobRow.id).desc())
            .limit(LISTED)
        )
        with self._database.reading() as session:
            return named + [_model(job) for job in session.exec(query)]


def model_id(job: JobRow) -> str:
    """What a job's prompt is called as a model."""
    return _id(job.spec, job.id)


def _id(spec: dict[str, str], last: str) -> str:
    return f"{PREFIX}:{spec['endpoint']}:{last}"


def _model(job: JobRow) -> Model:
    made = job.finished_at or job.created_at
    return Model(model_id(job), made.timestamp(), job.id, None)


def _of_job(session: Session, job_id: str) -> Model | None:
    job = session.get(JobRow, job_id)
    has_prompt = select(PromptRow.job_id).where(PromptRow.job_id == job_id)
    return _model(job) if job is not None and session.exec(has_prompt).first() else None


def _of_name(session: Session, name: str) -> Model | None:
    row = _by_name(session, name)
    if row is None:
        return None
    version = _version(session, name, row.version)
    return Model(_id(version.spec, name), row.updated_at.timestamp(), version.job_id, version)


def _no_model(model: str) -> NoSuchModel:
    return NoSuchModel(
        f"the model {model[:200]!r} does not exist, or has no prompt yet; wanted "
        "'pt:<endpoint>:<job or name>', as GET /v1/models lists them"
    )


def _by_name(session: Session, name: str) -> NameRow | None:
    return session.exec(select(NameRow).where(NameRow.name == name)).first()


def _name(session: Session, name: str) -> NameRow:
    if row := _by_name(session, name):
        return row
    known = list(session.exec(select(NameRow.name)))
    raise NoSuchName(f"no prompt is called {name!r}; {did_you_mean(name, known)}")


def _version(session: Session, name: str, version: int) -> VersionRow:
    query = select(VersionRow).where(VersionRow.name == name, VersionRow.version == version)
    if row := session.exec(query).first():
        return row
    newest = session.exec(select(func.max(VersionRow.version)).where(VersionRow.name == name)).one()
    raise NoSuchVersion(f"{name!r} has no version {version}; it has 1 to {newest}")


def _copy(name: str, version: int, job: JobRow, prompt: PromptRow) -> VersionRow:
    fields = {"generation", "dev_loss", "dev_accuracy", "kind", "text", "content"}
    kept = {field: getattr(prompt, field) for field in fields}
    return VersionRow(name=name, version=version, job_id=job.id, spec=job.spec, **kept)
