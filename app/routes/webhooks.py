"""Addresses that are told when jobs end."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.deps import WebhooksDep
from app.schemas import Listing, page
from jobs.strict import Spec
from jobs.webhook_rows import DeliveryRow, DeliveryStatus, WebhookRow
from jobs.webhooks import EVENT_TYPES, EventType

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])

OURS = tuple(type_ for type_ in EVENT_TYPES if type_.startswith("job."))
DELIVERY_ID = r"^evt_[0-9a-f]{24}$"


class WebhookBody(Spec):
    """Where to send what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "http://127.0.0.1:9/hook", "events": ["job.succeeded"]}]
        }
    )
    url: str = Field(description="http or https; checked again at every delivery")
    events: list[EventType] = Field(
        list(OURS),
        min_length=1,
        max_length=len(EVENT_TYPES),
        description="what to send; fine_tuning.job.* are the same events in OpenAI's names",
    )


class WebhookPublic(BaseModel):
    object: Literal["webhook"] = "webhook"
    id: str
    url: str
    events: list[str]
    disabled: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: WebhookRow) -> "WebhookPublic":
        return cls(**row.model_dump(exclude={"secret", "seen"}))


class WebhookCreated(WebhookPublic):
    secret: str  # shown this once

    @classmethod
    def of(cls, row: WebhookRow) -> "WebhookCreated":
        return cls(**row.model_dump(exclude={"seen"}))


class AttemptPublic(BaseModel):
    at: datetime
    status: int | None
    error: str | None


class DeliveryPublic(BaseModel):
    object: Literal["delivery"] = "delivery"
    id: str
    type: str
    job: str
    status: DeliveryStatus
    attempts: list[AttemptPublic]
    next_attempt_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryPublic":
        next_at = None if row.due_at is None else datetime.fromtimestamp(row.due_at, UTC)
        shared = row.model_dump(include={"id", "type", "attempts", "created_at"})
        return cls(**shared, job=row.job_id, status=row.status, next_attempt_at=next_at)


@router.post("", status_code=201, summary="Add a webhook")
def create_webhook(body: WebhookBody, webhooks: WebhooksDep) -> WebhookCreated:
    """The answer holds the secret that its messages are signed with; it is not shown again.

    Messages follow the Standard Webhooks scheme. One that is not answered with 2xx is sent again
    after 5 seconds, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours; 410 ends the webhook.
    """
    return WebhookCreated.of(webhooks.add(body.url, list(dict.fromkeys(body.events))))


@router.get("", summary="List webhooks")
def list_webhooks(webhooks: WebhooksDep) -> Listing[WebhookPublic]:
    return Listing(data=[WebhookPublic.of(row) for row in webhooks.all()])


@router.get("/{webhook_id}", summary="One webhook")
def read_webhook(webhook_id: str, webhooks: WebhooksDep) -> WebhookPublic:
    return WebhookPublic.of(webhooks.one(webhook_id))


@router.delete("/{webhook_id}", status_code=204, summary="Forget a webhook")
def delete_webhook(webhook_id: str, webhooks: WebhooksDep) -> None:
    webhooks.delete(webhook_id)


@router.get("/{webhook_id}/deliveries", summary="What was sent, the newest first")
def list_deliveries(
    webhook_id: str,
    webhooks: WebhooksDep,
    after: Annotated[
        str | None, Query(pattern=DELIVERY_ID, description="id of the last seen")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Listing[DeliveryPublic]:
    rows = webhooks.deliveries(webhook_id, after=after, limit=limit + 1)
    return page([DeliveryPublic.of(row) for row in rows], limit)
