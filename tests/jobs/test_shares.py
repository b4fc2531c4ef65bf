"""Runners shared out among projects: how many jobs of each run at once, and whose is next."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from jobs.models import Status
from jobs.queue import STALE_AFTER, JobQueue
from jobs.spec import JobSpec
from jobs.store import Ending, JobStore
from tests.jobs.conftest import COLORS

SPEC = JobSpec.model_validate(COLORS)
DONE = Ending(Status.SUCCEEDED, "budget_spent")


@pytest.fixture
def submit(database):
    """Puts so many jobs of a project into the queue; their ids."""

    def put(project, n=1, **more):
        store = JobStore(database.of(project))
        return [store.enqueue(SPEC, **more).id for _ in range(n)]

    return put


def projects_of(claimed):
    return [job.project for job in claimed if job]


def test_a_project_runs_no_more_than_it_may(database, submit):
    queue = JobQueue(database, 0, 2)
    ones, [two] = submit("one", 4), submit("two")
    claimed = [queue.claim(name) for name in "abcde"]
    assert [job.id for job in claimed if job] == [ones[0], two, ones[1]]
    assert claimed[3:] == [None, None], "a free runner waits, and the others' jobs with it"
    queue.finish(claimed[0], DONE)
    assert [job and job.id for job in (queue.claim("a"), queue.claim("b"))] == [ones[2], None]


def test_a_full_project_holds_nobody_else_up(database, submit):
    queue = JobQueue(database, 0, 1)
    submit("one", 3, priority=5)
    assert queue.claim("a").project == "one"
    [two] = submit("two")
    assert queue.claim("b").id == two, "later and of lower priority, but first that may run"


def test_the_service_s_limit_holds_beside_it(database, submit):
    queue = JobQueue(database, 3, 2)
    for project in ("one", "two"):
        submit(project, 3)
    assert Counter(projects_of(queue.claim(n) for n in "abcdef")) == {"one": 2, "two": 1}


def test_a_silent_job_does_not_count(database, submit):
    queue = JobQueue(database, 0, 1)
    [first, _] = submit("one", 2)
    queue.claim("a", at=100.0)
    assert queue.claim("b", at=100.0 + STALE_AFTER - 1) is None
    assert queue.claim("b", at=101.0 + STALE_AFTER).id == first


def test_two_runners_are_shared_by_two_projects(database, submit):
    """Whoever has submitted a hundred jobs first, the other's only one is next."""
    queue = JobQueue(database)
    ones, twos = submit("one", 5), submit("two", 2)
    held = {name: queue.claim(name) for name in "ab"}
    assert [job.id for job in held.values()] == [ones[0], twos[0]]
    queue.finish(held["a"], DONE)
    assert queue.claim("a").id == ones[1], "`two` has one running, `one` none"
    queue.finish(held["b"], DONE)
    assert queue.claim("b").id == twos[1]


def test_priority_comes_before_fairness(database, submit):
    queue = JobQueue(database)
    usual = submit("one", 2)
    submit("two", 1)
    [urgent] = submit("one", 1, priority=1)
    assert queue.claim("a").id == urgent
    assert queue.claim("b").project == "two"
    assert queue.claim("c").id == usual[0], "`one` and `two` have one each: the oldest"


def test_the_limit_holds_among_runners_that_claim_at_the_same_time(database, submit):
    for project in ("one", "two"):
        submit(project, 20)
    most, claims = Counter(), count()
    full = Barrier(4)  # two of each project, which is all that may run

    def work(name):
        queue, taken = JobQueue(database, 0, 2), 0
        while taken < 5 and (job := _claimed(queue, name)):
            if next(claims) < full.parties:
                full.wait(30)
            with database.reading() as session:
                running = session.connection().exec_driver_sql(
                    "SELECT project, count(*) FROM jobs WHERE status = 'running' GROUP BY project"
                )
                most.update({f"{name} {p}": max(0, n - most[f"{name} {p}"]) for p, n in running})
            queue.finish(job, DONE)
            taken += 1
        return taken

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, "abcdefgh")) == 40
    assert max(most.values()) == 2


def _claimed(queue, name, seconds=30.0):
    """The next job, whenever there is room for it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if job := queue.claim(name):
            return job
    return None
