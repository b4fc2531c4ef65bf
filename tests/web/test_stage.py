"""The stage itself: what it plays is what the service tells, and the wire can be cut."""

import json

import httpx
import pytest

from tests.web.conftest import Site
from tests.web.looks import NEWS


def events(site: Site, job: str) -> list[tuple[str, dict[str, object]]]:
    """Of a job that has ended: all of them, from its stream."""
    lines = httpx.get(f"{site.url}/api/jobs/{job}/events").text.splitlines()
    kinds = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return list(zip(kinds, data, strict=True))


def test_a_job_from_its_start_to_its_report(site: Site) -> None:
    job = site.stage.job("played", seed=3)
    site.stage.begin(job, prompt="Which team?")
    site.stage.advance(job, 30, "text")
    site.stage.advance(job, 1, "text")
    site.stage.finish(job)
    told = site.stage.get(f"/api/jobs/{job}")
    assert (told["status"], told["progress"]["generation"]) == ("succeeded", 31)
    assert told["baseline"]["prompt"] == "Which team?"
    assert told["result"]["outcome"] == "improved"
    assert told["incumbent"]["text"]
    kinds = [kind for kind, _ in events(site, job)]
    assert kinds.count("generation") == 31
    assert kinds[-3:] == ["result", "status", "done"]
    generations = site.stage.get(f"/api/jobs/{job}/generations")["data"]
    assert [each["number"] for each in generations] == list(range(1, 32))
    best = min(generations, key=lambda each: each["dev_loss"])
    assert best["number"] == told["incumbent"]["generation"]
    assert sum(each["seconds"] for each in generations) < told["progress"]["seconds"]


@pytest.mark.parametrize("outcome", ["improved", "no_improvement", "not_measured"])
@pytest.mark.parametrize("texts", [False, True], ids=["labels", "texts"])
def test_every_outcome_can_be_played(site: Site, outcome: str, texts: bool) -> None:
    spec = {}
    if texts:
        dataset = site.stage.dataset(NEWS, "news", target_column="headline")
        spec = {"dataset": dataset, "endpoint": site.stage.endpoint(), "method": "grips"}
        spec["task"] = {"metric": "rouge_l", "baseline": "A headline:"}
    job = site.stage.job(**spec)
    site.stage.advance(job, 2, "text")
    site.stage.finish(job, outcome)
    assert site.stage.get(f"/api/jobs/{job}")["result"]["outcome"] == outcome


def test_a_paused_job_goes_on_where_it_was(site: Site) -> None:
    job, other = site.stage.job(), site.stage.job()
    site.stage.advance(other)
    site.stage.advance(job, 2)
    site.stage.pause(job)
    assert site.stage.get(f"/api/jobs/{job}")["retry_at"]
    site.stage.post(f"/api/jobs/{job}/resume")
    site.stage.advance(job)
    site.stage.pause(job, by="person")
    assert site.stage.get(f"/api/jobs/{job}")["status"] == "paused"
    site.stage.post(f"/api/jobs/{job}/resume")
    site.stage.advance(job)
    told = site.stage.get(f"/api/jobs/{job}")
    assert (told["status"], told["progress"]["generation"]) == ("running", 4)
    site.stage.end(job, "cancelled")
    assert site.stage.get(f"/api/jobs/{job}")["status"] == "cancelled"


def test_what_was_there_is_gone(site: Site) -> None:
    site.stage.endpoint()
    site.stage.dataset(NEWS, "news", target_column="headline")
    site.stage.finish(site.stage.job())
    site.stage.clear()
    left = {path: site.stage.get(f"/api/{path}")["data"] for path in ("jobs", "prompts", "keys")}
    assert left == {"jobs": [], "prompts": [], "keys": []}
    assert all(each["built_in"] for each in site.stage.get("/api/datasets")["data"])
    assert all(each["built_in"] for each in site.stage.get("/api/endpoints")["data"])


def test_the_wire_can_be_cut(site: Site) -> None:
    job = site.stage.job()
    address = f"{site.url}/api/jobs/{job}/events"
    with httpx.stream("GET", f"{address}?after=0") as stream:
        lines = stream.iter_lines()
        assert "event: status" in (next(lines), next(lines))
        assert site.wire.streams == 1
        site.wire.drop_streams()
        list(lines)  # it ends in good order
    assert (site.wire.streams, site.wire.opened) == (0, [0])
    site.wire.refuse_streams = True
    assert httpx.get(address).status_code == 503
    assert httpx.get(f"{site.url}/api/jobs/{job}").status_code == 200
    site.wire.away = True
    assert httpx.get(f"{site.url}/jobs/{job}").status_code == 503
