"""One optimizer a layer, in turn: whose turn it is, where the others stand, what is kept."""

from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.cma import cma_es
from optimizers.layered import Layered, LayeredState, stream
from optimizers.replayed import Replayed

N_LAYERS, DIM = 3, 4


def layered(keep="best", step_size="csa", n_layers=N_LAYERS):
    single = cma_es(DIM, sigma0=0.5, population_size=6, step_size=step_size)
    return Layered.of(single, n_layers, DIM, keep)


def sphere(candidate, generation=0):
    return np.array([((candidate - np.arange(1.0, 4.0)[:, None]) ** 2).sum()])


def advance(optimizer, state, n, loss=sphere):
    for _ in range(n):
        trials = optimizer.ask(state)
        losses = [loss(trial.candidate, state.generation) for trial in trials]
        state = optimizer.tell(state, trials, losses)
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


def bits(state):
    return checkpoint.dumps(state)


def test_layers_take_turns_and_the_others_stand_still():
    optimizer, state = layered(), layered().init(7)
    for generation in range(7):
        found = population(optimizer, state)
        assert found.shape == (6, N_LAYERS, DIM)
        moved = (found != state.points).any(axis=(0, 2))
        assert moved.tolist() == [layer == generation % 3 for layer in range(N_LAYERS)]
        state = advance(optimizer, state, 1)
        assert optimizer.describe(state)["layer"] == generation % 3


def test_every_layer_draws_for_itself_as_its_own_optimizer_would():
    optimizer, state = layered(), layered().init(7)
    single = cma_es(DIM, sigma0=0.5, population_size=6)
    firsts = []
    for layer in range(N_LAYERS):
        found = population(optimizer, state)[:, layer]
        alone = single.ask(single.init(stream(7, layer)))
        assert found.tolist() == [trial.candidate.tolist() for trial in alone]
        firsts.append(found)
        state = advance(optimizer, state, 1)
    assert not np.allclose(firsts[0], firsts[1])


@pytest.mark.parametrize("keep", ["best", "latest"])
@pytest.mark.parametrize("step_size", ["csa", "tpa"])
def test_it_solves_what_falls_apart_into_layers(keep, step_size):
    optimizer = layered(keep, step_size)
    state = advance(optimizer, optimizer.init(0), 3 * 60)
    assert sphere(state.points) < 1e-2


def test_what_a_layer_keeps():
    """The second round is all worse than the first: "best" stays, "latest" follows."""

    def worse(candidate, generation):
        return sphere(candidate) + 100.0 * (generation // N_LAYERS)

    for keep, stays in (("best", True), ("latest", False)):
        optimizer = layered(keep)
        first = advance(optimizer, optimizer.init(1), N_LAYERS, worse)
        trials = optimizer.ask(first)
        told = [worse(trial.candidate, 3) for trial in trials]
        second = optimizer.tell(first, trials, told)
        best = trials[int(np.argmin(told))].candidate[0]
        assert second.points[0].tolist() == (first.points[0] if stays else best).tolist()
        assert second.losses[0] == (first.losses[0] if stays else np.min(told))
        assert (second.points[1:] == first.points[1:]).all()


def test_failures_never_score_and_move_nothing():
    optimizer = layered("latest")
    state = advance(optimizer, optimizer.init(2), 4)
    lost = advance(optimizer, state, 1, lambda *_: np.array([np.nan]))
    assert (lost.points == state.points).all()
    assert lost.losses.tolist() == state.losses.tolist()
    assert lost.generation == state.generation + 1
    trials = optimizer.ask(state)
    losses = [np.array([-9.0, np.nan]), *[np.array([5.0, 1.0]) for _ in trials[1:]]]
    some = optimizer.tell(state, trials, losses)
    assert some.points[1].tolist() == trials[1].candidate[1].tolist()
    assert np.isfinite(population(optimizer, advance(optimizer, lost, 3))).all()


def test_a_state_survives_a_checkpoint_bit_for_bit_and_goes_on_alike():
    optimizer = layered(step_size="tpa")
    straight = advance(optimizer, optimizer.init(3), 11)
    half = advance(layered(step_size="tpa"), layered().init(3), 5)
    again = checkpoint.loads(LayeredState, bits(half))
    assert bits(again) == bits(half)
    assert bits(advance(layered(step_size="tpa"), again, 6)) == bits(straight)


def test_a_state_is_never_changed():
    optimizer = layered()
    state = advance(optimizer, optimizer.init(4), 4)
    before, asked = bits(state), population(optimizer, state)
    advance(optimizer, state, 3)
    assert bits(state) == before
    assert population(optimizer, state).tolist() == asked.tolist()
    assert population(optimizer, replace(state)).tolist() == asked.tolist()


def test_many_layers_are_not_replayed_at_every_turn():
    made = []
    single = cma_es(DIM, population_size=6)

    def make(seed):
        made.append(seed)
        return single.make(seed)

    optimizer = Layered.of(Replayed(make, 6), 40, DIM)
    advance(optimizer, optimizer.init(0), 80, lambda *_: np.array([1.0]))
    assert len(made) == len(set(made)) == 40
