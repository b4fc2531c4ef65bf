"""Models behind an API: registered, asked, paid for, away for a while, forgotten."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import datetime

import pytest
from sdk_service import PAUSED_AFTER, RETRY_AT
from test_sdk_cli import run

import gradless

OPTIONS = {"base_url": "http://127.0.0.1:1/v1", "key_variable": "MY_API_KEY", "input_price": 0.1}
PAUSED = PAUSED_AFTER + 2  # events: the job runs, some generations, and then the pause
UNTIL = datetime.fromisoformat(RETRY_AT).astimezone().strftime("%H:%M:%S")


@pytest.fixture
def hosted(client):
    return client.add_endpoint("hosted", "openai", "m", **OPTIONS, output_price=None)


@pytest.fixture
def paused(client, world):
    job = client.tune(endpoint="hosted", metadata={"pause": "yes"})
    world.jobs[job.id]["reached"] = PAUSED
    return job.refresh()


def test_an_endpoint_is_added_asked_again_and_forgotten(client, world, hosted):
    assert world.endpoints["hosted"]["options"] == OPTIONS  # what is None is not sent
    assert hosted.capabilities == ["generation", "label_probabilities", "text_prompts"]
    facts = hosted.probed
    assert (facts.rung, facts.rungs[1], facts.context, facts.logprobs) == (
        "top",
        "samples",
        2048,
        4096,
    )
    assert (facts.missing.keys(), facts.news) == ({"named"}, "a fact of a later version")
    again = client.probe("hosted")
    assert again.probed.probed_at > facts.probed_at
    assert client.endpoint("hosted") == again
    assert [each.id for each in client.endpoints()] == ["minilm", "hosted"]
    assert client.endpoints()[0].probed is None
    assert client.delete_endpoint("hosted") is None
    with pytest.raises(gradless.NotFound):
        client.probe("hosted")
    with pytest.raises(gradless.Conflict, match="comes with the service"):
        client.delete_endpoint("minilm")


def test_a_refused_option_is_named(client):
    with pytest.raises(gradless.Invalid) as caught:
        client.add_endpoint("hosted", "openai", "m")
    assert caught.value.param == "options.base_url"


def test_the_async_twin_does_the_same(url, world):
    async def journey():
        async with gradless.AsyncClient() as client:
            made = await client.add_endpoint("hosted", "openai", "m", **OPTIONS)
            assert await client.endpoint("hosted") == made
            assert (await client.probe("hosted")).probed.probed_at > made.probed.probed_at
            await client.delete_endpoint("hosted")
            job = await client.tune(metadata={"pause": "yes"}, cache="off", budget={"tokens": 9})
            world.jobs[job.id]["reached"] = PAUSED
            assert (await job.refresh()).status == "paused"
            assert (await job.resume()).status == "queued"
            assert job.spec["budget"] == {"queries": 50_000, "tokens": 9}

    asyncio.run(journey())
    assert world.endpoints == {}


def test_budgets_are_queries_or_walls_by_name(client):
    assert client.tune(budget=400).spec["budget"] == {"queries": 400}
    job = client.tune(budget={"cost": 1.5, "seconds": 60}, cache="refresh")
    assert job.spec["budget"] == {"queries": 50_000, "cost": 1.5, "seconds": 60}
    assert job.spec["cache"] == "refresh"
    assert "cache" not in client.tune().spec


def test_a_job_tells_what_it_has_spent(client, hosted):
    job = client.tune(endpoint="hosted").wait(progress=False)
    usage = job.usage
    assert (usage.requests, usage.recalled, usage.tokens_in) == (3600, 400, 120_000)
    assert (usage.tokens_out, usage.cost) == (3600, pytest.approx(0.01284))
    assert (job.scores.rung, job.retry_at) == ("top", None)
    job = client.tune().wait(progress=False)
    assert (job.usage, job.scores) == (gradless.Usage(), None)


def test_a_paused_job_is_awaited_and_says_why(client):
    log = io.StringIO()
    job = client.tune(metadata={"pause": "yes"}).wait(progress=log)
    assert job.status == "succeeded"
    assert [line.split()[1] for line in log.getvalue().splitlines()] == [
        "queued",
        "running",
        "paused",
        "running",
        "succeeded",
    ]
    assert f"until {UNTIL}: no answer from\ufffd[31m the endpoint" in log.getvalue()


def test_a_paused_job_is_resumed_once(client, paused):
    assert (paused.status, paused.ended) == ("paused", False)
    assert paused.retry_at == datetime.fromisoformat(RETRY_AT)
    assert paused.resume().status == "queued"
    with pytest.raises(gradless.Conflict, match="only a paused job"):
        paused.resume()


def test_a_result_without_figures_is_its_message(client, capsys):
    job = client.tune(metadata={"end": "not_measured"}).wait(progress=False)
    assert str(job.result) == "Not measured on test."
    assert (job.result.baseline, job.result.tuned, job.result.p_value) == (None, None, None)
    said = run("watch", job.id).stdout
    assert "outcome    not measured: Not measured on test." in said
    assert "accuracy" not in said and "p-value" not in said


def words(*given, code=0):
    said = run(*given)
    assert said.exit_code == code, said.output
    return " ".join(said.stdout.split())


def test_the_command_line_adds_shows_and_removes(url, world):
    given = ["--base-url", OPTIONS["base_url"], "--key-variable", "MY_API_KEY"]
    prices = ["--input-price", 0.1, "--output-price", 0.4, "--set", "concurrency=8"]
    said = words("endpoint", "add", "hosted", "--model", "m", *given, *prices)
    assert world.endpoints["hosted"]["options"] == OPTIONS | {"output_price": 0.4, "concurrency": 8}
    for fact in (
        "address http://127.0.0.1:1/v1 key in MY_API_KEY",
        "price 0.1 read, 0.4 written (USD for 10^6 tokens) options concurrency=8",
        "can do generation, label probabilities, text prompts",
        "server llamacpp b9999 context 2,048 tokens",
        "scores top: log-probabilities among the likeliest tokens",
        "also works of_tomorrow",
        "missing named: the server \ufffd[31mdid not",
    ):
        assert fact in said
    assert words("endpoint", "show", "hosted") == said
    assert words("endpoint", "probe", "hosted") != said
    assert "hosted openai m generation, label probabilities, text prompts 0.1" in words("endpoints")
    assert json.loads(run("endpoints", "--json").stdout)[1]["probed"]["context"] == 2048
    assert words("endpoint", "remove", "hosted") == "hosted is removed"
    assert run("endpoint", "show", "hosted").exit_code == 1


@pytest.mark.parametrize("command", ["add", "show", "probe", "remove"])
def test_help_of_each_teaches_with_an_example(command):
    assert f"  gradless endpoint {command} " in run("endpoint", command, "--help").output


def test_tune_keeps_walls_and_tells_the_cost(client, world, hosted):
    walls = ["--max-tokens", 9, "--max-cost", 1.5, "--max-seconds", 60]
    said = words("tune", "--endpoint", "hosted", *walls, "--cache", "off")
    assert world.jobs["job_01"]["spec"]["cache"] == "off"
    assert world.jobs["job_01"]["spec"]["budget"] == {
        "queries": 50_000,
        "tokens": 9,
        "cost": 1.5,
        "seconds": 60.0,
    }
    assert "requests 3,600, and 400 remembered answers" in said
    assert "tokens 120,000 read, 3,600 written cost 0.0128 USD" in said
    assert "scores top: log-probabilities among the likeliest tokens" in said
    client.delete_endpoint("hosted")
    assert "cost 0.0128 USD scores" in words("watch", "job_01"), "the job itself knows"


def test_a_job_is_resumed_from_the_command_line(paused):
    assert f"{paused.id} queued; watch it" in words("resume", paused.id)
    assert "only a paused job" in run("resume", paused.id).stderr
