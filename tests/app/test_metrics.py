"""What Prometheus reads: its format, true numbers, and no label that grows with use."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.exposition import Family, exposition
from app.metrics import BUCKETS, Durations, Totals
from tests.conftest import eventually
from tests.servers import Service, spec

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
VALUE = r'"(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({NAME}={VALUE}(?:,{NAME}={VALUE})*)\}})? (\S+)")
Samples = dict[tuple[str, str], float]


def read(text: str) -> tuple[dict[str, str], Samples]:
    """Kinds and samples, by the rules of the text format: it fails where a server would."""
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    samples: Samples = {}
    family = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in kinds, "a family stands twice"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            name, labels, value = match.groups()
            ends = ("", "_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert name in {family + end for end in ends}, "a sample outside its family"
            assert (name, labels or "") not in samples, "a sample stands twice"
            samples[name, labels or ""] = float(value)
    return kinds, samples


def scrape(service: Service) -> Samples:
    answer = service.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds, samples = read(answer.text)
    assert all(name.startswith("gradless_") for name in kinds)
    assert {name for name, kind in kinds.items() if name.endswith("_total")} == {
        name for name, kind in kinds.items() if kind == "counter"
    }
    return samples


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


def test_buckets_hold_all_below() -> None:
    durations = Durations()
    for seconds in (0.001, BUCKETS[0], 0.3, 1000.0):
        durations.observe("GET", "/x", 204, seconds)
    _, samples = read(exposition([durations.family()]))
    found = [value for (name, _), value in samples.items() if name.endswith("_bucket")]
    assert found == [2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4]
    assert [v for (name, _), v in samples.items() if name.endswith("_sum")] == [1000.306]


def test_labels_are_escaped() -> None:
    family = Family("gradless_x", "gauge", "X.").add(1, label='a"b\\c\nd')
    assert exposition([family]).splitlines()[-1] == r'gradless_x{label="a\"b\\c\nd"} 1.0'
    read(exposition([family]))


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
