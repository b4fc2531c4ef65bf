"""What Prometheus reads."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from app.deps import WholeDep
from jobs.census import census

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def read_metrics(service: WholeDep) -> Response:
    """Needs the service's own key, where there is one: a scraper sends it as a bearer token."""
    alive = sum(alive for _, _, alive in service.supervisor.runners())
    text = service.metrics.text(census(service.database), alive)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
