"""A replica that fails is left out, and comes back by a trial."""

import pytest

from backends.remote.breaker import COOL, FAILURES, LONGEST, SPAN, Breaker


class Clock:
    """Stands still unless told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(clock)


def fail(breaker, clock, times=1):
    for _ in range(times):
        clock.now += SPAN / (FAILURES - 1)
        breaker.failed(began=clock.now, what="connection refused")


def test_it_opens_after_failures_in_a_row(breaker, clock):
    fail(breaker, clock, FAILURES - 1)
    assert breaker.lets_pass
    fail(breaker, clock)
    assert breaker.is_open
    assert not breaker.lets_pass
    assert (breaker.last, breaker.failures) == ("connection refused", FAILURES)


def test_an_answer_between_starts_the_count_again(breaker, clock):
    fail(breaker, clock, FAILURES - 1)
    breaker.answered()
    fail(breaker, clock, FAILURES - 1)
    assert breaker.lets_pass


def test_failures_within_a_moment_do_not_open_it(breaker, clock):
    for _ in range(100):
        clock.now += SPAN / 200
        breaker.failed(began=clock.now, what="reset")
    assert breaker.lets_pass


def test_requests_that_fail_together_count_once(breaker, clock):
    began = clock.now
    clock.now += 1
    for _ in range(100):
        breaker.failed(began, "reset")
    assert (breaker.failures, breaker.is_open) == (1, False)


def test_one_trial_after_the_cooling(breaker, clock):
    fail(breaker, clock, FAILURES)
    clock.now += COOL
    assert not breaker.is_open
    assert breaker.lets_pass
    breaker.begin()
    assert not breaker.lets_pass
    breaker.answered()
    breaker.end()
    assert breaker.lets_pass
    breaker.begin()
    assert breaker.lets_pass  # closed: any number


def test_a_failed_trial_doubles_the_time_up_to_a_bound(breaker, clock):
    fail(breaker, clock, FAILURES)
    waits = []
    for _ in range(6):
        clock.now = breaker.open_until
        breaker.begin()
        fail(breaker, clock)
        breaker.end()
        waits.append(round(breaker.open_until - clock.now, 1))
    assert waits == [10.0, 20.0, 40.0, LONGEST, LONGEST, LONGEST]


def test_a_trial_that_was_called_off_leaves_room_for_another(breaker, clock):
    fail(breaker, clock, FAILURES)
    clock.now += COOL
    breaker.begin()
    breaker.end()
    assert breaker.lets_pass


def test_it_can_be_opened_at_once(breaker, clock):
    breaker.trip(600, "answered 429, to be left alone for 600 seconds")
    clock.now += 599
    assert breaker.is_open
    clock.now += 1
    assert not breaker.is_open
