"""Whole jobs against a server that goes wrong: the same winner, and not a cent too many."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs.models import JobRow, Status
from jobs.opening import close_endpoints
from jobs.runner import Runner
from tests.backends.remote import faulty
from tests.backends.remote.faulty import Faulty, Plan

FAULTS = ["429", "429-after", "500", "503", "reset", "cut", "truncated", "not_json", "empty", "nan"]
GRIPS = {"name": "grips", "level": "word", "n_candidates": 3, "initial_text": "look at the color"}
PATIENT, HASTY = 30.0, 1.0  # seconds that an answer may take
PRICED = {"input_price": 0.15, "output_price": 0.6}


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty.running() as server:
        yield server
    close_endpoints()


@pytest.fixture
def run(server, catalog, database, queue, store, enqueue) -> Callable[..., JobRow]:
    """A GrIPS job on the server, taken to its end by a runner of its own.

    When the server fails so often that it counts as down, the job is paused; the pause is skipped.
    """
    options = {"base_url": server.url, **PRICED}
    # patient: a refusal that came too late would be charged as a loss, and the server not know
    catalog.add_endpoint("toy", "openai", "toy", {**options, "timeout": PATIENT})
    catalog.add_endpoint("hasty", "openai", "toy", {**options, "timeout": HASTY})

    def run(plan: Plan = Plan(), **changes: Any) -> JobRow:  # noqa: B008
        server.set(plan)
        spec = {"endpoint": "toy", "method": GRIPS, "budget": {"queries": 300}, "cache": "off"}
        job = enqueue(**{**spec, **changes})
        Runner(database, "a").run(queue.claim("a"))
        while not plan.forever and (paused := store.job(job.id)).status == Status.PAUSED:
            close_endpoints()  # what the pools remember of the server would be over by then
            Runner(database, "a").run(queue.claim("a", at=paused.retry_at))
        return store.job(job.id)

    return run


def outcome(store, job: JobRow) -> dict[str, Any]:
    prompt = store.prompt(job.id)
    return {
        "status": job.status,
        "queries": job.queries,
        "baseline": job.baseline,
        "result": job.result,
        "rows": [row.model_dump(exclude={"job_id"}) for row, _ in store.generations(job.id)],
        "prompt": prompt and prompt.model_dump(exclude={"job_id"}),
    }


@pytest.mark.parametrize("plan", [FAULTS[:3], FAULTS[3:6], FAULTS[6:], ["stall"]], ids=str)
def test_faults_change_nothing_but_the_bill(plan, run, server, store):
    calm = run()
    assert (calm.status, calm.error) == (Status.SUCCEEDED, None)
    stalls = plan == ["stall"]
    stormy = run(Plan(plan, 40 if stalls else 9), endpoint="hasty" if stalls else "toy")
    assert sum(server.counters.faults[name] for name in plan) >= len(plan)
    assert outcome(store, stormy) == outcome(store, calm)
    spent, told = store.usage([stormy.id])[stormy.id], server.counters
    assert spent.requests == told.billed + told.unanswered
    if told.unanswered or "not_json" in plan:  # nobody can say what that has cost: the most it can
        assert spent.tokens_in > told.tokens_in + told.unanswered_in
    else:
        assert (spent.tokens_in, spent.tokens_out) == (told.tokens_in, told.tokens_out)


@pytest.mark.parametrize("faults", [(), ("429", "nan", "503")])
@pytest.mark.parametrize(("wall", "most"), [("tokens", 4000), ("cost", 0.001)])
def test_no_wall_is_passed_by_one_unit(wall, most, faults, run, server, store):
    """What the server says it has billed: the job's own ledger is not asked."""
    job = run(Plan(faults, every=9), budget={"queries": 10**6, wall: most})
    told = server.counters
    billed = {
        "tokens": told.tokens_in + told.tokens_out,
        "cost": (0.15 * told.tokens_in + 0.6 * told.tokens_out) / 1e6,
    }[wall]
    assert 0.5 * most < billed <= most
    assert (job.status, job.termination_reason) == (Status.SUCCEEDED, "budget_spent")
    assert job.result["outcome"] in ("improved", "no_improvement")


def test_the_wall_of_queries_is_kept_through_faults(run, server, store):
    job = run(Plan(["500", "nan"], every=9), budget={"queries": 200})
    assert (job.status, job.queries <= 200) == (Status.SUCCEEDED, True)
    assert store.usage([job.id])[job.id].requests == server.counters.billed


def test_a_server_that_is_down_pauses_the_job(run, server, database, queue, store):
    job = run(Plan(["500"], forever=True))
    assert job.status == Status.PAUSED
    assert "500" in job.error["message"] and server.url.rsplit("/", 1)[0] in job.error["message"]
    server.set(Plan())
    close_endpoints()  # its breaker would stay open for some seconds
    Runner(database, "a").run(queue.claim("a", at=job.retry_at))
    assert store.job(job.id).status == Status.SUCCEEDED


def test_a_refused_request_fails_the_job_with_the_servers_words(run):
    job = run(Plan(["400"], forever=True))
    assert (job.status, job.error["code"]) == (Status.FAILED, "BackendRefused")
    assert "answered 400" in job.error["message"]
