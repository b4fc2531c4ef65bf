"""Whole jobs on a model behind an API: over REST, against llama.cpp's own server, with a key."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.model_servers import ModelServer, llama_server
from tests.servers import Service
from tests.tiny_llama import BAD, GOOD, SENTENCES, THINGS, tiny_llama

KEY, VARIABLE = "sk-planted-1f9c77e2", "PLANTED_API_KEY"
ROWS = {"train": 6, "dev": 6, "test": 15}  # of each label
FILM = {
    "endpoint": "tiny",
    "dataset": "films",
    "task": {
        "template": "{prompt} {text} It was {label}",
        "verbalizer": {"good": "great", "bad": "terrible"},
        "baseline": "think hard about the film , not at all briefly , and then decide",
    },
    "budget": {"queries": 1200},
}
METHODS = [
    {"name": "grips", "edits": ["delete", "swap", "add"], "n_candidates": 4},
    {"name": "grips", "edits": ["delete", "paraphrase"], "n_candidates": 3},
    {"name": "bdpl", "preset": "fast", "n_prompt_tokens": 3, "sample_size": 6},
    {"name": "rlprompt", "preset": "fast", "prompt_length": 2, "prompts_per_step": 6},
    {"name": "llm", "n_candidates": 2, "examples": 1, "failures": 1, "history": 2},
    {
        "name": "race",
        "methods": [{"name": "grips", "edits": ["delete"]}, {"name": "bdpl", "sample_size": 4}],
    },
]


def films_csv() -> str:
    """Sentences of the kind the tiny model knows, each once."""
    lines, numbers = [], {"good": 0, "bad": 0}
    for label, words in (("good", GOOD), ("bad", BAD)):
        texts = [s.format(thing=t, word=w) for w in words for t in THINGS for s in SENTENCES]
        for split, n in ROWS.items():
            start = numbers[label]
            some = texts[start * 7 : (start + n) * 7 : 7]
            lines += [f'"{text}",{label},{split}' for text in some]
            numbers[label] += n
    return "\n".join(["text,label,split", *lines]) + "\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with llama_server(tiny_llama(), key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def service(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose environment holds the key, and an endpoint that names the variable."""
    os.environ[VARIABLE] = KEY
    service = Service(tmp_path_factory.mktemp("api"), {"threads": "1"})
    try:
        service.start().upload(films_csv(), "films")
        options = {"base_url": server.base_url, "key_variable": VARIABLE}
        priced = {**options, "input_price": 0.5, "output_price": 2.0, "currency": "EUR"}
        for name, each in (("tiny", options), ("priced", priced)):
            body = {"id": name, "kind": "openai", "model": server.model, "options": each}
            answer = service.http.post("/api/endpoints", json=body)
            assert answer.status_code == 201, answer.text
        yield service
    finally:
        service.close()
        del os.environ[VARIABLE]


def run(service: Service, **changes: Any) -> dict[str, Any]:
    return service.ended(service.submit(FILM | changes))


def answers(service: Service, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The test rows' labels, and what the served prompt says of each."""
    rows = service.get("/api/datasets/films/rows", split="test", limit=100)["data"]
    body = {"inputs": [row["inputs"]["text"] for row in rows]}
    answer = service.http.post(f"/api/jobs/{job_id}/predict", json=body)
    assert answer.status_code == 200, answer.text
    return [(row["label"], said) for row, said in zip(rows, answer.json()["data"], strict=True)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m['name']} {m.get('edits', '')}")
def test_a_whole_job_and_its_served_prompt(method: dict[str, Any], service: Service) -> None:
    job = run(service, method=method)
    assert job["status"] == "succeeded", job["error"]
    assert job["scores"]["rung"] in ("named", "sequence", "top")
    assert job["usage"]["requests"] > 0 and job["usage"]["tokens_in"] > 0
    assert job["usage"]["currency"] is None, "it has no price"
    assert job["progress"]["queries"] <= FILM["budget"]["queries"]
    assert job["incumbent"]["dev_loss"] <= job["baseline"]["dev_loss"] + 0.5
    said = answers(service, job["id"])
    right = sum(label == answer["label"] for label, answer in said) / len(said)
    assert right == job["result"]["tuned"]["accuracy"], "the served prompt is the tuned one"


def test_the_same_job_again_is_remembered_and_equal(service: Service) -> None:
    task = {**FILM["task"], "baseline": "words that no other job here has begun with"}
    spec = {"method": METHODS[0], "seed": 5, "endpoint": "priced", "task": task}
    first, again = run(service, **spec), run(service, **spec)
    assert first["usage"]["cost"] > 0 and first["usage"]["currency"] == "EUR"
    tokens = first["usage"]["tokens_in"], first["usage"]["tokens_out"]
    assert first["usage"]["cost"] == pytest.approx((0.5 * tokens[0] + 2.0 * tokens[1]) / 1e6)
    assert again["usage"] == {**again["usage"], "requests": 0, "tokens_in": 0, "cost": 0}
    assert again["usage"]["recalled"] > 0
    for part in ("incumbent", "baseline"):
        assert again[part] == first[part]
    assert again["progress"]["queries"] == first["progress"]["queries"], "they count all the same"


@pytest.mark.parametrize("wall", [{"tokens": 30_000}, {"cost": 0.03}])
def test_walls_of_an_api_hold(wall: dict[str, Any], service: Service) -> None:
    budget = {"queries": 10**6, **wall}
    job = run(service, endpoint="priced", method=METHODS[0], budget=budget, cache="off", seed=9)
    assert job["status"] == "succeeded", job["error"]
    spent = job["usage"]
    tokens = spent["tokens_in"] + spent["tokens_out"]
    assert tokens <= wall.get("tokens", tokens)
    assert spent["cost"] <= wall.get("cost", spent["cost"])
    assert job["result"]["outcome"] in ("improved", "no_improvement"), "the report was kept afford"


def test_a_job_of_vectors_is_refused_with_what_would_work(service: Service) -> None:
    answer = service.http.post("/api/jobs", json={**FILM, "method": {"name": "bbt"}})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("method.name", "method_endpoint_mismatch")
    assert "soft_prompts" in error["message"] and "grips" in error["message"]


def test_the_key_is_nowhere(service: Service) -> None:
    """Last: whatever the tests above have made the service write, say or store."""
    assert KEY.encode() not in service.log.read_bytes()
    for file in service.data.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes(), file
    jobs = service.get("/api/jobs", limit=100)["data"]
    assert len(jobs) > 5
    paths = ["/api/endpoints", "/api/jobs", "/healthz", "/api/backends", "/"]
    paths += [f"/api/jobs/{job['id']}/{part}" for job in jobs for part in ("report", "generations")]
    for path in paths:
        assert KEY not in service.http.get(path).text
    events = service.rows("SELECT * FROM events")
    assert events and KEY not in str(events)
