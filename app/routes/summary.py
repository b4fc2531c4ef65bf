"""How things stand, at a glance."""

from fastapi import APIRouter

from app.deps import ServiceDep
from app.overviews import SummaryPublic
from jobs.summary import today

router = APIRouter(prefix="/api/summary", tags=["jobs"])


@router.get("", summary="What runs, what waits, and what was spent today")
def read_summary(service: ServiceDep) -> SummaryPublic:
    """Today begins at midnight (UTC). Jobs that were deleted are not counted in it."""
    runners = {name: alive for name, _, alive in service.supervisor.runners()}
    return SummaryPublic.of(service.store.counts(), today(service.database), runners)
