"""How much there is of everything, counted in the database: for metrics. No names, no texts."""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from jobs.database import Database
from jobs.ledger import PICO
from jobs.models import EndpointRow, JobRow, Status, UsageRow
from jobs.webhook_rows import DeliveryRow, DeliveryStatus

CURRENCIES = 20  # told apart at most: people write them into endpoints by hand
OTHER = "other"  # in place of a currency that is not known


@dataclass(frozen=True)
class Census:
    """The present, and sums over all jobs that are kept."""

    jobs: dict[str, int]  # by status, each of them
    deliveries: dict[str, int]  # by status, each of them
    heartbeat_age: float  # seconds, of the running job that was silent longest; 0: none runs
    sums: dict[str, float]  # generations, queries, seconds, model_seconds, requests, recalled, …
    cost: dict[str, float]  # by currency


def census(database: Database, *, at: float | None = None) -> Census:
    at = time.time() if at is None else at
    with database.reading() as session:
        return Census(
            jobs=_counted(session, JobRow.status, Status),
            deliveries=_counted(session, DeliveryRow.status, DeliveryStatus),
            heartbeat_age=_heartbeat_age(session, at),
            sums=_sums(session),
            cost=_cost(session),
        )


def _counted(session: Session, column: Any, kinds: Any) -> dict[str, int]:
    found = dict(session.exec(select(column, func.count()).group_by(column)).all())
    return {str(kind): found.get(kind, 0) for kind in kinds}


def _heartbeat_age(session: Session, at: float) -> float:
    oldest = select(func.min(JobRow.heartbeat)).where(JobRow.status == Status.RUNNING)
    beat = session.exec(oldest).one()
    return 0.0 if beat is None else max(0.0, at - beat)


def _sums(session: Session) -> dict[str, float]:
    """One look at each table: a scrape must stay cheap with thousands of jobs."""
    found: dict[str, float] = {}
    for table, columns in (
        (JobRow, ("generation", "queries", "seconds", "model_seconds")),
        (UsageRow, ("requests", "recalled", "tokens_in", "tokens_out")),
    ):
        sums = (func.coalesce(func.sum(getattr(table, name)), 0) for name in columns)
        found |= dict(zip(columns, session.execute(select(*sums)).one(), strict=True))
    return found


def currencies(session: Session) -> dict[str, str]:
    """In which each endpoint's prices are."""
    rows = session.exec(select(EndpointRow))
    return {row.id: str(row.options.get("currency", "USD")) for row in rows}


def _cost(session: Session) -> dict[str, float]:
    """What was spent by the currency of the job's endpoint; of endpoints that are gone: other."""
    endpoint: Any = col(JobRow.spec)["endpoint"].as_string()
    spent = (
        select(endpoint, func.sum(UsageRow.cost))
        .where(JobRow.id == UsageRow.job_id, UsageRow.cost > 0)
        .group_by(endpoint)
    )
    of_endpoint = currencies(session)
    known = sorted(set(of_endpoint.values()))[:CURRENCIES]
    costs: dict[str, float] = {}
    for id_, cost in session.execute(spent):
        currency = of_endpoint.get(id_, OTHER)
        name = currency if currency in known else OTHER
        costs[name] = costs.get(name, 0.0) + cost / PICO
    return costs
