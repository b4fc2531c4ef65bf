import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from jobs.significance import (
    COUNTED,
    GRADED,
    RESAMPLES,
    bootstrap_interval,
    mcnemar,
    paired_bootstrap,
    wilson,
)

Z = 1.959963984540054  # the 97.5 % quantile of the standard normal


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_its_closed_form(case):  # Wilson 1927, equation 1
    k, n = case
    center = (k + Z**2 / 2) / (n + Z**2)
    half = Z / (n + Z**2) * math.sqrt(k * (n - k) / n + Z**2 / 4)
    low, high = wilson(k, n)
    assert low == pytest.approx(center - half, abs=1e-9)
    assert high == pytest.approx(center + half, abs=1e-9)
    assert 0 <= low <= k / n <= high <= 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_sum(fixed, broken):
    n, fewer = fixed + broken, min(fixed, broken)
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)
    assert mcnemar(fixed, broken) == mcnemar(broken, fixed)


def test_mcnemar_by_hand():
    assert mcnemar(6, 0) == pytest.approx(2 / 64)
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(0, 0) == mcnemar(1, 1) == 1.0


def every_mean(values):
    """Of all n^n ways to draw n values with replacement."""
    return np.array([np.mean(drawn) for drawn in product(values, repeat=len(values))])


VALUES = [
    [0.0, 0.2, 0.5, 0.9, 1.0],
    [0.1, 0.1, 0.4, 0.8, 0.95],
    [-0.6, -0.1, 0.0, 0.5, 0.7],
    [0.3, 0.5, 0.1, 0.35, -0.2],
]


@pytest.mark.parametrize("values", VALUES)
def test_the_interval_is_that_of_all_resamples(values):
    low, high = bootstrap_interval(np.array(values))
    wanted = np.quantile(every_mean(values), [0.025, 0.975])
    assert [low, high] == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("values", VALUES)
def test_the_p_value_is_that_of_all_resamples(values):
    values = np.array(values)
    means = every_mean(values - values.mean())
    exact = (np.abs(means) >= abs(values.mean()) - 1e-12).mean()
    least = 2.0 ** (1 - np.count_nonzero(values))
    error = 4 * math.sqrt(exact * (1 - exact) / RESAMPLES)  # four standard errors of the draw
    assert paired_bootstrap(values) == pytest.approx(max(exact, least), abs=error + 1e-4)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.05, 0.1])
def test_many_rows_are_judged_as_by_student(shift):
    values = np.random.default_rng(1).normal(shift, 0.4, 400)
    assert paired_bootstrap(values) == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.02)


def test_many_rows_have_the_normal_interval():
    values = np.random.default_rng(2).random(500)
    half = Z * values.std() / math.sqrt(500)
    wanted = [values.mean() - half, values.mean() + half]
    assert bootstrap_interval(values) == pytest.approx(wanted, abs=0.002)


@pytest.mark.parametrize(
    ("values", "p_value"),
    [
        ([0.0] * 9, 1.0),
        ([0.5], 1.0),  # one row says nothing
        ([0.5, 0.5], 0.5),  # nor do two
        ([1.0] * 5 + [0.0] * 50, 2.0**-4),
    ],
)
def test_few_rows_are_not_sure(values, p_value):
    assert paired_bootstrap(np.array(values)) == pytest.approx(p_value)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_same_scores_are_judged_the_same(values):
    values = np.array(values)
    low, high = bootstrap_interval(values)
    assert 0 <= low <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= high <= 1
    assert bootstrap_interval(values) == (low, high)
    assert paired_bootstrap(-values) == pytest.approx(paired_bootstrap(values))
    assert 0 < paired_bootstrap(values) <= 1


def test_equal_scores_are_not_sure_either():
    assert bootstrap_interval(np.ones(24)) == wilson(24, 24)
    assert bootstrap_interval(np.zeros(24)) == wilson(0, 24)
    low, high = bootstrap_interval(np.full(24, 0.5))
    assert low < 0.35 and high > 0.65


def test_a_large_split_is_drawn_in_blocks(monkeypatch):
    values = np.random.default_rng(3).random(50)
    whole = bootstrap_interval(values)
    monkeypatch.setattr("jobs.significance.CELLS", 70)
    assert bootstrap_interval(values) == pytest.approx(whole, abs=1e-12)


def test_counted_rows_are_told_by_the_exact_tests():
    right = np.array([1.0, 0.0, 1.0, 1.0])
    assert COUNTED.interval(right) == wilson(3, 4)
    assert COUNTED.p_value(np.array([1.0] * 6 + [-1.0] + [0.0] * 9)) == mcnemar(6, 1)
    assert (COUNTED.test, GRADED.test) == ("exact McNemar", "paired bootstrap")
