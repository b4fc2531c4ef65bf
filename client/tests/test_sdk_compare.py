"""What a search has found on its way, and jobs beside each other."""

from __future__ import annotations

import asyncio

import pytest

import gradless


@pytest.fixture
def job(client):
    return client.tune(seed=1).wait(progress=False)


def test_the_way_of_a_search(job):
    found = job.incumbents()
    assert [each.number for each in found] == [1, 2, 3, 4], "all pages"
    assert (found[1].text, found[1].tokens, found[1].cost) == ("words 2", 200, 0.002)
    assert [each.number for each in job.candidates(limit=3)] == [4, 3, 2]


def test_jobs_or_their_ids_beside_each_other(client, job):
    other = client.tune(seed=2)
    found = client.compare([job, other.id])
    assert [each.id for each in found.jobs] == [job.id, other.id]
    assert [(each.name, each.values) for each in found.changed] == [("seed", [1, 2])]
    assert len(found.settings) == 2
    tested, untested = found.tests
    pair = f"{job.id}, {other.id}"
    assert str(tested) == f"{pair}: -12.5 points on 40 rows, p = 0.031"
    assert str(untested) == f"{pair}: not compared, they were not measured"
    assert untested.p_value is None


def test_one_job_is_no_comparison(client, job):
    with pytest.raises(gradless.Invalid, match="got 1 jobs") as caught:
        client.compare([job])
    assert caught.value.param == "jobs"
    with pytest.raises(gradless.NotFound):
        client.compare([job, "job_99"])


def test_the_async_twins(url):
    async def journey():
        async with gradless.AsyncClient() as client:
            jobs = [await (await client.tune(seed=n)).wait(progress=False) for n in (1, 2)]
            found = await client.compare(jobs)
            return await jobs[0].incumbents(), await jobs[0].candidates(2), found

    incumbents, candidates, found = asyncio.run(journey())
    assert (len(incumbents), len(candidates), len(found.jobs)) == (4, 2, 2)


NAMES = ["accuracy", "loss", "internals", "comparison", "confusion-tuned", "confusion-baseline"]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_its_name(name, job):
    assert job.plot(name, theme="dark").layout.title.text == f"{name} dark"
