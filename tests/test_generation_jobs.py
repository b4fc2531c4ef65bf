"""Whole jobs whose answers are texts: over REST, on llama.cpp's own server, by a metric."""

from collections.abc import Iterator
from typing import Any

import pytest

import gradless
from tests.model_servers import llama_server
from tests.servers import Service
from tests.tiny_llama import BAD, GOOD, THINGS, tiny_llama

ROWS = {"train": 6, "dev": 6, "test": 24}
FILM = {
    "endpoint": "tiny",
    "dataset": "verdicts",
    "task": {
        "template": "{prompt} {text} It was",
        "metric": "rouge_l",
        "max_tokens": 2,
        "baseline": "i found the ending dull . It was terrible . a stale cast . It was terrible .",
    },
    "method": {"name": "bdpl", "n_prompt_tokens": 2, "sample_size": 4},
    "budget": {"queries": 12 + 30 * 8},
}


def verdicts_csv() -> str:
    """A sentence, and what is to be written behind it."""
    words = [(word, "great") for word in GOOD] + [(word, "terrible") for word in BAD]
    rows = [(f"the {thing} was {word} .", said) for thing in THINGS for word, said in words]
    splits = [name for name, n in ROWS.items() for _ in range(n)]
    chosen = zip(rows[:: len(rows) // len(splits)], splits, strict=False)
    return "".join(
        ["text,verdict,split\n", *(f'"{text}",{said},{split}\n' for (text, said), split in chosen)]
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with llama_server(tiny_llama()) as server:
        service = Service(tmp_path_factory.mktemp("generation"), {"threads": "1"})
        try:
            service.start()
            upload(service, "verdicts", target_column="verdict")
            options = {"base_url": server.base_url}
            body = {"id": "tiny", "kind": "openai", "model": server.model, "options": options}
            answer = service.http.post("/api/endpoints", json=body)
            assert answer.status_code == 201, answer.text
            yield service
        finally:
            service.close()


def upload(service: Service, name: str, **form: str) -> None:
    file = {"file": ("verdicts.csv", verdicts_csv().encode())}
    answer = service.http.post("/api/datasets", files=file, data={"name": name, **form})
    assert answer.status_code == 201, answer.text


def run(service: Service, **changes: Any) -> dict[str, Any]:
    job = service.ended(service.submit(FILM | changes))
    assert job["status"] == "succeeded", job["error"]
    return job


def task(**changes: Any) -> dict[str, Any]:
    return {**FILM["task"], **changes}


@pytest.mark.parametrize(
    ("metric", "test"), [("rouge_l", "paired bootstrap"), ("contains", "exact McNemar")]
)
def test_a_whole_job_and_its_served_prompt(metric: str, test: str, service: Service) -> None:
    job = run(service, task=task(metric=metric))
    report = service.get(f"/api/jobs/{job['id']}/report")
    assert job["metric"] == report["metric"] == job["result"]["metric"] == metric
    assert (report["test"], report["labels"], report["tuned"]["confusion"]) == (test, [], [])
    assert report["tuned"]["n"] == ROWS["test"]
    rows = service.get("/api/datasets/verdicts/rows", split="test", limit=100)["data"]
    body = {"inputs": [row["inputs"]["text"] for row in rows], "baseline": True}
    said = service.http.post(f"/api/jobs/{job['id']}/predict", json=body).json()["data"]
    assert {answer["label"] for answer in said} == {None}
    changed = [
        (row["inputs"], row["label"], answer["baseline"]["text"], answer["text"])
        for row, answer in zip(rows, said, strict=True)
        if answer["text"] != answer["baseline"]["text"]
    ]
    assert changed and changed == [
        (row["inputs"], row["label"], row["baseline"], row["tuned"]) for row in report["changed"]
    ], "the served prompts are those of the report"
    assert report["n_changed"] == len(changed)
    assert job["incumbent"]["dev_loss"] == pytest.approx(1 - job["incumbent"]["dev_accuracy"])


def test_what_is_written_can_be_right(service: Service) -> None:
    """The tiny model says great of good films where nothing stands before them."""
    job = run(service, task=task(metric="contains", baseline=""))
    assert job["baseline"]["dev_accuracy"] > 0.7
    assert job["result"]["baseline"]["accuracy"] > 0.7


def test_one_model_writes_instructions_and_answers(service: Service) -> None:
    method = {"name": "llm", "n_candidates": 2, "history": 0, "failures": 0, "examples": 0}
    job = run(service, method=method, task=task(metric={"name": "exact_match"}))
    assert job["incumbent"]["kind"] == "text"
    assert 0 <= job["result"]["tuned"]["accuracy"] <= 1


def test_the_sdk_goes_the_same_way(service: Service) -> None:
    with gradless.Client(str(service.http.base_url)) as client:
        assert "rouge_l" in [metric.name for metric in client.metrics()]
        rows = [{"text": f"a {w} plot .", "said": "great"} for w in GOOD]
        dataset = client.upload(rows, name="plots", target_column="said", shots=2)
        assert (dataset.task, dataset.splits["test"].rows) == ("generation", 4)
        budget = {"queries": 4 + 3 * 10}
        job = client.tune(
            dataset, "tiny", "bdpl", budget, FILM["task"], sample_size=4, n_prompt_tokens=2
        ).wait()
        report = job.report()
        assert job.result.metric == report.metric == job.state.metric == "rouge_l"
        answer = job.predict(["a fresh plot ."], baseline=True)[0]
        assert str(answer) == answer.text and answer.baseline.text is not None


def test_labels_may_be_written_too(service: Service) -> None:
    upload(service, "labelled", label_column="verdict")
    job = run(service, dataset="labelled", task=task(metric="f1"))
    assert job["spec"]["task"]["verbalizer"] == {}
    assert job["metric"] == "f1"


def test_the_same_job_again_is_equal(service: Service) -> None:
    first, again = run(service, seed=3), run(service, seed=3)
    for part in ("baseline", "incumbent"):
        assert again[part] == first[part]
    assert again["result"]["tuned"] == first["result"]["tuned"]
