"""Whether the service lives, and who works in it."""

from typing import Any

from fastapi import APIRouter

from app.deps import ServiceDep

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
