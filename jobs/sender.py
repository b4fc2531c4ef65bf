"""The one task that delivers messages to webhooks. Decides nothing: that is `Webhooks`."""

import asyncio
import logging
import time

import anyio
from anyio import to_thread

from jobs.posting import NoAnswer, post
from jobs.signing import signed_headers
from jobs.webhook_rows import DeliveryRow, WebhookRow
from jobs.webhooks import Attempt, Webhooks

logger = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks at what is due
TIMEOUT = 15.0  # seconds until a receiver must have answered


class Sender:
    """Reads events, signs messages, sends them, and writes down what came of it."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def run(self) -> None:
        """Until cancelled; what was under way then is sent again by the next sender."""
        while True:
            try:
                await self.round()
            except Exception:
                logger.exception("webhooks: this round was left off")
            await anyio.sleep(LOOK)

    async def round(self) -> None:
        """Everything that is due now, all at the same time."""
        await to_thread.run_sync(self._webhooks.collect)
        due = await to_thread.run_sync(self._webhooks.claim)
        await asyncio.gather(*(self._deliver(hook, delivery) for hook, delivery in due))

    async def _deliver(self, hook: WebhookRow, delivery: DeliveryRow) -> None:
        at = time.time()
        headers = {"content-type": "application/json", "user-agent": "gradless-webhooks"}
        headers |= signed_headers(hook.secret, delivery.id, at, delivery.body)
        try:
            status = await post(hook.url, headers, delivery.body.encode(), TIMEOUT)
            attempt = Attempt(at, status=status)
        except NoAnswer as error:
            attempt = Attempt(at, error=str(error))
        if not attempt.is_good:
            logger.warning(
                "webhook %s, message %s: %s",
                hook.id,
                delivery.id,
                attempt.error or f"answered {attempt.status}",
            )
        await to_thread.run_sync(self._webhooks.settle, delivery.id, attempt)
