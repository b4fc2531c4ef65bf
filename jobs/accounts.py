"""What jobs have spent on APIs and the answers they got: every SQL statement of the two."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from backends.base import Usage
from jobs.database import Database
from jobs.models import DEFAULT, AnswerRow, UsageRow, now
from jobs.queue import LostJob

MOST = 500  # values in one statement: databases have a limit


class Accounts:
    """One row of spending a job, and the answers of all jobs of a project together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        project = database.project or DEFAULT
        self._prefix = "" if project == DEFAULT else f"{project}/"  # of the keys of answers

    def open(self, job_id: str, attempt: int) -> UsageRow:
        """The account of a job, from now on in the hands of this attempt alone.

        What an earlier attempt had set aside when it died is counted as spent: nobody knows
        which of those requests were billed.
        """
        with self._database.writing() as session:
            row = session.get(UsageRow, job_id) or UsageRow(job_id=job_id)
            row.attempt = attempt
            row.tokens_in += row.aside_tokens_in
            row.tokens_out += row.aside_tokens_out
            row.cost += row.aside_cost
            row.aside_tokens_in = row.aside_tokens_out = row.aside_cost = 0
            session.add(row)
            return row

    def save(
        self, job_id: str, attempt: int, values: Mapping[str, int], answers: Mapping[str, str]
    ) -> None:
        """The job's spending as it stands, and new answers, in one transaction.

        Raises:
            LostJob: another attempt has opened the account since.
        """
        statement = (
            update(UsageRow)
            .where(col(UsageRow.job_id) == job_id, col(UsageRow.attempt) == attempt)
            .values(**values)
            .returning(col(UsageRow.job_id))
        )
        with self._database.writing() as session:
            _keep(session, {self._prefix + key: body for key, body in answers.items()})
            if session.scalars(statement).one_or_none() is None:
                raise LostJob(f"the account of job {job_id} is no longer attempt {attempt}'s")

    def recall(self, keys: Sequence[str]) -> dict[str, str]:
        """The kept answers to these requests, by key."""
        found: dict[str, str] = {}
        with self._database.reading() as session:
            for start in range(0, len(keys), MOST):
                some = [self._prefix + key for key in keys[start : start + MOST]]
                query = select(AnswerRow.key, AnswerRow.body).where(col(AnswerRow.key).in_(some))
                found |= dict(session.exec(query).all())
        return {key.removeprefix(self._prefix): body for key, body in found.items()}


def usage_of(row: UsageRow) -> Usage:
    return Usage(row.requests, row.tokens_in, row.tokens_out, row.cost)


def _keep(session: Session, answers: Mapping[str, str]) -> None:
    """Stores answers; one that is there already is replaced, since `refresh` asked anew."""
    postgres = session.get_bind().dialect.name == "postgresql"
    insert: Any = postgresql.insert if postgres else sqlite.insert
    rows = [{"key": key, "body": body, "created_at": now()} for key, body in answers.items()]
    for start in range(0, len(rows), MOST):
        statement = insert(AnswerRow).values(rows[start : start + MOST])
        changes = {"body": statement.excluded.body, "created_at": statement.excluded.created_at}
        session.exec(statement.on_conflict_do_update(index_elements=["key"], set_=changes))
