"""The whole way with a real server, sync and async."""

from __future__ import annotations

import asyncio
import json

import pytest

import gradless

ROWS = [{"text": "it broke", "label": "A"}, {"text": "thanks", "label": "B"}]


def test_a_job_from_start_to_prediction(client, world, tmp_path):
    job = client.tune(dataset="tickets", preset="fast", budget=4000, seed=3, baseline="Topic:")
    assert (job.status, job.result, repr(job)) == ("queued", None, "<Job job_01 queued, 0 queries>")
    assert job.spec == {
        "dataset": "tickets",
        "endpoint": "minilm",
        "method": {"name": "shift", "preset": "fast"},
        "budget": {"queries": 4000},
        "task": {"baseline": "Topic:"},
        "seed": 3,
    }
    assert job.wait(progress=False) is job
    assert job.status == "succeeded"
    assert job.result.outcome == "improved"
    assert str(job.result) == "The tuned prompt is better."
    assert job.result.news == "a field of a later version"
    assert job.progress.queries == 4000
    assert job.incumbent.dev_accuracy == pytest.approx(0.9)
    assert [made.number for made in job.generations()] == [1, 2, 3, 4]
    assert [made.number for made in job.generations(after=3)] == [4]
    assert job.prompt().shape == [1, 5, 384]
    assert job.report().changed[0].tuned == "A"


def test_what_a_finished_job_gives(client, tmp_path):
    job = client.tune().wait(progress=False)
    plain, compared = job.predict(["x"]), job.predict(["x", {"text": "y"}], baseline=True)
    assert (str(plain[0]), plain[0].probabilities["A"], plain[0].baseline) == ("A", 0.9, None)
    assert [str(answer.baseline) for answer in compared] == ["B", "B"]
    assert job.save_prompt(tmp_path / "p.safetensors").read_bytes() == b"tensor bytes"
    assert json.loads(job.save_prompt(tmp_path / "p.json").read_text())["kind"] == "soft"
    with pytest.raises(gradless.Invalid, match="no text"):
        job.save_prompt(tmp_path / "p.txt")
    with pytest.raises(ValueError, match="wanted one of"):
        job.save_prompt(tmp_path / "p.pickle")
    with pytest.raises(TypeError, match="list of texts"):
        job.predict("x")


def test_a_plot_is_a_plotly_figure(client):
    figure = client.tune().plot("loss", theme="dark")
    assert figure.layout.title.text == "loss dark"
    assert list(figure.data[0].y) == [0.5, 0.6]


def test_a_plot_without_plotly_says_what_to_install(client, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match=r"gradless\[plot\]"):
        client.tune().plot()


def test_a_job_is_cancelled_once(client):
    job = client.tune()
    assert job.cancel().status == "cancelled"
    assert job.wait(progress=False).status == "cancelled"
    with pytest.raises(gradless.Conflict, match="already ended"):
        job.cancel()


def test_a_failed_job_raises_the_reason(client):
    job = client.tune(metadata={"end": "failed"})
    with pytest.raises(gradless.JobFailed, match="the model is gone") as caught:
        job.wait(progress=False)
    assert caught.value.job is job
    assert job.incumbent.generation == 4


def test_files_and_rows_are_uploaded(client, world, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("text,label\nhi,A\n")
    jobs = [client.tune(dataset) for dataset in (file, str(file), ROWS, client.datasets()[0])]
    assert [job.spec["dataset"] for job in jobs] == ["up_1", "up_2", "up_3", "tickets"]
    assert [sent["filename"] for sent in world.uploads] == ["mine.csv", "mine.csv", "rows.jsonl"]
    assert [json.loads(line) for line in world.uploads[2]["content"].splitlines()] == ROWS
    made = client.upload(file, text_columns=["title", "body"], shots=8)
    assert (made.shots, made.text_columns) == (8, "title,body")
    with pytest.raises(FileNotFoundError):
        client.tune("nowhere.csv")


def test_a_whole_spec_and_settings_of_a_method(client):
    job = client.submit({"dataset": "tickets", "method": {"name": "bbt"}})
    assert client.job(job.id).spec == {"dataset": "tickets", "method": {"name": "bbt"}}
    job = client.tune(method={"name": "bbt", "preset": "paper"}, intrinsic_dim=9)
    assert job.spec["method"] == {"name": "bbt", "preset": "paper", "intrinsic_dim": 9}


def test_lists_are_read_to_their_last_page(client, world):
    for _ in range(5):
        client.tune()
    assert [job.id for job in client.jobs(page_size=2)] == [f"job_{n:02}" for n in (5, 4, 3, 2, 1)]
    assert len(world.asked("GET", "/api/jobs")) == 3
    assert list(client.jobs(status="running")) == []


def test_what_the_service_has(client):
    assert client.health().runners[0].alive
    assert client.methods()[0].settings["properties"] == {"intrinsic_dim": {"type": "integer"}}
    assert client.endpoints()[0].options == {}
    assert client.datasets()[0].splits["train"].per_label == {"A": 1, "B": 1}


def test_an_id_cannot_name_another_route(client, world):
    assert client.dataset("../jobs?x").id == "../jobs?x"
    assert world.requests[-1][1] == "/api/datasets/../jobs?x"


async def async_journey(tmp_path):
    async with gradless.AsyncClient() as client:
        job = await client.tune(ROWS, preset="fast")
        assert await job.wait(progress=False) is job
        assert (job.status, job.spec["dataset"]) == ("succeeded", "up_1")
        assert [made.number for made in await job.generations()] == [1, 2, 3, 4]
        assert [str(answer) for answer in await job.predict(["x"])] == ["A"]
        assert (await job.prompt()).kind == "soft"
        assert (await job.save_prompt(tmp_path / "p.safetensors")).stat().st_size == 12
        assert (await job.report()).outcome == "improved"
        assert (await job.plot()).layout.title.text == "accuracy light"
        other = await client.tune()
        assert (await other.cancel()).status == "cancelled"
        assert [found.id async for found in client.jobs(page_size=1)] == ["job_02", "job_01"]
        assert (await client.job("job_02")).status == "cancelled"
        lists = [await client.methods(), await client.endpoints(), await client.datasets()]
        assert [len(found) for found in lists] == [1, 1, 1]
        assert (await client.dataset("tickets")).id == "tickets"
        assert (await client.health()).status == "ok"


def test_the_async_twin_makes_the_same_journey(url, tmp_path):
    asyncio.run(async_journey(tmp_path))


def test_the_sync_client_works_inside_a_running_loop(client):
    async def notebook_cell():
        return client.tune().wait(progress=False).status

    assert asyncio.run(notebook_cell()) == "succeeded"
