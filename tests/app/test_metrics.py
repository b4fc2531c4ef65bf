"""What Prometheus reads: its format, true numbers, and no label that grows with use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import Totals
from tests.conftest import eventually
from tests.servers import Service, spec

Samples = dict[tuple[str, str], float]
PREFIX = "gradless_"


def read(text: str) -> Samples:
    """By Prometheus's own parser; the time that a series began at is of no interest."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.name.startswith(PREFIX) and family.documentation
        for name, labels, value, *_ in family.samples:
            place = name, ",".join(f'{label}="{text}"' for label, text in labels.items())
            assert place not in samples, "a sample stands twice"
            if not name.endswith("_created"):
                samples[place] = value
    return samples


def scrape(service: Service) -> Samples:
    answer = service.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def test_what_a_job_adds(tuning: Service) -> None:
    before = scrape(tuning)
    job_id = tuning.submit(spec(generations=3))
    job = tuning.ended(job_id)
    after = scrape(tuning)

    def grown(name: str, labels: str = "") -> float:
        return after[name, labels] - before.get((name, labels), 0.0)

    assert grown("gradless_generations_total") == 3
    assert grown("gradless_queries_total") == job["progress"]["queries"]
    assert grown("gradless_jobs", 'status="succeeded"') == 1
    assert 0 < grown("gradless_model_seconds_total") < grown("gradless_tuning_seconds_total")
    assert after["gradless_runners", ""] == 1
    assert after["gradless_queue_depth", ""] == after["gradless_running_jobs", ""] == 0


def test_jobs_that_wait(idle: Service) -> None:
    before = scrape(idle)["gradless_queue_depth", ""]
    idle.submit(spec())
    after = scrape(idle)
    assert after["gradless_queue_depth", ""] == before + 1
    assert after["gradless_jobs", 'status="queued"'] == before + 1
    assert (after["gradless_runners", ""], after["gradless_heartbeat_age_seconds", ""]) == (0, 0)


def test_no_label_grows_with_use(idle: Service) -> None:
    """Ids, unknown paths and invented verbs are all told as one."""

    def use(part: str) -> set[tuple[str, str]]:
        job_id = idle.submit(spec(name=part))
        for path in (
            f"/api/jobs/{job_id}",
            f"/api/{part}",
            f"/{part}?q={part}",
            "/static/style.css",
        ):
            idle.http.get(path)
        idle.http.request(part.upper(), "/api/jobs")
        idle.http.get("/api/endpoints/minilm", headers={"host": f"{part}.example"})
        return set(scrape(idle))

    first, second = use("alpha"), use("beta")
    assert second == first
    labels = " ".join(label for _, label in second)
    assert not [
        word for word in ("job_0", "alpha", "beta", "minilm", "style") if word in labels.lower()
    ]
    assert 'route="/api/jobs/{job_id}"' in labels
    assert 'method="other"' in labels


def test_durations_are_counted(idle: Service) -> None:
    labels = 'method="GET",route="/api/methods",status="2xx"'
    before = scrape(idle).get(("gradless_http_request_duration_seconds_count", labels), 0.0)
    for _ in range(3):
        idle.get("/api/methods")
    after = scrape(idle)
    assert after["gradless_http_request_duration_seconds_count", labels] == before + 3
    assert after["gradless_http_request_duration_seconds_sum", labels] > 0


def test_a_total_never_falls() -> None:
    totals = Totals()
    seen = [totals.seen({"queries": float(n)}) for n in (100, 130, 20, 50)]  # jobs were deleted
    assert [each["queries"] for each in seen] == [0, 30, 30, 60]
    assert totals.seen({"queries": 50.0, "cost:USD": 2.0}) == {"queries": 60, "cost:USD": 2}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"runners": "1", "threads": "1", "api_key": "key"}
    service = Service(tmp_path_factory.mktemp("locked"), settings)
    try:
        yield service.start()
    finally:
        service.close()


def test_metrics_need_the_key_and_readiness_none(locked: Service) -> None:
    with httpx.Client(base_url=locked.url, trust_env=False) as stranger:
        assert stranger.get("/metrics").status_code == 401
        eventually(lambda: stranger.get("/readyz").status_code == 200, 20)
        assert stranger.get("/readyz").json() == {"status": "ready"}
    assert locked.http.get("/metrics").status_code == 200


def test_not_ready_while_a_runner_is_dead(locked: Service) -> None:
    """The supervisor waits before it replaces one that died young."""
    for _ in range(2):
        pid = eventually(lambda: [r := locked.runner()] and r["alive"] and r["pid"], 20)
        psutil.Process(pid).send_signal(signal.SIGKILL)
    answer = eventually(lambda: [a for a in [locked.http.get("/readyz")] if a.status_code != 200])[
        0
    ]
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "not_ready")
    assert error["message"].startswith("1 of 1 runners do not live")
    eventually(lambda: locked.http.get("/readyz").status_code == 200, 20)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_not_ready_while_the_database_cannot_be_written(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", {"runners": "0"})
    try:
        service.start()
        service.database.chmod(0o400)
        answer = service.http.get("/readyz")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    finally:
        service.close()
