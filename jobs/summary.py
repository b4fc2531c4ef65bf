"""What a project's jobs have spent since midnight (UTC), counted in the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from jobs.census import OTHER, currencies
from jobs.database import Database
from jobs.ledger import PICO
from jobs.models import GenerationRow, JobRow, TimingRow, UsageRow, now


@dataclass(frozen=True)
class Today:
    """Of jobs that are kept: what was deleted is not counted."""

    queries: int  # on train and dev, of generations that have ended
    tokens: int  # read and written by APIs, the reports' too
    cost: Mapping[str, float]  # by currency; of endpoints that are gone: other


class _Spent(NamedTuple):
    """Since a job was started."""

    queries: int = 0
    tokens: int = 0
    cost: int = 0  # 1 / PICO of the currency

    def since(self, before: "_Spent") -> "_Spent":
        pairs = zip(self, before, strict=True)
        return _Spent(*(max(0, now_ - then) for now_, then in pairs))


def today(database: Database, *, at: datetime | None = None) -> Today:
    """What every job has spent now, less what it had when the day's first generation began.

    Only jobs that a runner has held today count: of any other nothing can have been spent.
    """
    midnight = (at or now()).replace(hour=0, minute=0, second=0, microsecond=0)
    with database.reading() as session:
        jobs = _held_since(session, midnight)
        older = [id_ for id_, started, *_ in jobs if started is None or started < midnight]
        before = _before(session, older, midnight)
        spent = [
            (endpoint, total.since(before.get(id_, _Spent()))) for id_, _, endpoint, total in jobs
        ]
        return Today(
            sum(each.queries for _, each in spent),
            sum(each.tokens for _, each in spent),
            _by_currency(session, spent),
        )


def _held_since(session: Session, midnight: datetime) -> list[tuple[str, Any, str, _Spent]]:
    """Id, start, endpoint and spending of each job."""
    endpoint: Any = col(JobRow.spec)["endpoint"].as_string()
    tokens = col(UsageRow.tokens_in) + col(UsageRow.tokens_out)
    spent = (func.coalesce(each, 0) for each in (tokens, UsageRow.cost))
    held = (
        select(JobRow.id, JobRow.started_at, endpoint, JobRow.queries, *spent)
        .join(UsageRow, col(UsageRow.job_id) == JobRow.id, isouter=True)
        .where(col(JobRow.heartbeat) >= midnight.timestamp())
    )
    rows = session.execute(held)
    return [(id_, started, name, _Spent(*totals)) for id_, started, name, *totals in rows]


def _before(session: Session, ids: Sequence[str], midnight: datetime) -> dict[str, _Spent]:
    """What these jobs had spent when their last generation before that instant was recorded."""
    early = or_(col(TimingRow.at).is_(None), col(TimingRow.at) < midnight)
    last = (
        select(TimingRow.job_id, func.max(TimingRow.number).label("number"))
        .where(col(TimingRow.job_id).in_(ids), early)
        .group_by(col(TimingRow.job_id))
        .subquery()
    )
    there = (last.c.job_id == TimingRow.job_id) & (last.c.number == TimingRow.number)
    same = (col(GenerationRow.job_id) == TimingRow.job_id) & (
        col(GenerationRow.number) == TimingRow.number
    )
    found = select(TimingRow.job_id, GenerationRow.queries, TimingRow.tokens, TimingRow.cost)
    rows = session.execute(found.join(last, there).join(GenerationRow, same))
    return {id_: _Spent(queries, tokens or 0, cost or 0) for id_, queries, tokens, cost in rows}


def _by_currency(session: Session, spent: Iterable[tuple[str, _Spent]]) -> dict[str, float]:
    known, sums = currencies(session), dict[str, int]()
    for endpoint, each in spent:
        currency = known.get(endpoint, OTHER)
        sums[currency] = sums.get(currency, 0) + each.cost
    return {currency: cost / PICO for currency, cost in sums.items() if cost}
