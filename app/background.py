"""What the service does beside answering: it tells webhooks, and lets go of what is old."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread

from app.deps import Service
from jobs.census import census
from jobs.retention import Retention, let_go
from jobs.sender import Sender
from jobs.webhooks import Webhooks

logger = logging.getLogger(__name__)

DAY = 86_400.0  # seconds


@asynccontextmanager
async def background(service: Service) -> AsyncIterator[None]:
    """Works as long as this lasts; what is cut off at its end is taken up by the next start."""
    service.metrics.start(await to_thread.run_sync(census, service.database))
    async with anyio.create_task_group() as group:
        group.start_soon(Sender(Webhooks(service.database)).run)
        if any(kept := service.settings.retention):
            group.start_soon(_tidy, service, kept)
        yield
        group.cancel_scope.cancel()


async def _tidy(service: Service, kept: Retention) -> None:
    """At once, and then every day."""
    while True:
        try:
            await to_thread.run_sync(let_go, service.database, kept)
        except Exception:
            logger.exception("retention: nothing more was deleted today")
        await anyio.sleep(DAY)
