"""From the queue to the report, with the toy model in place of a real one."""

import json
import time
from datetime import UTC, datetime

import numpy as np
import pytest

import jobs.runner
import jobs.work
from backends.base import BackendRefused, BackendUnavailable
from jobs import prompts
from jobs.models import Status
from jobs.objective import Objective, Scored
from jobs.queue import STALE_AFTER, JobQueue, LostJob
from jobs.report import scores
from jobs.runner import Runner
from jobs.store import NotPaused
from jobs.task import Task
from tests.conftest import eventually
from tests.toy import ToyBackend

BASELINE = 16  # queries: 8 train and 8 dev rows
GENERATION = 4 * 8 + 8  # queries: four candidates on train, the champion on dev
TEST = 2 * 20  # queries: two prompts on the test rows


class Killed(BaseException):
    """What `kill -9` would do, as far as one process can do it to itself."""


class Bench:
    """Runners that share one toy model."""

    def __init__(self, database):
        self.database, self.queue = database, JobQueue(database)
        self.toy = ToyBackend()

    def runner(self, name="a"):
        return Runner(self.database, name)

    def run(self, name="a", *, at=None):
        """One runner takes one job."""
        runner = self.runner(name)
        runner.run(self.queue.claim(name, at=at))

    def at_query(self, number, act):
        """Does something while the model answers the call with this query, once."""
        acted = []

        def meddle(queries, scores):
            if self.toy.asked >= number and not acted:
                acted.append(True)
                act()
            return scores

        self.toy.meddle = meddle


@pytest.fixture
def bench(database, monkeypatch):
    bench = Bench(database)
    monkeypatch.setattr(jobs.work, "open_endpoint", lambda row: bench.toy)
    monkeypatch.setattr(jobs.runner, "HEARTBEAT", 0.02)
    return bench


def outcome(store, job):
    """All that must not depend on who ran a job, how often, and how fast."""
    ended, prompt, report = store.job(job.id), store.prompt(job.id), store.report(job.id)
    return {
        "status": ended.status,
        "queries": ended.queries,
        "generation": ended.generation,
        "baseline": ended.baseline,
        "result": ended.result,
        "rows": [row.model_dump(exclude={"job_id"}) for row, _ in store.generations(job.id)],
        "prompt": prompt and prompt.model_dump(exclude={"job_id"}),
        "report": report and report.body,
    }


def test_a_job_from_the_queue_to_its_report(bench, store, enqueue, catalog):
    job = enqueue()
    bench.run()
    ended, report = store.job(job.id), store.report(job.id).body
    assert (ended.status, ended.termination_reason, ended.error) == (
        "succeeded",
        "budget_spent",
        None,
    )
    assert (ended.generation, ended.crashes, ended.runner) == (6, 0, None)
    assert ended.queries == BASELINE + 6 * GENERATION == ended.baseline["queries"] + 240
    assert bench.toy.asked == ended.queries + TEST
    assert report["usage"] == {"queries": ended.queries, "report_queries": TEST}

    assert report["endpoint"] == {"kind": "encoder", "model": "minilm"}
    assert report["dataset"] == {"id": "colors", "sha256": catalog.dataset("colors").sha256}

    rows = [row for row, _ in store.generations(job.id)]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.queries for row in rows] == [BASELINE + n * GENERATION for n in range(1, 7)]
    best = min(row.dev_loss for row in rows)
    assert rows[-1].incumbent_dev_loss == best == store.prompt(job.id).dev_loss
    assert all("sigma" in row.internals for row in rows)
    assert ended.seconds >= ended.model_seconds > 0

    types = [event.type for event in store.events(job.id)]
    assert types == ["status"] * 3 + ["generation"] * 6 + ["result", "status", "done"]
    json.dumps([ended.result, ended.baseline, report], allow_nan=False)


def test_the_report_compares_on_the_test_split(bench, store, enqueue, catalog):
    job = enqueue(task={"baseline": "Which color?"}, budget={"queries": 1000})
    bench.run()
    report, stored = store.report(job.id).body, store.prompt(job.id)
    assert report["baseline"]["prompt"] == "Which color?"
    assert (report["tuned"]["kind"], report["tuned"]["generation"]) == ("soft", stored.generation)
    assert (report["baseline"]["accuracy"], report["tuned"]["accuracy"]) == (0.5, 1.0)
    assert (report["outcome"], report["fixed"], report["broken"]) == ("improved", 10, 0)
    assert store.job(job.id).result["outcome"] == "improved"
    # the stored bytes are the prompt that was scored
    task = Task("{prompt} {text}", {"blue": "blue", "red": "red"})
    prompt = prompts.loads(stored.kind, stored.content)
    split = catalog.split("colors")
    (on_test,) = Objective(task, ToyBackend(), split.test).score([(prompt, None)])
    (on_dev,) = Objective(task, ToyBackend(), split.dev).score([(prompt, None)])
    assert on_test.loss == report["tuned"]["loss"]
    assert (on_dev.loss, on_dev.accuracy) == (stored.dev_loss, stored.dev_accuracy)
    assert [word for word, _ in stored.nearest_words] == ["one", "one"]


def test_what_is_kept_beside_the_rows(bench, store, enqueue, catalog):
    """The report's scores row by row, and of each generation when it came and at what price."""
    before, job = datetime.now(UTC), enqueue(budget={"queries": 1000})
    bench.run()
    body, kept = store.report(job.id).body, store.scores([job.id])[job.id]
    for side in ("baseline", "tuned"):
        assert len(kept[side]) == 20 and np.mean(kept[side]) == body[side]["accuracy"]
    assert kept["rows"] == report_scores(catalog.split("colors").test).rows
    assert kept["rows"] != report_scores(catalog.split("colors").dev).rows
    assert "scores" not in body, "they are not told"
    times = [timing.at for _, timing in store.generations(job.id)]
    assert before < times[0] and times == sorted(times)
    assert {(timing.tokens, timing.cost) for _, timing in store.generations(job.id)} == {(0, 0)}


def report_scores(examples):
    nothing = np.zeros(len(examples))
    scored = Scored(nothing, nothing, nothing.astype(object), nothing)
    return scores(scored, scored, examples)


def test_words_are_kept_of_text_prompts_alone(bench, store, enqueue):
    grips = {"name": "grips", "level": "word", "n_candidates": 4, "initial_text": "look at this"}
    text, soft = enqueue(method=grips, budget={"queries": 400}), enqueue()
    for _ in range(2):
        bench.run()
    rows = {row.number: row for row, _ in store.generations(text.id)}
    assert len(rows) > 3 and all(row.text is not None for row in rows.values())
    prompt = store.prompt(text.id)
    assert rows[prompt.generation].text == prompt.text
    assert {row.text for row, _ in store.generations(soft.id)} == {None}


def test_only_the_report_sees_the_test_split(bench, store, enqueue):
    enqueue()
    bench.run()
    *search, report = bench.toy.calls
    assert len(report) == TEST and all(" of test " in query.before for query in report)
    assert not any(" of test " in query.before for call in search for query in call)


@pytest.mark.parametrize("budget", [56, 56 + 39, 56 + 40, 200, 57 + 3 * 40])
def test_the_budget_is_never_exceeded(budget, bench, store, enqueue):
    job = enqueue(budget={"queries": budget})
    bench.run()
    n = (budget - BASELINE) // GENERATION
    assert store.job(job.id).status == Status.SUCCEEDED
    assert store.job(job.id).queries == BASELINE + n * GENERATION <= budget
    assert bench.toy.asked == BASELINE + n * GENERATION + TEST, "nothing was asked for nothing"


def test_the_same_job_twice_is_the_same(bench, store, enqueue):
    first, second, other = enqueue(), enqueue(), enqueue(seed=4)
    for _ in range(3):
        bench.run()
    assert outcome(store, first) == outcome(store, second)
    assert outcome(store, first)["prompt"] != outcome(store, other)["prompt"]


# Queries at which the model is answering: the baseline's two calls, generations, the report.
MOMENTS = [1, 9, 17, BASELINE + GENERATION - 8 + 1, 100, 169, 249, 257]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_an_interrupted_job_ends_as_if_undisturbed(how, moment, bench, store, queue, enqueue):
    undisturbed = enqueue()
    bench.run()
    bench.toy.calls.clear()

    job = enqueue()
    runner = bench.runner("first")
    if how == "stopped":
        bench.at_query(moment, runner.stop.set)
        runner.run(queue.claim("first"))
        # one that is stopped as it answers for the last time has nothing to hand back
        if store.job(job.id).status != Status.SUCCEEDED:
            assert store.job(job.id).status == Status.QUEUED
            bench.run("second")
            assert store.job(job.id).attempts == 2
    else:

        def die():
            raise Killed

        bench.at_query(moment, die)
        with pytest.raises(Killed):
            runner.run(queue.claim("first"))
        assert store.job(job.id).status == Status.RUNNING
        bench.run("second", at=time.time() + STALE_AFTER + 1)
        assert store.job(job.id).attempts == 2
    assert outcome(store, job) == outcome(store, undisturbed)
    wasted = bench.toy.asked - (BASELINE + 6 * GENERATION + TEST)
    assert wasted <= GENERATION, "at most one generation is asked again"


def test_many_interruptions(bench, store, queue, enqueue):
    undisturbed = enqueue()
    bench.run()
    job = enqueue()
    bench.toy.calls.clear()
    attempts = 0
    while store.job(job.id).status == Status.QUEUED:
        attempts += 1
        runner = bench.runner(f"runner {attempts}")
        # alternately in the middle of a generation and between two
        bench.at_query(bench.toy.asked + (41 if attempts % 2 else 33), runner.stop.set)
        runner.run(queue.claim(runner.name))
    assert attempts > 4
    assert outcome(store, job) == outcome(store, undisturbed)


def test_cancelling_keeps_the_best_prompt(bench, store, enqueue):
    job = enqueue(budget={"queries": 100_000})
    runner = bench.runner()

    def cancel():
        store.cancel(job.id)
        eventually(lambda: runner._halt is not None)

    bench.at_query(BASELINE + 3 * GENERATION + 1, cancel)
    runner.run(bench.queue.claim("a"))
    ended = store.job(job.id)
    assert (ended.status, ended.termination_reason) == (Status.CANCELLED, "cancelled")
    assert (ended.generation, ended.queries) == (3, BASELINE + 3 * GENERATION)
    assert store.prompt(job.id).generation <= 3
    assert (ended.result, ended.error, store.report(job.id)) == (None, None, None)


def test_a_lost_job_is_left_alone(bench, store, queue, enqueue, caplog):
    job = enqueue(budget={"queries": 100_000})
    runner = bench.runner("slow")

    def lose():
        assert queue.claim("quick", at=time.time() + STALE_AFTER + 1).id == job.id
        eventually(lambda: runner._halt is LostJob)

    bench.at_query(100, lose)
    runner.run(queue.claim("slow"))
    stored = store.job(job.id)
    assert (stored.status, stored.runner, stored.attempts) == (Status.RUNNING, "quick", 2)
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == [
        f"job {job.id}: lost to another runner"
    ]


@pytest.mark.parametrize("why", ["stop", "cancel", "error"])
def test_a_job_lost_unnoticed_is_left_alone(why, bench, store, queue, enqueue, monkeypatch):
    """The heartbeat has not found out yet when the runner wants to write its last word."""
    monkeypatch.setattr(jobs.runner, "HEARTBEAT", 60.0)
    job = enqueue(budget={"queries": 100_000})
    runner = bench.runner("slow")

    def lose():
        queue.claim("quick", at=time.time() + STALE_AFTER + 1)
        if why == "stop":
            runner.stop.set()
        elif why == "cancel":
            runner._halt = jobs.runner.Stopped
        else:
            raise BackendUnavailable("down")

    bench.at_query(90, lose)
    runner.run(queue.claim("slow"))
    assert (store.job(job.id).status, store.job(job.id).runner) == (Status.RUNNING, "quick")


def test_a_failing_model_fails_the_job(bench, store, enqueue):
    job, next_one = enqueue(), enqueue()

    def fail():
        raise BackendRefused("no such model")

    bench.at_query(BASELINE + 2 * GENERATION + 1, fail)
    bench.run()
    ended = store.job(job.id)
    assert (ended.status, ended.termination_reason) == (Status.FAILED, "failed")
    assert ended.error == {
        "message": "BackendRefused: no such model",
        "type": "service_error",
        "param": None,
        "code": "BackendRefused",
    }
    assert store.prompt(job.id) is not None, "what was found before is kept"
    bench.run()
    assert store.job(next_one.id).status == Status.SUCCEEDED


def go_down():
    raise BackendUnavailable("no route to host")


def test_a_job_waits_while_its_endpoint_is_down(bench, store, queue, enqueue):
    job, undisturbed = enqueue(), enqueue()
    moment, pauses = time.time(), []
    for outage in range(3):
        bench.at_query(bench.toy.asked + (BASELINE + GENERATION if outage == 0 else 1), go_down)
        bench.run(at=moment)
        waiting = store.job(job.id)
        assert (waiting.status, waiting.runner) == (Status.PAUSED, None)
        assert "no route to host" in waiting.error["message"]
        pauses.append(waiting.retry_at - time.time())
        moment = waiting.retry_at
    assert pauses == pytest.approx([15, 30, 60], abs=1), "a pause is twice as long as the last"
    assert queue.claim("b", at=moment - 1).id == undisturbed.id, "it does not hold up the others"
    queue.release("b", crashed=False)
    bench.run(at=moment)
    bench.run()
    assert store.job(job.id).outages == 0
    assert store.job(job.id).error is None
    assert outcome(store, job) == outcome(store, undisturbed)


def test_a_paused_job_can_be_resumed_at_once(bench, store, queue, enqueue):
    job = enqueue()
    bench.at_query(BASELINE + 1, go_down)
    bench.run()
    assert queue.claim("b") is None
    assert store.resume(job.id).status == Status.QUEUED
    bench.run()
    assert store.job(job.id).status == Status.SUCCEEDED
    with pytest.raises(NotPaused, match="is succeeded; only a paused job"):
        store.resume(job.id)


def test_a_paused_job_can_be_cancelled(bench, store, enqueue):
    job, other = enqueue(), enqueue()
    bench.at_query(BASELINE + 1, go_down)
    bench.run()
    assert store.cancel(job.id).status == Status.CANCELLED
    bench.at_query(bench.toy.asked + 1, lambda: (store.cancel(other.id), go_down()))
    bench.run()
    assert store.job(other.id).status == Status.CANCELLED, "an outage does not hide the wish"


def test_the_wall_of_seconds_ends_a_search(bench, store, enqueue):
    job = enqueue(budget={"queries": 10**6, "seconds": 0.3})
    bench.run()
    ended = store.job(job.id)
    assert (ended.status, ended.termination_reason) == (Status.SUCCEEDED, "budget_spent")
    assert 0 < ended.seconds < 3  # up to the last generation that is whole
    assert 0 < ended.queries < 10**6


def test_a_wall_that_leaves_no_generation_is_said(bench, store, enqueue):
    job = enqueue(budget={"queries": 10**6, "seconds": 1e-6})
    bench.run()
    ended = store.job(job.id)
    assert (ended.status, ended.termination_reason) == (Status.FAILED, "budget_spent")
    assert ended.error["message"] == "BudgetSpent: 1e-06 seconds are over"


def test_losses_that_are_no_numbers_fail_the_job(bench, store, enqueue):
    job = enqueue()
    bench.toy.meddle = lambda queries, scores: scores * np.nan
    bench.run()
    ended = store.job(job.id)
    assert ended.status == Status.FAILED
    assert "all 4 candidates of generation 1 failed" in ended.error["message"]
    assert ended.baseline["train_loss"] is None


def test_lost_dev_and_test_scores_do_not_break_the_rows(bench, store, enqueue):
    def lose(queries, scores):
        lost = [" of train " not in query.before for query in queries]
        scores[lost] = np.nan
        return scores

    job = enqueue()
    bench.toy.meddle = lose
    bench.run()
    ended, report = store.job(job.id), store.report(job.id).body
    assert ended.status == Status.SUCCEEDED
    assert [row.dev_loss for row, _ in store.generations(job.id)] == [None] * 6
    assert (report["outcome"], report["tuned"]["loss"]) == ("no_improvement", None)
    json.dumps([ended.result, ended.baseline, report], allow_nan=False)


@pytest.mark.parametrize(("change", "missing"), [("dataset", "NoSuchDataset"), ("endpoint", None)])
def test_what_a_job_needs_may_be_gone(change, missing, bench, store, enqueue, catalog, database):
    catalog.add_endpoint("own", "encoder", "minilm", {})
    job = enqueue(endpoint="own")
    row = catalog.dataset("colors") if change == "dataset" else catalog.endpoint("own")
    with database.writing() as session:  # past the catalog, which refuses it
        session.delete(row)
    bench.run()
    ended = store.job(job.id)
    assert (ended.status, ended.error["code"]) == (Status.FAILED, missing or "NoSuchEndpoint")


def test_a_runner_works_until_it_is_asked_to_stop(bench, store, enqueue):
    jobs_ = [enqueue() for _ in range(3)]
    runner = bench.runner()
    bench.at_query(2 * (BASELINE + 6 * GENERATION + TEST) + 100, runner.stop.set)
    runner.work()
    assert [store.job(job.id).status for job in jobs_] == ["succeeded", "succeeded", "queued"]


def test_a_missed_heartbeat_is_survived(bench, store, enqueue, monkeypatch, caplog):
    beats = []

    def beat(job):
        beats.append(job.id)
        raise OSError("disk full")

    job = enqueue()
    monkeypatch.setattr(JobQueue, "beat", lambda self, job: beat(job))
    bench.at_query(100, lambda: eventually(lambda: len(beats) >= 2))
    bench.run()
    assert store.job(job.id).status == Status.SUCCEEDED
    assert f"job {job.id}: no heartbeat" in caplog.messages
