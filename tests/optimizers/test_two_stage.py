"""Two stages: where the second starts, that it only goes downhill, and that it can be resumed."""

from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.cma import cma_es
from optimizers.layered import Layered
from optimizers.nevergrad import by_name
from optimizers.two_stage import TwoStage, TwoStageState

N_LAYERS, DIM, SWITCH = 3, 4, 7
LOCAL = {
    "cma": lambda: cma_es(
        DIM, sigma0=0.05, population_size=6, step_size="tpa", covariance="diagonal"
    ),
    "PSO": lambda: by_name("PSO", DIM, sigma0=0.05, population_size=6, evaluations=60),
}


def first(keep="best"):
    return Layered.of(cma_es(DIM, sigma0=0.5, population_size=6), N_LAYERS, DIM, keep)


def staged(local="cma", bound=None, keep="best"):
    second = Layered.of(LOCAL[local](), N_LAYERS, DIM)
    return TwoStage(first(keep), second, SWITCH, bound)


def sphere(candidate):
    return np.array([((candidate - np.arange(1.0, 4.0)[:, None]) ** 2).sum()])


def advance(optimizer, state, n, loss=sphere):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(trial.candidate) for trial in trials])
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


def standing(state):
    return state.start + state.second.points


def test_the_first_stage_is_the_first_search_to_the_bit():
    optimizer, alone = staged(), first()
    state, own = optimizer.init(5), alone.init(5)
    for _ in range(SWITCH):
        assert population(optimizer, state).tobytes() == population(alone, own).tobytes()
        assert optimizer.describe(state) == {"stage": 1, **alone.describe(own)}
        state, own = advance(optimizer, state, 1), advance(alone, own, 1)
    assert checkpoint.dumps(state.first) == checkpoint.dumps(own)
    assert optimizer.describe(advance(optimizer, state, 1))["stage"] == 2


@pytest.mark.parametrize("keep", ["best", "latest"])
def test_the_second_stage_starts_where_the_loss_was_lowest(keep):
    optimizer = staged(keep=keep)
    state, told = optimizer.init(5), []
    for _ in range(SWITCH):
        told += [(sphere(each).item(), each) for each in population(optimizer, state)]
        state = advance(optimizer, state, 1)
    loss, best = min(told, key=lambda pair: pair[0])
    assert (state.loss, state.start.tolist()) == (loss, best.tolist())
    around = population(optimizer, state)
    assert (around[:, 1:] == best[1:]).all()
    assert 0 < np.abs(around[:, 0] - best[0]).max() < 0.5


@pytest.mark.parametrize("local", LOCAL)
def test_it_only_goes_downhill(local):
    optimizer = staged(local)
    state = advance(optimizer, optimizer.init(1), SWITCH)
    lowest = state.loss
    for _ in range(30):
        lowest = min(lowest, *(sphere(each).item() for each in population(optimizer, state)))
        state = advance(optimizer, state, 1)
        assert sphere(standing(state)).item() == pytest.approx(lowest, rel=1e-12)
        assert set(state.second.losses.tolist()) == {lowest}
    assert lowest < 0.95 * state.loss


def test_a_worse_neighborhood_moves_nothing():
    optimizer = staged()
    before = advance(optimizer, optimizer.init(2), SWITCH)
    after = advance(optimizer, before, 5, lambda candidate: sphere(candidate) + 1e3)
    assert not after.second.points.any()
    assert after.generation == SWITCH + 5


@pytest.mark.parametrize("local", LOCAL)
def test_a_state_survives_a_checkpoint_bit_for_bit_and_goes_on_alike(local):
    straight = staged(local)
    for half in (0, 4, SWITCH, SWITCH + 5):
        state = advance(straight, straight.init(3), half)
        data = checkpoint.dumps(state)
        again = checkpoint.loads(TwoStageState, data)
        assert checkpoint.dumps(again) == data
        ends = (advance(straight, state, 9), advance(staged(local), again, 9))
        assert checkpoint.dumps(ends[0]) == checkpoint.dumps(ends[1])


def test_failures_never_score_and_move_nothing():
    optimizer = staged()

    def lost(candidate):
        return np.array([np.nan])

    state = advance(optimizer, optimizer.init(2), SWITCH, lost)
    assert not state.start.any() and state.loss == np.inf
    state = advance(optimizer, state, 2, lost)
    assert np.isfinite(population(optimizer, state)).all() and not standing(state).any()
    found = advance(optimizer, state, 3)
    assert found.second.losses.tolist() == [sphere(standing(found)).item()] * N_LAYERS
    trials = optimizer.ask(found)
    losses = [np.array([-9.0, np.nan]), *[np.array([1e3, 1e3]) for _ in trials[1:]]]
    assert (standing(optimizer.tell(found, trials, losses)) == standing(found)).all()


def test_candidates_stay_within_the_bound():
    bound = 0.3
    narrow = cma_es(DIM, sigma0=0.15, population_size=6, bound=bound)
    wide = cma_es(DIM, sigma0=2.0, population_size=6)
    parts = [Layered.of(single, N_LAYERS, DIM) for single in (narrow, wide)]
    optimizer = TwoStage(*parts, 2, bound)
    state = optimizer.init(0)
    for _ in range(8):
        assert np.abs(population(optimizer, state)).max() <= bound
        state = advance(optimizer, state, 1)
    assert np.abs(state.second.points).max() > bound


def test_a_state_is_never_changed():
    optimizer = staged()
    for n in (4, SWITCH + 2):
        state = advance(optimizer, optimizer.init(4), n)
        before, asked = checkpoint.dumps(state), population(optimizer, state)
        advance(optimizer, state, 5)
        assert checkpoint.dumps(state) == before
        assert population(optimizer, replace(state)).tobytes() == asked.tobytes()
