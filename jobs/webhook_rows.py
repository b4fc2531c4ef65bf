"""The tables of webhooks: who is told of which events, and what was sent. They decide nothing."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, String
from sqlmodel import Field, SQLModel

from jobs.models import DEFAULT, UTCDateTime, now


class DeliveryStatus(StrEnum):
    """pending -> delivered | failed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookRow(SQLModel, table=True):
    """An address that is told when jobs end."""

    __tablename__ = "webhooks"

    id: str = Field(primary_key=True)  # grows with time
    project: str = Field(default=DEFAULT, index=True)
    url: str
    events: list[str] = Field(sa_type=JSON)
    secret: str = Field(repr=False)  # ours, not a user's key: it must be known to sign with it
    seen: int = 0  # number of the last event that was looked at
    disabled: str | None = None  # why nothing is sent any more
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class DeliveryRow(SQLModel, table=True):
    """One event for one address; its id is the message's, the same at every attempt."""

    __tablename__ = "deliveries"

    id: str = Field(primary_key=True)  # grows with time
    webhook_id: str = Field(foreign_key="webhooks.id", index=True, ondelete="CASCADE")
    type: str
    job_id: str  # no reference: the job may be deleted before it is told
    body: str  # JSON as it is sent
    status: DeliveryStatus = Field(default=DeliveryStatus.PENDING, sa_type=String)
    attempts: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    due_at: float | None = Field(default=None, index=True)  # seconds since the epoch
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
