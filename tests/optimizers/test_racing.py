import numpy as np
import pytest
from scipy.stats import binomtest

from optimizers.racing import ends, leader, p_worse, survivors, usable

NAN = np.nan


def table(*rows):
    return np.array([[NAN if sign == "?" else float(sign) for sign in row] for row in rows])


@pytest.mark.parametrize(
    ("n_rows", "first", "growth", "wanted"),
    [
        (50, 8, 2.0, [8, 16, 32, 50]),
        (8, 8, 2.0, [8]),
        (3, 8, 2.0, [3]),
        (5, 1, 1.0, [1, 2, 3, 4, 5]),
        (20, 4, 1.5, [4, 6, 9, 14, 20]),
    ],
)
def test_slices_grow_until_all_rows_are_met(n_rows, first, growth, wanted):
    assert ends(n_rows, first, growth) == wanted


def test_the_p_value_is_that_of_the_exact_sign_test():
    random = np.random.default_rng(0)
    for _ in range(50):
        one, other = random.integers(0, 2, (2, 20)).astype(float)
        wins, all_ = int((one > other).sum()), int((one != other).sum())
        wanted = binomtest(wins, all_, alternative="greater").pvalue if all_ else 1.0
        assert p_worse(one, other) == pytest.approx(wanted)


def test_rows_that_failed_tell_nothing():
    losses = table("1111????", "0000????", "????0000")
    assert p_worse(losses[0], losses[1]) == 1 / 16
    assert p_worse(losses[0], losses[2]) == 1.0


def test_the_leader_has_the_lowest_mean_on_common_rows():
    assert leader(table("1100", "1000", "1110")) == 1
    assert leader(table("1100", "0011")) == 0, "the first of equals"
    assert leader(table("11000", "??100")) == 0, "a row that some failed on does not count"
    assert leader(table("11??", "??01")) == 1, "no row in common: each on its own"
    assert leader(table("10???", "11000")) == 1, "too few answers to lead"
    assert leader(table("????", "1???")) == 1, "few answers, where nobody has more"
    assert leader(table("??", "??")) is None


def test_who_answers_less_than_half_is_out():
    losses = table("0???", "00??", "1111")
    assert usable(losses).tolist() == survivors(losses, 0.1, 2).tolist() == [1, 2]
    assert survivors(table("???", "???"), 0.1, 2).tolist() == [0, 1], "nobody did: all stay"


def test_the_rate_is_shared_by_all_comparisons():
    losses = table("0" * 10, "1" * 7 + "0" * 3, "1" * 4 + "0" * 6)
    assert survivors(losses, 0.05, 6).tolist() == [0, 2], "1 / 2^7 is below 0.05 / 6"
    assert survivors(losses, 0.05, 7).tolist() == [0, 1, 2]
    assert survivors(losses, 0.07, 1).tolist() == [0], "1 / 2^4 is below 0.07"


def races(chances, *, error_rate, corrected=True, n=400):
    """How often each candidate is dropped in races over 40 rows, errors coming by these chances."""
    dropped, steps = np.zeros(len(chances)), ends(40, 8, 2.0)
    comparisons = (len(chances) - 1) * (len(steps) - 1) if corrected else 1
    for seed in range(n):
        random = np.random.default_rng(seed)
        hard = 0.3 * random.random(40)  # what is hard for one is hard for all
        losses = (random.random((len(chances), 40)) < np.add.outer(chances, hard)).astype(float)
        racing = np.arange(len(chances))
        for end in steps[:-1]:
            racing = racing[survivors(losses[racing, :end], error_rate, comparisons)]
        dropped += 1 - np.isin(np.arange(len(chances)), racing)
    return dropped / n


def test_the_best_is_dropped_no_more_often_than_allowed():
    equal = [0.3] * 5  # the hardest case: any of them is a best one
    assert races(equal, error_rate=0.3).max() <= 0.3
    assert races(equal, error_rate=0.3, corrected=False).min() > 0.3, "the test would notice"


def test_the_bad_are_dropped():
    dropped = races([0.0, 0.0, 0.7, 0.7], error_rate=0.1)
    assert dropped[:2].max() <= 0.02
    assert dropped[2:].min() > 0.9
