"""Whole jobs on images over REST: a CLIP of our own, its soft and pixel prompts, and ZIP files."""

import base64
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from benchmarks.digits import splits
from tests.servers import Service

DIGITS = {"endpoint": "digits-clip", "dataset": "two-digits", "budget": {"queries": 6_000}}
METHODS = [
    {"name": "bpt-vlm", "preset": "fast"},
    {"name": "zip", "preset": "fast"},
    {"name": "ops-spsa", "preset": "fast"},
    {"name": "blackvip", "preset": "fast"},
    {"name": "grips", "edits": ["delete", "swap"], "n_candidates": 2},
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("vision"), {"threads": "1"})
    try:
        service.start()
        yield service
    finally:
        service.close()


def ended(service: Service, method: dict[str, Any], **changes: Any) -> dict[str, Any]:
    job = service.ended(service.submit({**DIGITS, "method": method, **changes}))
    assert job["status"] == "succeeded", job["error"]
    return job


def answers(service: Service, job: dict[str, Any], inputs: list[str], **more: Any) -> list[Any]:
    body = {"inputs": inputs, **more}
    answer = service.http.post(f"/api/jobs/{job['id']}/predict", json=body)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])
def test_a_whole_job_and_its_served_prompt(method: dict[str, Any], service: Service) -> None:
    changes = {"task": {"baseline": "a clear photo of one big digit,"}}
    job = ended(service, method, **(changes if method["name"] == "grips" else {}))
    assert job["progress"]["queries"] <= DIGITS["budget"]["queries"]
    rows = service.get("/api/datasets/two-digits/rows", split="test", limit=1000)["data"]
    said = answers(service, job, [row["inputs"]["image"] for row in rows])
    right = sum(row["label"] == each["label"] for row, each in zip(rows, said, strict=True))
    assert right / len(rows) == job["result"]["tuned"]["accuracy"]


def test_words_for_the_right_digit_are_found_from_examples_alone(service: Service) -> None:
    """The neutral caption says the right digit half the time; which is meant is in the labels."""
    result = ended(service, METHODS[0], seed=3)["result"]
    assert result["outcome"] == "improved"
    assert result["baseline"]["accuracy"] < 0.6 < 0.9 < result["tuned"]["accuracy"]


def test_an_image_of_one_s_own_is_answered(service: Service) -> None:
    job = ended(service, METHODS[0], seed=3)
    label, image = splits(seed=5)["test"][7]
    sent = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    [said] = answers(service, job, [sent], baseline=True)
    assert said["label"] == label
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    assert set(said["baseline"]["probabilities"]) == set(said["probabilities"])


def test_a_runner_killed_in_between_changes_nothing(service: Service) -> None:
    """Not even what a job has counted: its features of the train rows are read again."""
    method = {"name": "ops-lr", "preset": "fast", "allocator": "gaussian"}
    calm = ended(service, method, seed=1)
    job_id = service.submit({**DIGITS, "method": method, "seed": 1})
    service.reached(job_id, 2)
    psutil.Process(service.runner()["pid"]).kill()
    again = service.ended(job_id)
    assert (again["status"], service.row(job_id)["attempts"]) == ("succeeded", 2)
    assert again["progress"]["queries"] == calm["progress"]["queries"]
    for part in ("incumbent", "result", "baseline"):
        assert {**again[part], "seconds": 0} == {**calm[part], "seconds": 0}
