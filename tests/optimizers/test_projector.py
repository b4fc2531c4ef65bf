"""OPS on a linear map: a generation by hand, exact spending, and a map that is found."""

from collections import Counter

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.ops import OPSState
from optimizers.projector import Projector

N, M, D = 12, 4, 6
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(N, M))
INPUTS /= np.linalg.norm(INPUTS, axis=1, keepdims=True)
START = RANDOM.normal(size=(M + 1, D))
TARGETS = INPUTS @ RANDOM.normal(size=(M, D)) + 1.0
ALLOCATORS = ["equal", "bernoulli", "gaussian", "neyman"]

each_allocator = pytest.mark.parametrize("allocator", ALLOCATORS)


def made(start=START, **settings):
    usual = {"batch_size": 8, "queries": 11, "learning_rate": 0.1, "sigma": 0.05}
    return Projector(start, N, inputs=INPUTS, estimator="lr", **(usual | settings))


def outputs(candidate, rows):
    """What the module puts out for these rows, whichever of its two shapes it has."""
    if len(candidate) == 1:
        return np.repeat(candidate.astype(float), len(rows), axis=0)
    return INPUTS[list(rows)] @ candidate[:-1].astype(float) + candidate[-1]


def losses(trial):
    """Half the squared distance to each row's target."""
    return 0.5 * ((outputs(trial.candidate, trial.rows) - TARGETS[list(trial.rows)]) ** 2).sum(1)


def rounds(optimizer, state, spoil=lambda trial, found: found):
    """One generation: all trials with what they were told, and the state after it."""
    asked = []
    while True:
        trials = optimizer.ask(state)
        told = [spoil(trial, losses(trial)) for trial in trials]
        asked += zip(trials, told, strict=True)
        state = optimizer.tell(state, trials, told)
        if not optimizer.unfinished(state):
            return asked, state


def by_hand(asked, by_query=False):
    """dL/d(W; b) from the trials alone: x times the mean of c e, mean over the examples."""
    (point, clean), *draws = asked
    base = dict(zip(point.rows, clean, strict=True))
    found = {row: [] for row in point.rows}
    for trial, told in draws:
        (row,) = trial.rows
        noise = (trial.candidate[0] - outputs(point.candidate, [row])[0]) / 0.05
        slope = (told[0] - base[row]) / 0.05
        found[row].append(np.outer(np.append(INPUTS[row], 1.0), slope * noise))
    if by_query:
        return np.mean([each for some in found.values() for each in some], axis=0)
    return np.mean([np.mean(some, axis=0) for some in found.values()], axis=0)


@each_allocator
@pytest.mark.parametrize("by_query", [False, True])
def test_one_generation_by_hand(allocator, by_query):
    """Adam's first step is the learning rate along the gradient's signs."""
    optimizer = made(allocator=allocator, by_query=by_query)
    asked, state = rounds(optimizer, optimizer.init(5))
    gradient = by_hand(asked, by_query)
    assert state.moments.mean == pytest.approx(0.1 * gradient, rel=1e-2, abs=2e-3)
    sure = np.abs(gradient) > 0.1
    assert (state.point - START)[sure] == pytest.approx(-0.1 * np.sign(gradient[sure]), rel=1e-3)
    assert sure.sum() > START.size / 2


def test_the_gradient_has_no_bias():
    """Against the true one, over many draws: within four standard errors in every entry."""
    optimizer = made(batch_size=N, queries=41, allocator="equal")
    found = np.array(
        [rounds(optimizer, optimizer.init(seed))[1].moments.mean / (1 - 0.9) for seed in range(60)]
    )
    seen = np.hstack([INPUTS, np.ones((N, 1))])
    true = seen.T @ (seen @ START - TARGETS) / N
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - true) < 4 * error).all()
    assert np.linalg.norm(true) > 10 * np.linalg.norm(error)


def test_the_module_goes_first_and_draws_are_outputs_alone():
    optimizer = made()
    state = optimizer.init(0)
    whole, *draws = optimizer.ask(state)
    assert whole.candidate == pytest.approx(START, abs=1e-6)
    assert len(whole.rows) == 8
    assert optimizer.choice(state) == 0
    spread = [d.candidate - outputs(whole.candidate, d.rows) for d in draws]
    assert {d.candidate.shape for d in draws} == {(1, D)}
    assert np.std(spread) == pytest.approx(0.05, rel=0.2)


@each_allocator
def test_it_spends_what_it_was_given(allocator):
    optimizer = made(allocator=allocator)
    asked, state = rounds(optimizer, optimizer.init(1))
    counted = Counter(row for trial, _ in asked for row in trial.rows)
    assert counted.total() == 8 * 11
    assert dict(counted) == optimizer.allocation(state)


def test_it_finds_the_map():
    optimizer = made(start=np.zeros((M + 1, D)), batch_size=N, learning_rate=0.05)
    state = optimizer.init(0)
    for _ in range(300):
        _, state = rounds(optimizer, state)
    off = outputs(state.point, range(N)) - TARGETS
    assert (off**2).mean() < 0.02 * (TARGETS**2).mean()


def test_the_state_survives_a_checkpoint():
    optimizer = made(allocator="gaussian")
    _, state = rounds(optimizer, optimizer.init(2))
    kept = checkpoint.loads(OPSState, checkpoint.dumps(state))
    again, theirs = (rounds(optimizer, each) for each in (kept, state))
    assert checkpoint.dumps(again[1]) == checkpoint.dumps(theirs[1])
    for mine, other in zip(again[0], theirs[0], strict=True):
        assert mine[0].candidate.tobytes() == other[0].candidate.tobytes()


class TestLostAnswers:
    def test_an_example_without_any_is_left_out(self):
        optimizer = made()
        lost = optimizer.ask(optimizer.init(0))[0].rows[0]

        def lose(trial, found):
            return np.where(np.array(trial.rows) == lost, np.nan, found)

        asked, state = rounds(optimizer, optimizer.init(0), lose)
        whole, *draws = asked
        kept = np.array(whole[0].rows) != lost
        point = type(whole[0])(whole[0].candidate, tuple(np.array(whole[0].rows)[kept]))
        known = [(point, whole[1][kept]), *(pair for pair in draws if pair[0].rows != (lost,))]
        assert state.moments.mean == pytest.approx(0.1 * by_hand(known), rel=1e-2, abs=2e-3)

    def test_nothing_known_moves_nothing(self):
        optimizer = made()
        _, state = rounds(optimizer, optimizer.init(0), lambda trial, found: found * np.nan)
        assert (state.generation, state.point.tobytes()) == (1, START.tobytes())
