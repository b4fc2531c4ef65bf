"""Deletes what is older than the operator wants it kept. Off unless a number of days is set."""

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete
from sqlmodel import SQLModel, col, select

from jobs.access_rows import AuditRow
from jobs.database import Database
from jobs.models import ENDED, AnswerRow, EventRow, JobRow, now
from jobs.webhook_rows import DeliveryRow, DeliveryStatus

logger = logging.getLogger(__name__)

BATCH = 500  # rows of one transaction, so that nobody waits long for the write lock


class Retention(NamedTuple):
    """Days after which each is deleted; 0: never."""

    events: int = 0  # of ended jobs; and what webhooks were sent
    answers: int = 0  # of APIs
    jobs: int = 0  # that have ended, with all they hold; prompts under a name stay
    audit: int = 0  # who has changed what


def let_go(
    database: Database, retention: Retention, *, at: datetime | None = None
) -> dict[str, int]:
    """Deletes what is over its time; table -> rows of it, without those that went with them."""
    at = at or now()
    deleted = {}
    if retention.jobs:
        over = col(JobRow.status).in_(ENDED)
        old = col(JobRow.finished_at) < at - timedelta(days=retention.jobs)
        deleted["jobs"] = _delete(database, JobRow, JobRow.id, over & old)
    if retention.events:
        since = at - timedelta(days=retention.events)
        ended = select(JobRow.id).where(col(JobRow.status).in_(ENDED))
        old = (col(EventRow.created_at) < since) & col(EventRow.job_id).in_(ended)
        deleted["events"] = _delete(database, EventRow, EventRow.id, old)
        settled = col(DeliveryRow.status) != DeliveryStatus.PENDING
        old = (col(DeliveryRow.created_at) < since) & settled
        deleted["deliveries"] = _delete(database, DeliveryRow, DeliveryRow.id, old)
    if retention.answers:
        old = col(AnswerRow.created_at) < at - timedelta(days=retention.answers)
        deleted["answers"] = _delete(database, AnswerRow, AnswerRow.key, old)
    if retention.audit:
        old = col(AuditRow.at) < at - timedelta(days=retention.audit)
        deleted["audit"] = _delete(database, AuditRow, AuditRow.id, old)
    if any(deleted.values()):
        logger.info("retention: deleted %s", deleted)
    return deleted


def _delete(database: Database, table: type[SQLModel], key: Any, condition: Any) -> int:
    n = 0
    while True:
        with database.writing() as session:
            some = list(session.exec(select(key).where(condition).limit(BATCH)))
            session.exec(delete(table).where(col(key).in_(some)))
        n += len(some)
        if len(some) < BATCH:
            return n
