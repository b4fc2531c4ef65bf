"""Datasets, endpoints, methods and health over HTTP."""

import json
from typing import Any

import pytest

from jobs.methods import METHODS
from tests.conftest import eventually
from tests.servers import COLORS_CSV, Service, spec


def test_the_life_of_a_dataset(idle: Service) -> None:
    content = "text,label\n" + "".join(f"yes {n},y\nno {n},n\n" for n in range(5))
    file = {"file": ("My Answers.csv", content.encode())}
    answer = idle.http.post("/api/datasets", files=file, data={"shots": "2", "seed": "5"})
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"] == "my-answers"
    assert (made["columns"], made["labels"], made["n_rows"]) == (["text"], ["n", "y"], 10)
    assert (made["split_source"], made["shots"], made["seed"]) == ("drawn", 2, 5)
    assert made["splits"]["train"] == {"rows": 4, "per_label": {"n": 2, "y": 2}}
    assert made["splits"]["test"] == {"rows": 2, "per_label": {"n": 1, "y": 1}}
    assert made["built_in"] is False
    assert idle.get("/api/datasets/my-answers") == made
    assert made in idle.get("/api/datasets")["data"]

    again = idle.http.post("/api/datasets", files=file, data={"shots": "2", "seed": "5"})
    assert (again.status_code, again.json()) == (201, made)  # the same rows: no second copy
    rows = idle.get("/api/datasets/my-answers/rows", split="dev")["data"]
    assert [row["split"] for row in rows] == ["dev"] * 4
    assert {row["label"] for row in rows} == {"y", "n"}

    assert idle.http.delete("/api/datasets/my-answers").status_code == 204
    assert idle.http.get("/api/datasets/my-answers").status_code == 404
    assert not idle.rows("SELECT * FROM examples WHERE dataset_id = 'my-answers'")


def test_a_dataset_of_targets(idle: Service) -> None:
    content = "text,reply\n" + "".join(f"say {n},word {n}\n" for n in range(5))
    form = {"target_column": "reply", "shots": "2", "name": "replies"}
    answer = idle.http.post("/api/datasets", files={"file": ("a.csv", content)}, data=form)
    made = answer.json()
    assert answer.status_code == 201, made
    assert (made["task"], made["columns"], made["labels"]) == ("generation", ["text"], [])
    assert made["splits"]["train"] == {"rows": 2, "per_label": {}}
    assert (made["n_rows"], made["splits"]["test"]["rows"]) == (5, 1)
    assert idle.get("/api/datasets/colors")["task"] == "classification"
    rows = idle.get("/api/datasets/replies/rows")["data"]
    assert {row["label"] for row in rows} == {f"word {n}" for n in range(5)}
    refused = idle.http.post("/api/jobs", json=spec(dataset="replies")).json()["error"]
    assert (refused["param"], refused["code"]) == ("task.metric", "no_metric")
    assert idle.http.delete("/api/datasets/replies").status_code == 204


def test_metrics_carry_their_schema(idle: Service) -> None:
    metrics = {metric["name"]: metric for metric in idle.get("/api/metrics")["data"]}
    assert list(metrics) == ["exact_match", "contains", "regex", "f1", "rouge_l", "numeric"]
    assert metrics["rouge_l"]["title"] == "ROUGE-L"
    assert metrics["numeric"]["schema"]["properties"]["relative"]["default"] == 1e-6


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("a.tsv", "text\tlabel\tsplit\n{}"),
        ("a.jsonl", "{}"),
        ("a.csv", "\ufefftext,label,split\r\n{}"),
    ],
)
def test_every_format_gives_the_same_rows(filename: str, content: str, idle: Service) -> None:
    lines = [line.split(",") for line in COLORS_CSV.strip().split("\n")[1:]]
    if filename.endswith("jsonl"):
        names = ("text", "label", "split")
        written = [json.dumps(dict(zip(names, line, strict=True))) for line in lines]
    else:
        written = [("\t" if filename.endswith("tsv") else ",").join(line) for line in lines]
    data = content.replace("{}", "\n".join(written)).encode()
    answer = idle.http.post("/api/datasets", files={"file": (filename, data)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == idle.get("/api/datasets/colors")["sha256"]
    assert idle.http.delete("/api/datasets/a").status_code == 204


def test_the_life_of_an_endpoint(idle: Service) -> None:
    body = {"id": "sharp", "kind": "encoder", "model": "minilm", "options": {"scale": 40.0}}
    answer = idle.http.post("/api/endpoints", json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert {name: made[name] for name in body} == body
    assert made["built_in"] is False
    assert "soft_prompts" in made["capabilities"]
    assert idle.get("/api/endpoints/sharp") == made
    assert made in idle.get("/api/endpoints")["data"]
    assert idle.http.post("/api/endpoints", json=body).status_code == 409
    assert idle.http.delete("/api/endpoints/sharp").status_code == 204
    assert idle.http.get("/api/endpoints/sharp").status_code == 404


def test_what_comes_with_the_service(idle: Service) -> None:
    minilm, tickets = idle.get("/api/endpoints/minilm"), idle.get("/api/datasets/tickets")
    assert minilm["built_in"] is tickets["built_in"] is True
    assert len(tickets["labels"]) >= 6
    for split, least in (("train", 16), ("dev", 16), ("test", 40)):
        assert min(tickets["splits"][split]["per_label"].values()) >= least


def test_a_built_in_model_is_of_one_kind(idle: Service) -> None:
    body = {"id": "mixed", "kind": "clip", "model": "minilm"}
    answer = idle.http.post("/api/endpoints", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (422, "model", "wrong_kind")
    assert "'minilm' is of kind encoder, not clip" in error["message"]


def test_methods_carry_their_schema(idle: Service) -> None:
    methods = {method["name"]: method for method in idle.get("/api/methods")["data"]}
    assert list(methods) == list(METHODS)
    bbt = methods["bbt"]
    assert "2201.03514" in bbt["citation"]
    assert bbt["needs"] == ["soft_prompts"]
    assert bbt["presets"]["paper"]["intrinsic_dim"] == 500
    assert bbt["schema"]["properties"]["population_size"]["minimum"] == 4
    for method in methods.values():
        for preset in method["presets"].values():
            assert preset.keys() <= method["schema"]["properties"].keys()


def test_health_tells_who_works(tuning: Service) -> None:
    body = tuning.get("/healthz")
    assert body["status"] == "ok"
    [runner] = body["runners"]
    assert runner["alive"] is True
    assert runner["pid"] in [process.pid for process in tuning.family()]
    assert set(runner) == {"name", "pid", "alive", "job"}


def test_health_sees_a_runner_come_back(tuning: Service, finished: dict[str, Any]) -> None:
    """Last: whoever comes after it waits for a new process."""
    before = tuning.runner()
    [process] = [child for child in tuning.family() if child.pid == before["pid"]]
    process.kill()
    eventually(lambda: tuning.runner()["pid"] != before["pid"], 30)
    assert tuning.runner()["alive"] is True
