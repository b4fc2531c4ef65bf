"""The walls of an API job whose runner is killed with 64 requests on their way: nothing passes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from jobs.ledger import PICO
from tests.backends.remote import faulty
from tests.backends.remote.faulty import Faulty, Plan
from tests.conftest import eventually
from tests.servers import Service, spec

AT_ONCE = 64
LATENCY = 0.2  # seconds, so that many are on their way together
TOKENS, COST = 60_000, 0.02
INPUT, OUTPUT = 0.15, 0.6  # prices of a million tokens
KILLS = 2  # in a row: after one more the job would count as poison
GRIPS = {"name": "grips", "level": "word", "n_candidates": 60, "initial_text": "look at the color"}
JOB = spec(
    endpoint="toy",
    method=GRIPS,
    budget={"queries": 10**6, "tokens": TOKENS, "cost": COST},
    cache="off",
)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty.running(latency=LATENCY) as server:
        yield server


@pytest.fixture
def service(server: Faulty, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("walls"), {"threads": "1"})
    try:
        service.start().upload()
        options = {"base_url": server.url, "input_price": INPUT, "output_price": OUTPUT}
        body = {"id": "toy", "kind": "openai", "model": "toy", "options": options}
        assert service.http.post("/api/endpoints", json=body).status_code == 201
        server.set(Plan())  # what asking the endpoint has cost is no job's
        yield service
    finally:
        service.close()


class Watch:
    """Compares, again and again, what the server has billed with what the database says."""

    def __init__(self, service: Service, server: Faulty, job_id: str) -> None:
        self._service, self._server, self._job_id = service, server, job_id
        self.looks, self.wrong = 0, list[str]()

    def look(self) -> None:
        billed = bill(self._server)  # before the row, which may only have grown since
        rows = self._service.rows("SELECT * FROM usage WHERE job_id = ?", self._job_id)
        if not rows:
            return
        self.looks += 1
        covered = spent(rows[0])
        for name, wall in {"tokens": TOKENS, "cost": COST * PICO}.items():
            if not billed[name] <= covered[name] <= wall:
                self.wrong.append(f"{name}: {billed[name]} billed, {covered[name]} covered")

    @contextmanager
    def looking(self) -> Iterator[None]:
        over = threading.Event()

        def work() -> None:
            while not over.wait(0.01):
                self.look()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def bill(server: Faulty) -> dict[str, float]:
    told = server.counters
    cost = INPUT * told.tokens_in + OUTPUT * told.tokens_out
    return {"tokens": told.tokens_in + told.tokens_out, "cost": round(cost * PICO / 10**6)}


def spent(row: dict[str, Any]) -> dict[str, int]:
    """What is spent and what is set aside, together."""
    read, written = (row[name] + row[f"aside_{name}"] for name in ("tokens_in", "tokens_out"))
    return {"tokens": read + written, "cost": row["cost"] + row["aside_cost"]}


def kill_runner(service: Service, server: Faulty) -> None:
    """`kill -9` while so many requests are on their way; returns when it is gone."""
    runner = psutil.Process(service.runner()["pid"])
    eventually(lambda: server.counters.in_flight >= AT_ONCE, 120)
    runner.kill()
    eventually(lambda: service.runner()["pid"] != runner.pid, 60)


@pytest.mark.slow
def test_no_wall_is_passed_though_the_runner_is_killed(service: Service, server: Faulty) -> None:
    job_id = service.submit(JOB)
    watch = Watch(service, server, job_id)
    with watch.looking():
        for _ in range(KILLS):
            kill_runner(service, server)
        job = service.ended(job_id, 300)
    assert server.counters.most_in_flight >= AT_ONCE
    assert service.row(job_id)["attempts"] == KILLS + 1
    assert (job["status"], job["termination_reason"]) == ("succeeded", "budget_spent"), job["error"]
    watch.look()
    assert watch.looks > 50 and not watch.wrong, watch.wrong[:5]
    told = job["usage"]["tokens_in"] + job["usage"]["tokens_out"]
    assert 0.3 * TOKENS < bill(server)["tokens"] < told <= TOKENS, "what the dead had sent is paid"
