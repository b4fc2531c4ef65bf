"""Who is told when jobs end, and what was sent: every SQL statement of the two. Sends nothing."""

import json
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import func
from sqlmodel import Session, col, select

from jobs.database import Database
from jobs.models import EventRow, JobRow
from jobs.posting import check_hook_url
from jobs.signing import new_secret
from jobs.webhook_rows import DeliveryRow, DeliveryStatus, WebhookRow

EventType = Literal[
    "job.succeeded",
    "job.failed",
    "job.cancelled",
    "fine_tuning.job.succeeded",  # the same three, as OpenAI's client knows them
    "fine_tuning.job.failed",
    "fine_tuning.job.cancelled",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
WAITS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)  # the scheme's
LEASE = 60.0  # seconds an attempt is in one sender's hands; one that died is repeated after as long
AT_ONCE = 32  # deliveries attempted at the same time
EVENTS = 500  # looked at in one transaction
GONE = 410  # the status by which a receiver asks for nothing more


class NoSuchWebhook(LookupError):
    """No webhook has this id."""


class Attempt(NamedTuple):
    """How one attempt to deliver ended: with a status, or with an error where none came."""

    at: float  # seconds since the epoch
    status: int | None = None
    error: str | None = None

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Webhooks:
    """Addresses, and an outbox of messages to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, url: str, events: Sequence[EventType]) -> WebhookRow:
        """An address that hears of what happens from now on, with its new secret.

        Raises:
            BadUrl: nothing may be sent there.
        """
        check_hook_url(url)
        hook = WebhookRow(id=_new_id("wh"), url=url, events=list(events), secret=new_secret())
        with self._database.writing() as session:
            hook.seen = _newest(session)
            session.add(hook)
        return hook

    def all(self) -> list[WebhookRow]:
        with self._database.reading() as session:
            return list(session.exec(select(WebhookRow).order_by(WebhookRow.id)))

    def one(self, id_: str) -> WebhookRow:
        with self._database.reading() as session:
            return _get(session, id_)

    def delete(self, id_: str) -> None:
        """Nothing more is sent there, also of what was waiting."""
        with self._database.writing() as session:
            session.delete(_get(session, id_))

    def deliveries(
        self, id_: str, *, after: str | None = None, limit: int = 20
    ) -> list[DeliveryRow]:
        """The newest first; `after` is the id of the last one already seen."""
        query = select(DeliveryRow).where(DeliveryRow.webhook_id == id_)
        if after is not None:
            query = query.where(col(DeliveryRow.id) < after)
        with self._database.reading() as session:
            _get(session, id_)
            return list(session.exec(query.order_by(col(DeliveryRow.id).desc()).limit(limit)))

    # the sender's side

    def collect(self) -> None:
        """Puts a message into the outbox for each new event that somebody wants to hear of."""
        with self._database.reading() as session:
            if not _behind(session):
                return  # most looks find nothing, and take no lock
        with self._database.writing() as session:
            for hook in _behind(session):
                _collect(session, hook)

    def claim(self, *, at: float | None = None) -> list[tuple[WebhookRow, DeliveryRow]]:
        """Messages that are due, the longest due first; for LEASE seconds nobody else has them."""
        at = time.time() if at is None else at
        query = (
            select(WebhookRow, DeliveryRow)
            .where(WebhookRow.id == DeliveryRow.webhook_id, col(DeliveryRow.due_at) <= at)
            .order_by(col(DeliveryRow.due_at), col(DeliveryRow.id))
            .limit(AT_ONCE)
        )
        with self._database.reading() as session:
            if session.exec(query).first() is None:
                return []
        with self._database.writing() as session:
            claimed = list(session.exec(query))
            for _, delivery in claimed:
                delivery.due_at = at + LEASE
                session.add(delivery)
        return [(hook, delivery) for hook, delivery in claimed]

    def settle(self, delivery_id: str, attempt: Attempt) -> None:
        """Records an attempt: delivered, to be tried again, given up, or the end of the webhook."""
        with self._database.writing() as session:
            delivery = session.get(DeliveryRow, delivery_id)
            if delivery is None:
                return  # its webhook was deleted meanwhile
            delivery.attempts = [*delivery.attempts, attempt._asdict()]
            delivery.due_at = None
            made = len(delivery.attempts)
            if attempt.is_good:
                delivery.status = DeliveryStatus.DELIVERED
            elif made > len(WAITS):
                delivery.status = DeliveryStatus.FAILED
            else:
                delivery.due_at = attempt.at + WAITS[made - 1]
            session.add(delivery)
            if attempt.status == GONE:
                _disable(session, delivery.webhook_id)


def _collect(session: Session, hook: WebhookRow) -> None:
    query = (
        select(EventRow, JobRow.project)
        .join(JobRow, col(JobRow.id) == EventRow.job_id)
        .where(col(EventRow.id) > hook.seen)
        .order_by(col(EventRow.id))
    )
    for event, project in session.exec(query.limit(EVENTS)).all():
        hook.seen = event.id or 0
        is_told = event.type == "done" and not event.data.get("imported")
        if not is_told or project != hook.project:
            continue
        for prefix in ("job", "fine_tuning.job"):
            if (type_ := f"{prefix}.{event.data['status']}") in hook.events:
                session.add(_message(session, hook, type_, event))
    session.add(hook)


def _message(session: Session, hook: WebhookRow, type_: str, event: EventRow) -> DeliveryRow:
    """A pointer, small enough for every receiver; what it points at is read over the API."""
    job = session.get(JobRow, event.job_id)
    id_ = _new_id("evt")
    body: dict[str, Any] = {
        "id": id_,
        "object": "event",
        "type": type_,
        "created_at": int(event.created_at.timestamp()),
        "timestamp": event.created_at.isoformat(),
        "data": {
            "id": event.job_id,
            "status": event.data["status"],
            "termination_reason": job and job.termination_reason,
        },
    }
    return DeliveryRow(
        id=id_,
        webhook_id=hook.id,
        type=type_,
        job_id=event.job_id,
        body=json.dumps(body, separators=(",", ":")),
        due_at=time.time(),
    )


def _disable(session: Session, hook_id: str) -> None:
    hook = _get(session, hook_id)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    hook.disabled = f"the receiver answered {GONE} at {at}: it wants nothing more"
    session.add(hook)
    waiting = select(DeliveryRow).where(
        DeliveryRow.webhook_id == hook_id, DeliveryRow.status == DeliveryStatus.PENDING
    )
    for delivery in session.exec(waiting).all():
        delivery.status, delivery.due_at = DeliveryStatus.FAILED, None
        session.add(delivery)


def _behind(session: Session) -> list[WebhookRow]:
    """Webhooks that have not looked at the newest event."""
    enabled = col(WebhookRow.disabled).is_(None)
    query = select(WebhookRow).where(enabled, col(WebhookRow.seen) < _newest(session))
    return list(session.exec(query))


def _newest(session: Session) -> int:
    """Number of the newest event; where all were deleted, numbers go on after the last."""
    return session.exec(select(func.max(EventRow.id))).one() or 0


def _get(session: Session, id_: str) -> WebhookRow:
    if hook := session.get(WebhookRow, id_):
        return hook
    raise NoSuchWebhook(f"no webhook {id_!r}")


def _new_id(prefix: str) -> str:
    """Grows with time, so that sorting by id is sorting by age."""
    return f"{prefix}_{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"
