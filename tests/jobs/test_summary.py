"""What was spent today, by jobs that began today, before it, and never."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.ledger import PICO
from jobs.models import EndpointRow, JobRow, TimingRow, UsageRow
from jobs.summary import today
from tests.jobs.test_generations import row

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
YESTERDAY = datetime(2026, 11, 20, 22, tzinfo=UTC)


@pytest.fixture
def worked(database):
    """A job that was held last at an instant, with generations recorded at others.

    Each generation has taken 10 queries and 100 tokens, of a billionth each.
    """

    def put(id_, at, recorded, *, endpoint="minilm", more=0, project="default"):
        n = len(recorded)
        held = {"started_at": recorded[0] if recorded else at, "heartbeat": at.timestamp()}
        job = JobRow(id=id_, spec={"endpoint": endpoint}, queries=10 * n, **held)
        tokens = 100 * n + more  # more: what was spent since the last generation
        spent = UsageRow(
            job_id=id_, tokens_in=tokens - 10, tokens_out=10, cost=tokens * PICO // 100
        )
        with database.of(project).writing() as session:
            session.add(job)
            session.flush()
            session.add(spent)
            for number, when in enumerate(recorded, start=1):
                known = {} if when is None else {"tokens": 100 * number, "cost": number * PICO}
                session.add(row(id_, number, 1.0, 1, None))
                times = {"seconds": 1.0, "model_seconds": 1.0, "at": when}
                session.add(TimingRow(job_id=id_, number=number, **times, **known))

    return put


def spent(database, at=NOON):
    found = today(database.of("default"), at=at)
    return found.queries, found.tokens, found.cost


def test_nothing_was_spent(database):
    assert spent(database) == (0, 0, {})


def test_a_job_of_today_counts_whole_with_what_its_report_has_taken(worked, database):
    worked("job_1", NOON, [NOON - timedelta(hours=n) for n in (3, 2, 1)], more=40)
    assert spent(database) == (30, 340, {"USD": 3.4})


def test_of_a_job_that_spans_midnight_only_today_s_part_counts(worked, database):
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    minutes = (-90, -30, -1, 0, 30)  # the third was the last before it
    worked("job_1", NOON, [midnight + timedelta(minutes=n) for n in minutes])
    assert spent(database) == (20, 200, {"USD": 2.0})
    assert spent(database, midnight - timedelta(seconds=1)) == (50, 500, {"USD": 5.0})


def test_what_has_ended_before_midnight_counts_no_more(worked, database):
    worked("job_1", YESTERDAY, [YESTERDAY], more=50)
    assert spent(database) == (0, 0, {})
    assert spent(database, YESTERDAY + timedelta(hours=1)) == (10, 150, {"USD": 1.5})


def test_what_was_recorded_before_it_was_told_is_none_of_today_s_queries(worked, database):
    worked("job_1", NOON, [YESTERDAY, None, NOON])
    assert spent(database)[0] == 10


def test_currencies_and_endpoints_that_are_gone(worked, database):
    with database.of("default").writing() as session:
        options = {"currency": "EUR"}
        session.add(EndpointRow(id="paid", kind="openai", model="m", options=options))
    for n, endpoint in enumerate(("paid", "paid", "gone", "minilm")):
        worked(f"job_{n}", NOON, [NOON], endpoint=endpoint)
    assert spent(database)[2] == {"EUR": 2.0, "other": 1.0, "USD": 1.0}


def test_other_projects_spend_for_themselves(worked, database):
    worked("job_1", NOON, [NOON], project="two")
    assert spent(database) == (0, 0, {})
    assert today(database.of("two"), at=NOON).queries == 10
