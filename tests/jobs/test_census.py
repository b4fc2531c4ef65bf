"""Counts for metrics, against a database filled by hand."""

import pytest

from jobs.census import CURRENCIES, census
from jobs.ledger import PICO
from jobs.models import EndpointRow, JobRow, Status, UsageRow
from jobs.webhook_rows import DeliveryRow, WebhookRow


def put(database, *rows):
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def spent(id_, endpoint, cost):
    job = JobRow(id=id_, spec={"endpoint": endpoint}, generation=2, queries=10, seconds=1.5)
    usage = UsageRow(job_id=id_, requests=3, recalled=1, tokens_in=70, tokens_out=5, cost=cost)
    return job, usage


def test_an_empty_service(database):
    found = census(database)
    assert found.jobs == {str(status): 0 for status in Status}
    assert found.deliveries == {"pending": 0, "delivered": 0, "failed": 0}
    assert found.heartbeat_age == 0
    assert set(found.sums.values()) == {0}
    assert found.cost == {}


def test_jobs_and_what_they_cost(database):
    options = {"one": {}, "two": {"currency": "EUR"}, "three": {"currency": "EUR"}}
    put(
        database,
        *(EndpointRow(id=id_, kind="openai", model="m", options=o) for id_, o in options.items()),
        *spent("a", "one", PICO // 4),
        *spent("b", "two", PICO),
        *spent("c", "three", PICO),
        *spent("d", "deleted", 2 * PICO),
        *spent("e", "one", 0),
        WebhookRow(id="wh", url="", events=[], secret=""),
        DeliveryRow(id="evt", webhook_id="wh", type="", job_id="a", body=""),
    )
    found = census(database)
    assert found.jobs["queued"] == 5
    assert found.deliveries["pending"] == 1
    assert found.sums == {
        "generation": 10,
        "queries": 50,
        "seconds": 7.5,
        "model_seconds": 0,
        "requests": 15,
        "recalled": 5,
        "tokens_in": 350,
        "tokens_out": 25,
    }
    assert found.cost == pytest.approx({"USD": 0.25, "EUR": 2.0, "other": 2.0})


def test_the_longest_silence_of_those_that_run(database):
    put(
        database,
        JobRow(id="a", spec={}, status=Status.RUNNING, heartbeat=90.0),
        JobRow(id="b", spec={}, status=Status.RUNNING, heartbeat=70.0),
        JobRow(id="c", spec={}, status=Status.SUCCEEDED, heartbeat=10.0),
    )
    assert census(database, at=100.0).heartbeat_age == 30.0


def test_currencies_are_bounded(database):
    for n in range(CURRENCIES + 5):
        row = EndpointRow(id=f"e{n}", kind="openai", model="m", options={"currency": f"C{n:02}"})
        put(database, row, *spent(f"job{n}", f"e{n}", PICO))
    found = census(database).cost
    assert len(found) == CURRENCIES + 1
    assert found["other"] == pytest.approx(5.0)
