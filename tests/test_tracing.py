"""Spans of whole jobs, sent by the real service to a collector: what is told, and what is not."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.collector import Collector, Heard, collecting
from tests.conftest import eventually
from tests.model_servers import llama_server
from tests.servers import COLORS_CSV, Service, spec
from tests.test_api_jobs import FILM, KEY, VARIABLE, films_csv
from tests.tiny_llama import tiny_llama

INTERNAL, CLIENT = 1, 3
HEADER = "planted-collector-key-0c1f"
FILM_JOB = {
    **FILM,
    "name": "planted name of a job",
    "method": {"name": "grips", "edits": ["delete", "swap"], "n_candidates": 3},
    "budget": {"queries": 200},
    "cache": "off",
}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def service(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={HEADER}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # milliseconds
        VARIABLE: KEY,
    }
    os.environ.update(environment)
    service = Service(tmp_path_factory.mktemp("traced"), {"threads": "1"})
    try:
        service.start().upload()
        yield service
    finally:
        service.close()
        for name in environment:
            del os.environ[name]


def told_of(collector: Collector, service: Service, job_id: str) -> list[Heard]:
    """The spans of a job, the one around them among them: it comes last."""
    service.ended(job_id)
    eventually(lambda: any(span.name == "job" for span in collector.spans(job_id)), 30)
    return collector.spans(job_id)


@pytest.fixture(scope="module")
def local(collector: Collector, service: Service) -> tuple[dict[str, Any], list[Heard]]:
    """A job on a model of the runner's own process."""
    job_id = service.submit(spec(generations=3, name="planted name of a job"))
    heard = told_of(collector, service, job_id)
    return service.job(job_id), heard


@pytest.fixture(scope="module")
def remote(collector: Collector, service: Service) -> tuple[dict[str, Any], list[Heard]]:
    """A job on an API, which wants a key."""
    service.upload(films_csv(), "films")
    with llama_server(tiny_llama(), key=KEY) as server:
        options = {"base_url": server.base_url, "key_variable": VARIABLE}
        body = {"id": "tiny", "kind": "openai", "model": server.model, "options": options}
        assert service.http.post("/api/endpoints", json=body).status_code == 201
        job_id = service.submit(FILM_JOB)
        heard = told_of(collector, service, job_id)
    return service.job(job_id), heard


def named(spans: list[Heard], name: str) -> list[Heard]:
    return [span for span in spans if span.name == name]


@pytest.mark.parametrize("which", ["local", "remote"])
def test_a_job_and_its_generations(which: str, request: pytest.FixtureRequest) -> None:
    job, spans = request.getfixturevalue(which)
    assert job["status"] == "succeeded", job["error"]
    [whole] = named(spans, "job")
    assert (whole.parent, whole.kind, whole.failed) == (b"", INTERNAL, False)
    assert whole.told == {
        "gradless.job.id": job["id"],
        "gradless.job.attempt": 1,
        "gradless.project.id": "default",
        "gradless.method.name": job["spec"]["method"]["name"],
        "gradless.job.outcome": "succeeded",
    }
    assert whole.service["service.name"] == "gradless"
    assert whole.service["service.instance.id"].startswith("runner-")
    generations = named(spans, "generation")
    assert all(span.parent == whole.id for span in generations)
    *finished, unfinished = generations  # the budget was over in the middle of the last one
    numbers = [span.told["gradless.generation.number"] for span in finished]
    assert numbers == list(range(1, job["progress"]["generation"] + 1))
    assert all(span.told["gradless.generation.finished"] for span in finished)
    assert not unfinished.told["gradless.generation.finished"]
    for span in spans:
        assert whole.began <= span.began <= span.ended <= whole.ended + 10**6


def test_a_generation_says_how_good_its_champion_is(
    service: Service, local: tuple[dict[str, Any], list[Heard]]
) -> None:
    job, spans = local
    rows = service.get(f"/api/jobs/{job['id']}/generations")["data"]
    for row, span in zip(rows, named(spans, "generation"), strict=False):
        assert span.told["gradless.train.loss"] == pytest.approx(row["train_loss"])
        assert span.told["gradless.dev.loss"] == pytest.approx(row["dev_loss"])
        improved = row["incumbent_generation"] == row["number"]
        assert span.told["gradless.generation.improved"] is improved
        [(name, score)] = span.events
        assert name == "gen_ai.evaluation.result"
        assert score["gen_ai.evaluation.name"] == "accuracy"
        assert score["gen_ai.evaluation.score.value"] == pytest.approx(row["dev_accuracy"])


def test_calls_of_a_local_model_add_up_to_its_queries(
    service: Service, local: tuple[dict[str, Any], list[Heard]]
) -> None:
    job, spans = local
    calls = named(spans, "score minilm")
    usage = service.get(f"/api/jobs/{job['id']}/report")["usage"]
    asked = sum(span.told["gradless.queries"] for span in calls)
    assert asked == usage["queries"] + usage["report_queries"]
    around = {span.id for span in named(spans, "generation") + named(spans, "job")}
    assert {span.kind for span in calls} == {INTERNAL}
    assert {span.parent for span in calls} == around - {unfinished(spans).id}
    assert {span.name for span in spans} == {"job", "generation", "score minilm"}


def unfinished(spans: list[Heard]) -> Heard:
    return named(spans, "generation")[-1]


def test_requests_to_an_api_add_up_to_what_it_billed(
    remote: tuple[dict[str, Any], list[Heard]],
) -> None:
    job, spans = remote
    requests = [span for span in spans if span.kind == CLIENT]
    around = {span.id for span in named(spans, "generation") + named(spans, "job")}
    assert {span.parent for span in requests} <= around
    good = [span for span in requests if not span.failed]
    assert len(good) == job["usage"]["requests"] > 20
    for way, direction in (("input", "in"), ("output", "out")):
        tokens = sum(span.told[f"gen_ai.usage.{way}_tokens"] for span in good)
        assert tokens == job["usage"][f"tokens_{direction}"]
    for span in good:
        operation = span.told["gen_ai.operation.name"]
        assert operation in ("chat", "text_completion")
        assert span.name == f"{operation} tiny"
        assert span.told["gen_ai.provider.name"] == "openai"
        assert span.told["gen_ai.request.model"] == "tiny"
        assert span.told["gen_ai.request.max_tokens"] >= 1
        assert span.told["server.address"] == "127.0.0.1" and span.told["server.port"] > 1023
        assert "error.type" not in span.told


def test_no_text_and_no_key_is_told(
    collector: Collector,
    local: tuple[dict[str, Any], list[Heard]],
    remote: tuple[dict[str, Any], list[Heard]],
) -> None:
    assert collector.paths == {"/v1/traces"}, "spans alone: no log, no metric"
    sent = collector.raw
    texts = [KEY, HEADER, VARIABLE, "planted name"]
    for job, _ in (local, remote):
        task = job["spec"]["task"]
        texts += [task["baseline"], task["template"], job["incumbent"].get("text") or ""]
    lines = COLORS_CSV.splitlines()[1:] + films_csv().splitlines()[1:]
    texts += [line.split(",")[0].strip('"') for line in lines]
    assert [text for text in texts if text and text.encode() in sent] == []
    assert b"minilm" in sent, "what is told is told in plain bytes"


def test_the_collector_s_key_is_nowhere(
    service: Service, remote: tuple[dict[str, Any], list[Heard]]
) -> None:
    for file in service.data.rglob("*"):
        assert file.is_dir() or HEADER.encode() not in file.read_bytes(), file
