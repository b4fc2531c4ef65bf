"""Whether the service lives, and who works in it."""

from typing import Any

from fastapi import APIRouter

from app.deps import ServiceDep
from app.errors import NotReady

router = APIRouter(tags=["health"])

VERSION = "0.1.0"


@router.get("/healthz", summary="Liveness, runners and queue")
def health(service: ServiceDep) -> dict[str, Any]:
    held = service.store.held()
    runners = [
        {"name": name, "pid": pid, "alive": alive, "job": held.get(name)}
        for name, pid, alive in service.supervisor.runners()
    ]
    return {
        "status": "ok",
        "version": VERSION,
        "runners": runners,
        "jobs": service.store.counts(),
    }


@router.get("/readyz", summary="Readiness: whether jobs can be taken in and worked on")
def ready(service: ServiceDep) -> dict[str, str]:
    """503 while the database cannot be written to, or a runner does not live."""
    runners = service.supervisor.runners()
    dead = service.settings.runners - sum(alive for _, _, alive in runners)
    if not service.database.is_writable():
        raise NotReady("the database cannot be written to: look at its disk and its lock")
    if dead:
        raise NotReady(
            f"{dead} of {service.settings.runners} runners do not live; the log says why"
        )
    return {"status": "ready"}
