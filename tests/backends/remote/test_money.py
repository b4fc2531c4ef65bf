"""Prices are exact whole numbers."""

import math

import pytest

from backends.remote.money import FREE, UNIT, Prices


@pytest.mark.parametrize(
    ("per_million", "each"),
    [
        (1, 10**6),
        (0.15, 150_000),
        (0.6, 600_000),
        (2.5, 2_500_000),
        (0.075, 75_000),
        (0, 0),
        (1e-6, 1),
        (0.1 + 0.2, 300_000),
        (75.0, 75_000_000),
    ],
)
def test_a_price_is_taken_at_its_digits(per_million, each):
    assert Prices.per_million(per_million, 0) == Prices(each, 0)


def test_a_million_tokens_cost_the_price():
    assert Prices.per_million(0.15, 0.6).cost(10**6, 2 * 10**6) == UNIT * 135 // 100


def test_cost_adds_up_without_rounding():
    prices = Prices.per_million(0.1, 0.3)
    assert sum(prices.cost(1, 1) for _ in range(1000)) == prices.cost(1000, 1000)


@pytest.mark.parametrize(
    ("given", "known"), [((1, 2), True), ((None, 2), False), ((1, None), False)]
)
def test_half_a_price_list_is_not_known(given, known):
    assert Prices.per_million(*given).is_known is known


def test_free_is_known_to_be_free():
    assert FREE.is_known
    assert FREE.cost(10**9, 10**9) == 0


@pytest.mark.parametrize("price", [-0.01, math.nan, math.inf])
def test_what_is_no_price_is_refused(price):
    with pytest.raises(ValueError, match="not below 0"):
        Prices.per_million(price, 1)
