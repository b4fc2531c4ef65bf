"""Requests that must not be done twice: every SQL statement of their keys and answers."""

import secrets
import time
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlmodel import Session, col

from jobs.access_rows import RepeatRow
from jobs.database import Database

KEPT = 24 * 3600.0  # seconds that an answer is remembered
LEASE = 300.0  # seconds after which a request without an answer is taken for dead


class InFlight(Exception):
    """The first request with this key is still at work."""

    def __init__(self) -> None:
        super().__init__(
            "the first request with this Idempotency-Key is still at work; look whether it has "
            "made what you want before you send another key"
        )


class OtherRequest(ValueError):
    """The key came before, with another request."""

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key came with another request in the last 24 hours; a key is for one "
            "request and its repetitions, so send a new one"
        )


class Told(NamedTuple):
    """An answer as it was sent."""

    status: int
    body: str  # JSON


class Begun(NamedTuple):
    """A request that is the first with its key."""

    key: str
    holder: str


class Repeats:
    """One row a key, for as long as its answer is remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key: str, digest: str, *, at: float | None = None) -> Begun | Told:
        """Takes the key, or tells what the first request with it was answered.

        Raises:
            InFlight: it has not been answered yet.
            OtherRequest: it was not the same request.
        """
        at = time.time() if at is None else at
        forgotten, dead = col(RepeatRow.at) < at - KEPT, col(RepeatRow.at) < at - LEASE
        unanswered = col(RepeatRow.status).is_(None)
        with self._database.writing() as session:
            session.execute(delete(RepeatRow).where(or_(forgotten, and_(unanswered, dead))))
            row = session.get(RepeatRow, key)
            if row is None:
                begun = Begun(key, secrets.token_hex(8))
                session.add(RepeatRow(key=key, digest=digest, holder=begun.holder, at=at))
                return begun
            if row.digest != digest:
                raise OtherRequest
            if row.status is None or row.body is None:
                raise InFlight
            return Told(row.status, row.body)

    def settle(self, begun: Begun, told: Told) -> None:
        with self._database.writing() as session:
            settle(session, begun, told)

    def forget(self, begun: Begun) -> None:
        """Nothing was made: the key is free again."""
        with self._database.writing() as session:
            session.execute(delete(RepeatRow).where(_held(begun)))


def settle(session: Session, begun: Begun, told: Told) -> None:
    """Remembers the answer in the transaction that makes what it tells of.

    Raises:
        InFlight: this request was taken for dead, and another does its work.
    """
    statement = update(RepeatRow).where(_held(begun)).values(status=told.status, body=told.body)
    if session.scalars(statement.returning(col(RepeatRow.key))).one_or_none() is None:
        raise InFlight


def _held(begun: Begun) -> ColumnElement[bool]:
    return (
        (col(RepeatRow.key) == begun.key)
        & (col(RepeatRow.holder) == begun.holder)
        & col(RepeatRow.status).is_(None)
    )
