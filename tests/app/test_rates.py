"""Buckets of requests, on a clock of the test's own."""

import pytest

from app.rates import Rates


def test_a_minute_s_requests_at_once_and_then_one_after_the_other() -> None:
    rates = Rates()
    assert [rates.wait("k", 6, 100.0) for _ in range(6)] == [0.0] * 6
    assert rates.wait("k", 6, 100.0) == pytest.approx(10.0)
    assert rates.wait("k", 6, 105.0) == pytest.approx(5.0)
    assert rates.wait("k", 6, 110.0) == 0.0
    assert rates.wait("k", 6, 110.0) == pytest.approx(10.0)


def test_no_more_than_a_minute_s_requests_are_saved() -> None:
    rates = Rates()
    rates.wait("k", 2, 0.0)
    assert [rates.wait("k", 2, 10_000.0) > 0 for _ in range(3)] == [False, False, True]


def test_every_key_has_its_own() -> None:
    rates = Rates()
    assert rates.wait("a", 1, 0.0) == rates.wait("b", 1, 0.0) == 0.0
    assert rates.wait("a", 1, 0.0) > 0
