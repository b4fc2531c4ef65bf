"""When spans are sent and when not, what failures look like, and that silence costs nothing."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import jobs.runner
import jobs.work
from backends.base import BackendRefused, BackendUnavailable
from backends.watching import Exchange
from jobs.models import Status
from jobs.opening import close_endpoints
from jobs.queue import JobQueue
from jobs.runner import Runner
from jobs.tracing import ENDPOINTS, Traced, Untraced, _of_request, open_tracing
from tests.backends.remote import faulty
from tests.backends.remote.faulty import Plan
from tests.collector import collecting
from tests.conftest import eventually
from tests.servers import free_port
from tests.toy import ToyBackend

ROOT = Path(__file__).parents[2]
HERE = "http://127.0.0.1:9"
GRIPS = {"name": "grips", "level": "word", "n_candidates": 3, "initial_text": "look at the color"}
SECRET = "what somebody has written"


@pytest.fixture
def collector(monkeypatch):
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINTS[1], collector.url)
        yield collector


@pytest.fixture
def tracing(collector):
    tracing = open_tracing("runner-1", os.environ)
    assert isinstance(tracing, Traced)
    yield tracing
    tracing.close()


@pytest.fixture
def toy(monkeypatch):
    toy = ToyBackend()
    monkeypatch.setattr(jobs.work, "open_endpoint", lambda row: toy)
    return toy


def run(database, tracing, **more):
    Runner(database, "a", tracing=tracing).run(JobQueue(database).claim("a", **more))
    tracing.close()


def spoil(toy, act, at=40):
    def meddle(queries, scores):
        return act() if toy.asked >= at else scores

    toy.meddle = meddle


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({ENDPOINTS[0]: HERE}, True),
        ({ENDPOINTS[1]: HERE}, True),
        ({ENDPOINTS[1]: " "}, False),
        ({ENDPOINTS[1]: HERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({ENDPOINTS[1]: HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINTS[1]: HERE, "OTEL_TRACES_EXPORTER": "console,otlp"}, False),
        ({ENDPOINTS[1]: HERE, "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
    ids=str,
)
def test_the_environment_switches_it_on(environment, wanted, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    tracing = open_tracing("a", environment)
    assert isinstance(tracing, Traced if wanted else Untraced)
    tracing.close()


def test_nothing_of_it_is_imported_unless_it_is_wanted():
    code = "import sys, jobs.__main__, jobs.tracing as t; t.open_tracing('a', {})\n"
    code += "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "[]"


def test_without_the_extra_it_says_so_and_works_on(monkeypatch, caplog, database, enqueue, toy):
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    tracing = open_tracing("a", {ENDPOINTS[1]: HERE})
    assert isinstance(tracing, Untraced)
    assert "gradless-service[otel]" in caplog.text
    job = enqueue()
    run(database, tracing)
    assert jobs.store.JobStore(database).job(job.id).status == Status.SUCCEEDED


def test_another_name_and_more_facts_of_the_service(collector, database, enqueue, toy, monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=prompts,team=blue")
    job = enqueue()
    run(database, open_tracing("runner-7", os.environ))
    service = collector.spans(job.id)[0].service
    assert (service["service.name"], service["team"]) == ("prompts", "blue")
    assert service["service.instance.id"] == "runner-7"


FAILURES = [
    (RuntimeError(SECRET), "failed", "RuntimeError", True),
    (BackendRefused(SECRET), "failed", "BackendRefused", True),
    (BackendUnavailable(SECRET), "paused", "BackendUnavailable", False),
]


@pytest.mark.parametrize(("error", "outcome", "type_", "failed"), FAILURES)
def test_a_failure_is_told_by_its_class(
    error, outcome, type_, failed, tracing, collector, database, enqueue, toy
):
    def act():
        raise error

    spoil(toy, act)
    job = enqueue()
    run(database, tracing)
    whole = collector.spans(job.id)[0]
    assert whole.told["gradless.job.outcome"] == outcome
    assert (whole.told["error.type"], whole.failed) == (type_, failed)
    broken = [span for span in collector.spans(job.id)[1:] if "error.type" in span.told]
    assert {span.name for span in broken} == {"generation", "score minilm"}
    assert {span.told["error.type"] for span in broken} == {type_}
    assert SECRET.encode() not in collector.raw
    assert all(span.events == [] for span in broken)


def test_a_job_that_is_handed_back_or_taken_away(tracing, collector, database, enqueue, toy, store):
    jobs_ = []
    for outcome in ("handed_back", "lost"):
        job, runner = enqueue(), Runner(database, outcome, tracing=tracing)
        act = (
            runner.stop.set
            if outcome == "handed_back"
            else partial(store.delete, job.id, force=True)
        )
        toy.meddle = _once(act)
        runner.run(JobQueue(database).claim(outcome))
        if outcome == "handed_back":
            store.delete(job.id, force=True)
        jobs_.append(job.id)
    tracing.close()
    for id_, outcome in zip(jobs_, ("handed_back", "lost"), strict=True):
        whole = collector.spans(id_)[0]
        assert (whole.told["gradless.job.outcome"], whole.failed) == (outcome, False)


def _once(act):
    acted = []

    def meddle(queries, scores):
        if not acted:
            acted.append(act())
        return scores

    return meddle


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429-after", "429"), ("500", "500"), ("not_json", "malformed"), ("reset", "unanswered")],
)
def test_every_attempt_is_told(fault, error, tracing, collector, catalog, database, enqueue):
    """One that is asked again is two spans, and the first one failed."""
    with faulty.running() as server:
        try:
            options = {"base_url": server.url, "timeout": 15.0}  # which no fault here waits for
            catalog.add_endpoint("toy", "openai", "toy", options)
            server.set(Plan((fault,), every=7))
            job = enqueue(endpoint="toy", method=GRIPS, budget={"queries": 60}, cache="off")
            run(database, tracing)
        finally:
            close_endpoints()
    requests = [span for span in collector.spans(job.id) if span.kind == 3]
    failed = [span for span in requests if span.failed]
    assert {span.told["error.type"] for span in failed} == {error}
    assert 0 < len(failed) < len(requests) / 3
    billed = error in ("malformed", "unanswered")  # it may be: the server has heard it
    assert all((span.told["gen_ai.usage.input_tokens"] > 0) is billed for span in failed)


def test_of_a_request_only_numbers_and_known_words_are_told():
    body = {
        "messages": [{"role": "user", "content": SECRET}],
        "max_completion_tokens": 7,
        "temperature": 0.5,
        "seed": SECRET,
        "stop": SECRET,
        "user": SECRET,
    }
    said = {"choices": [{"finish_reason": r} for r in ("length", SECRET, ["stop"], None)] + [3]}
    told = _of_request(
        Exchange(
            f"https://user:{SECRET}@api.example/v1?key={SECRET}", "m", "chat/completions", body
        )
    )
    assert SECRET not in str(told)
    assert told["server.address"] == "api.example" and told["server.port"] == 443
    assert told["gen_ai.request.max_tokens"] == 7 and told["gen_ai.request.temperature"] == 0.5
    assert told["error.type"] == "unanswered"
    exchange = Exchange("http://h:81/v1", "m", "completions", body, said=said, error="")
    told = _of_request(exchange)
    assert told["gen_ai.response.finish_reasons"] == ["length"]
    assert SECRET not in str(told) and "error.type" not in told
    for said in ({}, {"choices": SECRET}, {"choices": None}):
        exchange = Exchange("http://h:81/v1", "m", "completions", {}, said=said, error="")
        assert "gen_ai.response.finish_reasons" not in _of_request(exchange)


def test_a_collector_that_is_away_holds_nobody_up(monkeypatch, database, enqueue, toy, store):
    monkeypatch.setenv(ENDPOINTS[1], f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(jobs.tracing, "LAST", 0.2)
    tracing = open_tracing("a", os.environ)
    job = enqueue()
    begin = time.monotonic()
    run(database, tracing)
    assert time.monotonic() - begin < 10
    assert store.job(job.id).status == Status.SUCCEEDED


def test_silence_costs_next_to_nothing():
    """A call of a model takes a millisecond at least, and a request of an API more."""
    tracing, n = Untraced(), 10_000
    begin = time.perf_counter()
    for _ in range(n):
        with tracing.asking(None, "score", 1):
            pass
    assert (time.perf_counter() - begin) / n < 20e-6  # seconds; some 0.3e-6 on a quiet machine
    run = iter([])
    assert tracing.generations(run, 1, "accuracy") is run


def test_a_runner_process_sends_what_is_left_when_it_ends(collector, database, enqueue):
    job = enqueue(budget={"queries": 60})
    environment = {
        **os.environ,
        "GRADLESS_DATABASE_URL": database.url,
        "PYTHONPATH": str(ROOT),
        "OTEL_BSP_SCHEDULE_DELAY": "600000",  # milliseconds: only the end sends anything
    }
    command = [sys.executable, "-m", "jobs", "--name", "runner-9"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        queue = jobs.store.JobStore(database)
        eventually(lambda: queue.job(job.id).finished_at, 60)
        assert collector.spans() == []
    finally:
        process.terminate()
        assert process.wait(15) == 0
    assert [span.name for span in collector.spans(job.id)][:1] == ["job"]
