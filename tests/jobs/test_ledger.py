"""Walls that hold to the unit: under many threads, through a crash, and for the report to come."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends.base import Usage
from jobs.accounts import Accounts, usage_of
from jobs.ledger import AHEAD, PICO, Ledger, Walls
from jobs.meter import BudgetSpent
from jobs.queue import LostJob

MOST = Usage(1, 100, 20, 140)


@pytest.fixture
def accounts(database):
    return Accounts(database)


@pytest.fixture
def job(enqueue):
    return enqueue()


@pytest.fixture
def open_ledger(accounts, job):
    def opened(walls=None, attempt=1, cache="read"):
        return Ledger(accounts, job.id, attempt, walls or Walls(), cache)

    return opened


@pytest.fixture
def stored(store, job):
    return lambda: store.usage([job.id])[job.id]


def spend(ledger, used=MOST, answer=None):
    ledger.reserve(MOST)
    ledger.settle(MOST, used, answer)


def tokens(usage):
    return usage.tokens_in + usage.tokens_out


@pytest.mark.parametrize(
    ("walls", "measure", "wall"),
    [
        (Walls(tokens=120 * 37), tokens, "tokens"),
        (Walls(cost=140 * 37), lambda usage: usage.cost, "cost"),
    ],
)
def test_the_wall_is_reached_and_never_passed(walls, measure, wall, open_ledger):
    ledger = open_ledger(walls)
    for _ in range(37):
        spend(ledger)
    with pytest.raises(BudgetSpent, match=f"could pass the wall of {wall}") as caught:
        ledger.reserve(Usage(1, 1, 0, 1))
    assert caught.value.wall == wall
    assert measure(ledger.spent) == 37 * measure(MOST)


def test_sixty_four_at_once_do_not_pass_it(open_ledger, stored):
    """What is billed is less than what was set aside, so that late comers fit in again."""
    walls = Walls(tokens=20_000, cost=30_000)
    ledger, in_flight, worst = open_ledger(walls), threading.Semaphore(64), []

    def ask(seed):
        draw = random.Random(seed)
        with in_flight:
            ledger.reserve(MOST)
            used = Usage(1, draw.randint(1, 100), draw.randint(0, 20), draw.randint(1, 140))
            ledger.settle(MOST, used)
            worst.append((tokens(ledger.spent), ledger.spent.cost))

    with ThreadPoolExecutor(64) as pool:
        done = [pool.submit(ask, seed) for seed in range(1500)]
    refused = [each.exception() for each in done if each.exception()]
    assert refused and all(isinstance(each, BudgetSpent) for each in refused)
    assert max(n for n, _ in worst) <= walls.tokens and max(n for _, n in worst) <= walls.cost
    assert tokens(ledger.spent) > walls.tokens - 64 * 120, "it is not left far from the wall"
    ledger.flush()
    assert usage_of(stored()) == ledger.spent
    assert stored().aside_cost == 0


def test_the_database_never_falls_short(open_ledger, stored):
    """At any moment a crash may come: what is written covers all that may have been billed."""
    ledger = open_ledger(Walls(cost=10**6))
    for n in range(200):
        ledger.reserve(MOST)
        row = stored()
        assert row.cost + row.aside_cost >= ledger.spent.cost + MOST.cost
        ledger.settle(MOST, Usage(1, 50, 10, 70 + n % 70))


def test_after_a_crash_what_was_set_aside_is_spent(open_ledger, stored):
    ledger = open_ledger(Walls(cost=10**6))
    for _ in range(10):
        spend(ledger)
    ledger.reserve(MOST)  # and then the power fails
    again = open_ledger(Walls(cost=10**6), attempt=2)
    assert 11 * MOST.cost <= again.spent.cost <= (10 + 1 + AHEAD) * MOST.cost
    assert stored().aside_cost == 0


def test_setting_aside_in_advance_stays_within_the_walls(open_ledger, stored):
    walls = Walls(tokens=5 * 120)
    spend(open_ledger(walls))
    row = stored()
    assert row.tokens_in + row.tokens_out + row.aside_tokens_in + row.aside_tokens_out <= 5 * 120
    assert tokens(open_ledger(walls, attempt=2).spent) <= walls.tokens


def test_what_failed_is_given_back(open_ledger):
    ledger = open_ledger(Walls(cost=MOST.cost))
    for _ in range(5):
        spend(ledger, used=Usage())
    spend(ledger)
    assert ledger.spent == MOST


def test_a_bill_above_the_reservation_is_told_as_it_is(open_ledger, stored):
    ledger = open_ledger(Walls(cost=10 * PICO))
    spend(ledger, used=Usage(1, 900, 900, 9 * PICO))
    ledger.flush()
    assert stored().cost == 9 * PICO


def test_the_report_stays_affordable(open_ledger):
    ledger = open_ledger(Walls(cost=20 * MOST.cost))
    ledger.held_requests = 8
    for _ in range(12):
        spend(ledger)
    with pytest.raises(BudgetSpent):
        spend(ledger)
    ledger.held_requests = 0
    for _ in range(8):
        spend(ledger)
    assert ledger.spent.cost == 20 * MOST.cost


@pytest.mark.parametrize(
    ("cache", "recalled", "kept"),
    [("read", {"a": "1"}, "2"), ("refresh", {}, "2"), ("off", {}, None)],
)
def test_the_modes_of_the_cache(cache, recalled, kept, open_ledger, accounts, stored):
    first = open_ledger()
    spend(first, answer=("a", "1"))
    first.flush()
    ledger = open_ledger(attempt=2, cache=cache)
    assert ledger.recall(["a", "b"]) == recalled
    spend(ledger, answer=("b", "2"))
    ledger.flush()
    assert accounts.recall(["b"]).get("b") == kept
    assert stored().recalled == len(recalled)


def test_an_answer_is_remembered_before_it_is_written_down(open_ledger, accounts):
    ledger = open_ledger()
    spend(ledger, answer=("a", "1"))
    assert accounts.recall(["a"]) == {}
    assert ledger.recall(["a", "b"]) == {"a": "1"}


def test_a_refreshed_answer_takes_the_place_of_the_old_one(open_ledger, accounts):
    for attempt, body in enumerate(("old", "new"), start=1):
        ledger = open_ledger(attempt=attempt, cache="refresh")
        spend(ledger, answer=("a", body))
        ledger.flush()
    assert accounts.recall(["a"]) == {"a": "new"}


def test_many_answers_at_once(open_ledger, accounts):
    ledger = open_ledger()
    for n in range(1300):
        spend(ledger, answer=(f"key {n}", "{}"))
    ledger.flush()
    assert len(accounts.recall([f"key {n}" for n in range(2000)])) == 1300


def test_only_one_attempt_may_write(open_ledger, stored):
    old = open_ledger()
    spend(old)
    new = open_ledger(attempt=2)
    spend(new)
    new.flush()
    before = stored()
    with pytest.raises(LostJob, match="no longer attempt 1's"):
        spend(old)
        old.flush()
    assert stored() == before


def test_who_wants_to_stop_sends_nothing_more(open_ledger):
    class Stopped(Exception):
        pass

    def stop():
        raise Stopped

    ledger = open_ledger()
    spend(ledger)
    ledger.look_up = stop
    with pytest.raises(Stopped):
        ledger.reserve(MOST)
    ledger.look_up = lambda: None
    spend(ledger)
    assert ledger.spent == MOST + MOST
