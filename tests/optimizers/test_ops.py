"""OPS on losses that are known: a generation by hand, exact spending, gain where rows differ."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.allocation import Allocates
from optimizers.base import Chooses, Staged
from optimizers.ops import OPS, SIGMA_RANGE, OPSState

D, N = 6, 12
TARGETS = np.random.default_rng(0).normal(size=(N, D))
STEEP = np.exp(np.linspace(-1.5, 1.5, N))  # of each row: its V is about the square of this
LEVEL = np.ones(N)
MATRIX = np.random.default_rng(1).normal(size=(9, D)).astype(np.float32) / 3
ALLOCATORS = ["equal", "bernoulli", "gaussian", "neyman"]

each_allocator = pytest.mark.parametrize("allocator", ALLOCATORS)
each_estimator = pytest.mark.parametrize("estimator", ["lr", "spsa"])


def ops(**settings):
    usual = {"batch_size": 8, "queries": 11, "learning_rate": 0.1, "sigma": 0.05}
    return OPS(np.zeros(D), N, **(usual | settings))


def losses(candidate, rows, steep=STEEP):
    """Half the steepness times the squared distance to each row's target; wide outputs are cut."""
    off = candidate.astype(float)[None, :D] - TARGETS[list(rows)]
    return 0.5 * steep[list(rows)] * (off**2).sum(axis=1)


def rounds(optimizer, state, spoil=lambda trial, found: found, steep=STEEP):
    """One generation: each round's trials with what they were told, and the state after it."""
    asked = []
    while True:
        trials = optimizer.ask(state)
        told = [spoil(t, losses(t.candidate, t.rows, steep)) for t in trials]
        asked.append(list(zip(trials, told, strict=True)))
        state = optimizer.tell(state, trials, told)
        if not optimizer.unfinished(state):
            return asked, state


def advance(optimizer, state, n, **how):
    for _ in range(n):
        _, state = rounds(optimizer, state, **how)
    return state


def spent(asked):
    return Counter(row for each in asked for trial, _ in each for row in trial.rows)


def by_hand(asked, sigma, estimator, by_query=False):
    """The batch's gradient by the output, from the trials alone."""
    (point, clean), *draws = [pair for each in asked for pair in each]
    at, base = point.candidate.astype(float), dict(zip(point.rows, clean, strict=True))
    found = {row: [] for row in point.rows}
    for i in range(0, len(draws), 1 if estimator == "lr" else 2):
        trial, told = draws[i]
        (row,) = trial.rows
        rise = told[0] - base[row] if estimator == "lr" else (told[0] - draws[i + 1][1][0]) / 2
        found[row].append(rise / sigma * (trial.candidate - at) / sigma)
    if by_query:
        return np.mean([each for some in found.values() for each in some], axis=0)
    return np.mean([np.mean(some, axis=0) for some in found.values()], axis=0)


@each_allocator
@each_estimator
@pytest.mark.parametrize("by_query", [False, True])
def test_one_generation_by_hand(allocator, estimator, by_query):
    """Adam's first step is the learning rate along the gradient's signs."""
    optimizer = ops(allocator=allocator, estimator=estimator, by_query=by_query, matrix=MATRIX)
    asked, state = rounds(optimizer, optimizer.init(5))
    gradient = MATRIX.T @ by_hand(asked, 0.05, estimator, by_query)
    assert optimizer.describe(state)["gradient_norm"] == pytest.approx(
        np.linalg.norm(gradient), rel=1e-3
    )
    assert state.moments.mean == pytest.approx(0.1 * gradient, rel=1e-2, abs=1e-3)
    assert state.point == pytest.approx(-0.1 * np.sign(gradient), rel=1e-3)


def test_long_gradients_are_cut():
    optimizer = ops(longest_gradient=0.01)
    _, state = rounds(optimizer, optimizer.init(0))
    assert np.linalg.norm(state.moments.mean) == pytest.approx(0.1 * 0.01)
    assert optimizer.describe(state)["gradient_norm"] > 0.1


@each_allocator
@each_estimator
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("queries", [5, 10, 11])
def test_it_spends_what_it_was_given(allocator, estimator, shared, queries):
    """Pilots and the clean pass included; a rest too small for a pair is left."""
    optimizer = ops(allocator=allocator, estimator=estimator, shared=shared, queries=queries)
    asked, state = rounds(optimizer, optimizer.init(1))
    counted = spent(asked)
    per_draw = (1 if estimator == "lr" else 2) * (8 if shared else 1)
    assert 0 <= 8 * queries - counted.total() < per_draw
    assert dict(counted) == optimizer.allocation(state)
    numbers = optimizer.describe(state)
    assert (numbers["fewest_draws"], numbers["most_draws"]) == (
        min(state.counts),
        max(state.counts),
    )
    assert len(counted) == 8
    assert min(counted.values()) >= 1 + (2 if estimator == "lr" else 4)


def test_the_first_trial_is_the_point_on_its_batch():
    optimizer = ops()
    state = advance(optimizer, optimizer.init(0), 3)
    first, *pilots = optimizer.ask(state)
    assert first.candidate == pytest.approx(state.point, abs=1e-6)
    assert len(first.rows) == 8
    assert [t.rows for t in pilots] == [(row,) for row in first.rows for _ in range(4)]
    assert optimizer.choice(state) == 0


def test_rounds():
    """Pilots first where somebody learns from them; all at once where nobody does."""
    for allocator in ALLOCATORS:
        asked, _ = rounds(ops(allocator=allocator), ops(allocator=allocator).init(0))
        assert len(asked) == (1 if allocator == "equal" else 2)
        moved = np.stack([trial.candidate for each in asked for trial, _ in each])
        assert len(np.unique(moved, axis=0)) == len(moved), "each round draws anew"
    asked, _ = rounds(ops(queries=5), ops(queries=5).init(0))
    assert len(asked) == 1, "the pilots were all there was to ask"


def test_every_epoch_is_a_new_order_of_the_rows():
    optimizer = ops(batch_size=4)
    state, epochs = optimizer.init(3), []
    for _ in range(2):
        seen = []
        for _ in range(3):
            seen += optimizer.ask(state)[0].rows
            state = advance(optimizer, state, 1)
        epochs.append(seen)
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(N))
    assert epochs[0] != epochs[1]
    assert len(ops(batch_size=50).ask(optimizer.init(0))[0].rows) == N


def test_one_direction_for_the_batch():
    optimizer = ops(shared=True, allocator="equal")
    (asked,), _ = rounds(optimizer, optimizer.init(0))
    assert len({trial.rows for trial, _ in asked}) == 1
    plus, minus = asked[1][0].candidate, asked[2][0].candidate
    assert plus == pytest.approx(-minus, abs=1e-6)


KINDS = [
    {"allocator": "equal", "estimator": "lr"},
    {"allocator": "bernoulli", "estimator": "spsa"},
    {"allocator": "gaussian", "estimator": "lr"},
    {"allocator": "neyman", "estimator": "spsa"},
    {"allocator": "equal", "estimator": "spsa", "shared": True},
]
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values()))
)
START = losses(np.zeros(D), range(N)).mean()
LEAST = losses((STEEP @ TARGETS) / STEEP.sum(), range(N)).mean()


@each_kind
def test_it_comes_near_the_minimum(kind):
    optimizer = ops(queries=21, batch_size=N, learning_rate=0.03, **kind)
    state = advance(optimizer, optimizer.init(2), 40)
    assert losses(state.point, range(N)).mean() - LEAST < 0.15 * (START - LEAST)


def ratios(steep, n=20, **settings):
    optimizer = ops(allocator="neyman", queries=41, learning_rate=1e-9, batch_size=N, **settings)
    state, found = optimizer.init(0), []
    for _ in range(n):
        state = advance(optimizer, state, 1, steep=steep)
        found.append(optimizer.describe(state)["variance_ratio"])
    return np.mean(found)


@each_estimator
def test_allocation_helps_where_examples_differ_and_only_there(estimator):
    """The ratio is measured on the other draws: pilots would always flatter their own counts."""
    assert ratios(STEEP, estimator=estimator, n_pilots=4) > 1.15
    alike = ratios(LEVEL / np.linalg.norm(TARGETS, axis=1), estimator=estimator, n_pilots=4)
    assert 0.85 < alike < 1.0


def test_neyman_lowers_the_variance_of_the_gradient_itself():
    """Over 80 populations at one point, with as many queries as equal counts get."""
    spread = {}
    for allocator in ("equal", "neyman"):
        optimizer = ops(allocator=allocator, queries=41, n_pilots=4, batch_size=N)
        starts = [replace(optimizer.init(0), generation=generation) for generation in range(80)]
        gradients = [10 * rounds(optimizer, start)[1].moments.mean for start in starts]
        spread[allocator] = np.var(gradients, axis=0).sum()
    assert spread["neyman"] < 0.9 * spread["equal"]


def test_the_gaussian_allocator_learns():
    optimizer = ops(allocator="gaussian", unlike=1 - np.eye(N))
    start = optimizer.init(0)
    assert advance(optimizer, start, 5).allocator != start.allocator
    assert optimizer.ask(start)[1].candidate.shape == (D,)


@each_estimator
def test_a_learned_sigma_shrinks_where_noise_only_costs(estimator):
    optimizer = ops(estimator=estimator, sigma=0.5, sigma_rate=0.05, learning_rate=1e-9)
    state = advance(optimizer, optimizer.init(0), 15)
    assert optimizer.describe(state)["sigma"] < 0.4
    fixed = replace(optimizer, sigma_rate=0.0)
    assert advance(fixed, fixed.init(0), 2).log_sigma == pytest.approx(np.log(0.5))


def test_a_learned_sigma_stays_in_its_range():
    optimizer = ops(sigma=0.5, sigma_rate=1.0)
    state, lowest = optimizer.init(0), 0.5
    for _ in range(8):
        state = advance(optimizer, state, 1)
        lowest = min(lowest, optimizer.describe(state)["sigma"])
    assert lowest == pytest.approx(0.5 / SIGMA_RANGE)


@each_allocator
def test_resuming_is_bit_identical(allocator):
    optimizer, other = ops(allocator=allocator), ops(allocator=allocator)
    straight = advance(optimizer, optimizer.init(7), 9)
    half = checkpoint.dumps(advance(optimizer, optimizer.init(7), 4))
    resumed = advance(other, checkpoint.loads(OPSState, half), 5)
    assert checkpoint.dumps(resumed) == checkpoint.dumps(straight)
    assert checkpoint.dumps(checkpoint.loads(OPSState, half)) == half
    assert other.describe(resumed) == optimizer.describe(straight)


def test_asking_is_pure_and_seeds_differ():
    optimizer = ops()

    def first(state):
        return np.stack([trial.candidate for trial in optimizer.ask(state)]).tobytes()

    state = advance(optimizer, optimizer.init(0), 2)
    assert first(state) == first(state)
    assert len({first(optimizer.init(seed)) for seed in (0, 1, 2**32 - 1)}) == 3
    assert first(advance(optimizer, state, 1)) != first(state)


@each_kind
def test_failures_do_no_harm(kind):
    """A quarter of the answers is lost, clean ones too, and once a whole generation."""
    draws = np.random.default_rng(4)

    def some(_, found):
        lost = draws.choice([np.nan, np.inf], len(found))
        return np.where(draws.random(len(found)) < 0.25, lost, found)

    optimizer = ops(queries=21, batch_size=N, learning_rate=0.03, **kind)
    state = advance(optimizer, optimizer.init(2), 20, spoil=some)
    nothing = advance(optimizer, state, 1, spoil=lambda _, found: found * np.nan)
    assert nothing.generation == 21
    assert (nothing.point == state.point).all()
    assert nothing.moments is state.moments
    state = advance(optimizer, nothing, 20, spoil=some)
    assert losses(state.point, range(N)).mean() - LEAST < 0.3 * (START - LEAST)
    assert all(np.isfinite(value) for value in optimizer.describe(state).values())


@each_allocator
def test_constant_losses_move_nothing(allocator):
    optimizer = ops(allocator=allocator)
    flat = advance(optimizer, optimizer.init(0), 5, spoil=lambda _, found: found * 0 + 0.25)
    assert not flat.point.any()
    assert optimizer.describe(flat)["variance_ratio"] == 1.0


def test_before_the_first_generation_nothing_is_allocated():
    optimizer = ops()
    assert optimizer.allocation(optimizer.init(0)) == {}
    assert optimizer.describe(optimizer.init(0))["most_draws"] == 0.0
    for protocol in (Chooses, Staged, Allocates):
        assert isinstance(optimizer, protocol)
