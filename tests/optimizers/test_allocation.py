"""Counts that always sum to the total, and the best of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.allocation import (
    Gaussian,
    bernoulli,
    equal,
    neyman,
    rounded,
    shrunk,
    spread,
    variance_ratio,
)

V = np.array([1.0, 4.0, 9.0, 16.0])
ODD = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, np.nan, np.inf, -1.0]))


def random(seed=0):
    return np.random.default_rng(seed)


def test_golden_bernoulli():  # methods.md §15.4, golden vector 4
    losses = np.array([0.1, 0.2, 0.9, 2.0, 0.3, 1.5])
    assert bernoulli(losses, 8, 1.0, random()).tolist() == [4, 4, 12, 12, 4, 12]


def test_golden_neyman():  # methods.md §15.4, golden vector 10
    counts = neyman(V, 40)
    assert counts.tolist() == [4, 8, 12, 16]
    assert (V / counts).sum() == pytest.approx(2.5)
    assert (V / equal(4, 40)).sum() == pytest.approx(3.0)
    assert variance_ratio(V, counts) == pytest.approx(1.2)
    assert 1 + spread(V) ** 2 == pytest.approx(1.2)


@given(st.lists(ODD, min_size=1, max_size=40), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_every_allocator_spends_all_and_gives_no_negative_count(values, per_example, seed):
    """Equal, zero, infinite and lost losses or variances included."""
    given_, total = np.array(values), per_example * len(values)
    for counts in (
        equal(len(values), total),
        bernoulli(given_, per_example, 0.5, random(seed)),
        neyman(given_, total),
        neyman(shrunk(given_), total),
    ):
        assert counts.sum() == total
        assert (counts >= 0).all()
    assert (neyman(given_, total) >= 1).all()


@given(st.lists(st.floats(0, 100), min_size=2, max_size=12), st.integers(1, 9))
def test_no_move_of_one_draw_beats_neyman(values, per_example):
    variances = np.array(values)
    counts = neyman(variances, per_example * len(values))
    exact = per_example * len(values) * np.sqrt(variances) / max(np.sqrt(variances).sum(), 1e-300)
    free = counts > 1
    assert (np.abs(counts - exact)[free] < 1 + exact[free]).all()
    best = (variances / counts).sum()
    assert best <= (variances / equal(len(values), counts.sum())).sum() * 1.5 + 1e-9


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="3 draws for 4 examples, wanted 1 for each"):
        neyman(V, 3)


def test_shares_of_nothing_are_equal():
    assert rounded(np.zeros(3), 7).tolist() == [3, 2, 2]


def test_nobody_is_pruned_where_all_losses_are_equal():
    assert bernoulli(np.ones(5), 6, 1.0, random()).tolist() == [6] * 5


def test_shrinking_keeps_the_mean():
    assert shrunk(V).mean() == pytest.approx(V.mean())
    assert shrunk(V).std() == pytest.approx(V.std() / 2)


def test_few_pilots_help_only_when_shrunk():
    """The simulation of methods.md §3.8: log-normal V, 64 examples, 10 draws each, two pilots."""
    draws, gain = random(1), {"as estimated": [], "shrunk": []}
    for _ in range(200):
        true = draws.lognormal(0, 1, 64)
        estimated = true * draws.chisquare(1, 64)  # the sample variance of two
        for name, known in (("as estimated", estimated), ("shrunk", shrunk(estimated))):
            gain[name].append(variance_ratio(true, neyman(known, 640)))
    assert np.mean(gain["as estimated"]) < 1 < np.mean(gain["shrunk"])


class TestGaussian:
    losses = np.linspace(0.1, 3.0, 8)
    unlike = 1 - np.exp(-np.abs(np.subtract.outer(np.arange(8), np.arange(8))) / 3.0)

    def test_its_scores_are_the_gradient_of_the_log_density(self):
        allocator, share = Gaussian.first(10), random(2).normal(10, 2, 8)

        def log_p(values):
            moved = Gaussian(*values)
            covariance = moved.covariance(self.unlike)
            off = share - moved.mean(self.losses)
            distance = off @ np.linalg.solve(covariance, off)
            return -0.5 * (np.linalg.slogdet(covariance)[1] + distance)

        values = np.array([allocator.a, allocator.b, allocator.s, allocator.kappa])
        steps = 1e-5 * np.eye(4)
        slope = [(log_p(values + step) - log_p(values - step)) / 2e-5 for step in steps]
        assert allocator._score(self.losses, self.unlike, share) == pytest.approx(slope, rel=1e-4)

    def test_learning_lowers_the_variance(self):
        """Variances grow with the loss, so `a` has to grow as well."""
        draws, variances = random(3), np.exp(self.losses)
        allocator = start = Gaussian.first(10)
        for _ in range(200):
            shares = allocator.draw(self.losses, self.unlike, 32, draws)
            allocator = allocator.learn(self.losses, self.unlike, variances, shares, 0.02)

        least = np.sqrt(variances).sum() ** 2  # Neyman's own

        def excess(which):
            shares = which.draw(self.losses, self.unlike, 2000, random(4))
            return (shares.sum(axis=1) * (variances / shares).sum(axis=1)).mean() - least

        assert allocator.a > start.a
        assert excess(allocator) < 0.5 * excess(start)

    def test_shares_stay_positive_and_odd_losses_harm_nothing(self):
        odd = np.array([np.nan, np.inf, 0, 0, 1, 1, 2, 5.0])
        allocator = Gaussian.first(10)
        shares = allocator.draw(odd, self.unlike, 500, random(5))
        assert (shares > 0).all()
        learned = allocator.learn(odd, self.unlike, odd, shares, 0.1)
        assert np.isfinite([learned.a, learned.b, learned.s, learned.kappa]).all()
        assert rounded(shares[0], 80).sum() == 80
