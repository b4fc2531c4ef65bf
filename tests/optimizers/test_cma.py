"""Our pycma: it is pycma to the last bit, without its stops, its noise and its fragility."""

import re
import warnings

import numpy as np
import pytest

from optimizers.cma import cma_es, normals, pycma
from optimizers.replayed import Replayed

MODES = [(step, cov) for step in ("csa", "tpa") for cov in ("full", "diagonal")]
each_mode = pytest.mark.parametrize(("step", "cov"), MODES)


def sphere(x):
    return np.array([((x - 1.0) ** 2).sum()])


def advance(optimizer, state, n, loss=sphere):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


def test_draws_are_not_those_of_the_bare_seed():
    assert not np.isclose(normals(5)(4, 4), np.random.default_rng(5).standard_normal((4, 4))).any()


@each_mode
def test_agrees_with_plain_pycma(step, cov):
    """At 150 dimensions the full covariance is decomposed every second generation only."""
    rules = {
        "csa": pycma().sigma_adaptation.CMAAdaptSigmaCSA,
        "tpa": pycma().sigma_adaptation.CMAAdaptSigmaTPA,
    }
    options = {"popsize": 12, "AdaptSigma": rules[step], "CMA_diagonal": cov == "diagonal"}
    drawn = {"randn": normals(3), "seed": np.nan, "verbose": -9}
    oracle = pycma().CMAEvolutionStrategy(np.zeros(150), 0.7, options | drawn)
    optimizer = cma_es(150, sigma0=0.7, population_size=12, step_size=step, covariance=cov)
    state = optimizer.init(3)
    for _ in range(40):
        theirs = np.stack(oracle.ask())
        assert population(optimizer, state).tobytes() == theirs.tobytes()
        assert optimizer.describe(state)["sigma"] == oracle.sigma
        oracle.tell(list(theirs), [float(sphere(x)[0]) for x in theirs])
        state = advance(optimizer, state, 1)


def test_constants_of_bbt():
    """methods.md 0.5: n = 500, population 20, as pycma 3.4.0 and 4.5.0 compute them."""
    es = cma_es(500).make(0).strategy
    weights, rates = es.sp.weights, es.sm.parameters(mueff=es.sp.weights.mueff, lam=20)
    positive = [0.2796, 0.1972, 0.1490, 0.1148, 0.0882, 0.0665, 0.0482, 0.0323, 0.0183, 0.0058]
    assert weights.mu == 10
    assert weights.mueff == pytest.approx(5.94, abs=5e-3)
    assert weights.positive_weights == pytest.approx(positive, abs=5e-5)
    assert (weights[10], weights[19]) == pytest.approx((-0.0154, -0.2132), abs=5e-5)
    assert es.adapt_sigma.cs == pytest.approx(0.0156, abs=5e-5)
    assert es.adapt_sigma.damps == pytest.approx(1.0156, abs=5e-5)
    assert es.sp.cc == pytest.approx(0.00796, abs=5e-6)
    assert rates["c1"] == pytest.approx(7.96e-6, abs=5e-9)
    assert rates["cmu"] == pytest.approx(3.46e-5, abs=5e-8)
    assert cma_es(500, step_size="tpa").make(0).strategy.adapt_sigma.sp.damp == pytest.approx(
        0.7 + 2 * np.log(500)
    )


@each_mode
def test_no_stop_rule_of_pycma_is_left(step, cov):
    live = cma_es(8, step_size=step, covariance=cov).make(0)
    for _ in range(130):
        live.tell(live.ask(), np.full(20, 0.5))
        assert live.strategy.stop() == {}


def test_the_mirrored_pair_of_tpa_outlasts_a_failed_generation():
    optimizer = cma_es(8, step_size="tpa")
    before = advance(optimizer, optimizer.init(0), 5)
    lost = advance(optimizer, before, 1, lambda x: np.array([np.nan]))
    old, new = population(optimizer, before), population(optimizer, lost)
    assert new[:2].tobytes() == old[:2].tobytes()
    mean = optimizer._reach(lost).live.strategy.mean
    assert np.allclose(new[0] - mean, mean - new[1])


@each_mode
def test_a_run_that_has_converged_starts_again(step, cov):
    optimizer = cma_es(2, step_size=step, covariance=cov)
    state = advance(optimizer, optimizer.init(0), 250, lambda x: np.array([x @ x]))
    best = state.losses.min(axis=1)
    assert 1 <= optimizer.describe(state)["restarts"] <= 10
    assert best.min() < 1e-18
    again = np.flatnonzero(best[10:] > 1e-2) + 10
    assert again.size > 2
    assert not np.isin(state.losses[again], state.losses[:10]).any()  # and with other draws
    other = cma_es(2, step_size=step, covariance=cov)
    assert population(other, state).tobytes() == population(optimizer, state).tobytes()


@pytest.mark.parametrize("bound", [None, 5.0])
def test_endless_flat_losses_end_in_no_assertion_of_pycma(bound):
    """Without the restart this fails in generation 595, bounded in 464."""
    live = cma_es(2, step_size="tpa", bound=bound).make(0)
    for _ in range(800):
        found = live.ask()
        assert np.isfinite(found).all()
        live.tell(found, np.ones(20))
    assert 1 <= live.describe()["restarts"] <= 10


def test_bound():
    optimizer = cma_es(6, bound=2.0, sigma0=1.3)
    state = optimizer.init(0)
    for _ in range(80):
        assert np.abs(population(optimizer, state)).max() <= 2.0
        state = advance(optimizer, state, 1, lambda x: np.array([((x - 3.0) ** 2).sum()]))
    assert population(optimizer, state).min() > 1.99


@each_mode
def test_describe(step, cov):
    optimizer = cma_es(8, sigma0=0.5, step_size=step, covariance=cov)
    state = optimizer.init(0)
    assert optimizer.describe(state) == pytest.approx(
        {"sigma": 0.5, "axis_ratio": 1.0, "restarts": 0}, rel=1e-3
    )
    scale = 10.0 ** np.arange(8)
    state = advance(optimizer, state, 150, lambda x: np.array([scale @ x**2]))
    numbers = optimizer.describe(state)
    assert 0 < numbers["sigma"] < 0.5
    assert 30 < numbers["axis_ratio"] < 1e5


def test_a_condition_beyond_floating_point_starts_again():
    """pycma would go on in coordinates of its own, where `sigma` means something else."""
    live = cma_es(2).make(0)
    for _ in range(300):
        found = live.ask()
        live.tell(found, np.array([x.sum() ** 2 + 1e-16 * (x - 1) @ (x - 1) for x in found]))
        assert live.strategy.gp.isidentity
    assert live.describe()["restarts"] >= 1


@each_mode
def test_is_silent(step, cov, tmp_path, monkeypatch, capfd):
    """One effective dimension among many: pycma would warn of the long steps along it."""
    monkeypatch.chdir(tmp_path)
    filters = list(warnings.filters)
    optimizer = cma_es(100, step_size=step, covariance=cov)
    advance(optimizer, optimizer.init(0), 25, lambda x: x[:1])
    optimizer = cma_es(3, step_size=step, covariance=cov)  # and print how it rescales
    scale = np.array([1.0, 1e6, 1e12])
    advance(optimizer, optimizer.init(0), 250, lambda x: np.array([scale @ x**2]))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert warnings.filters == filters


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 1}, "dim is 1, CMA-ES needs 2 or more"),
        ({"population_size": 3}, "population_size is 3, CMA-ES needs 4 or more"),
        ({"sigma0": 0.0}, "sigma0 is 0.0, it must be positive and finite"),
        ({"sigma0": np.inf}, "sigma0 is inf, it must be positive and finite"),
        ({"sigma0": np.nan}, "sigma0 is nan, it must be positive and finite"),
        ({"bound": 0.0}, "bound is 0.0, it must be positive and finite, or None"),
        ({"bound": np.nan}, "bound is nan, it must be positive and finite, or None"),
        ({"bound": 1.4}, "more than a third of the domain [-1.4, 1.4]"),
        ({"step_size": "CSA"}, "step_size is 'CSA', it must be one of ('csa', 'tpa')"),
        ({"covariance": True}, "covariance is True, it must be one of ('full', 'diagonal')"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cma_es(**{"dim": 4} | settings)


@each_mode
def test_the_smallest_settings_work(step, cov):
    optimizer = cma_es(2, population_size=4, step_size=step, covariance=cov, bound=1.5)
    assert isinstance(optimizer, Replayed)
    state = advance(optimizer, optimizer.init(0), 60)
    assert population(optimizer, state).shape == (4, 2)
    assert state.losses.min() < 1e-2
