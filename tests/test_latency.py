"""The service answers while a job runs: `GET /api/jobs`, p99 under 50 ms."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import eventually
from tests.servers import Service

N_WARM_UP, N_REQUESTS = 30, 300
LIMIT = 0.050  # seconds
N_JOBS = 25  # in the list; a page shows 20
REAL: dict[str, Any] = {
    "endpoint": "minilm",
    "dataset": "tickets",
    "method": {"name": "bbt", "preset": "fast"},
    "budget": {"queries": 10**8},
}


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("latency"))
    try:
        yield made.start()
    finally:
        made.close()


def latencies(service: Service, n: int) -> list[float]:
    """Seconds of `n` requests, one after the other, on one connection that stays open."""
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        answer = service.http.get("/api/jobs")
        taken.append(time.perf_counter() - start)
        assert answer.status_code == 200
    return taken


@pytest.mark.slow
@pytest.mark.alone
def test_the_list_of_jobs_is_quick_while_a_real_job_runs(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    job_id = service.submit(REAL)
    for _ in range(N_JOBS - 1):
        service.submit(REAL)
    service.reached(job_id, 1)
    latencies(service, N_WARM_UP)
    before = service.row(job_id)["generation"]
    taken: list[float] = []
    while len(taken) < N_REQUESTS or service.row(job_id)["generation"] == before:
        taken += latencies(service, N_REQUESTS // 10)  # until a generation has been recorded too
    assert service.job(job_id)["status"] == "running"
    cuts = statistics.quantiles(taken, n=100)
    figures = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(taken)}
    told = {"n": len(taken), **{name: f"{1000 * s:.1f} ms" for name, s in figures.items()}}
    record_property("latency", told)
    print(told)  # noqa: T201 - seen with -s or when it fails
    service.http.post(f"/api/jobs/{job_id}/cancel")
    eventually(lambda: service.row(job_id)["finished_at"], 30)
    assert figures["p99"] < LIMIT, told
