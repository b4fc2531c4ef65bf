"""`Replayed` over a small library of our own, where every number can be checked by hand."""

import numpy as np
import pytest

from optimizers.base import Trial
from optimizers.replayed import LARGEST, Replayed, ReplayedState


class Walker:
    """A stateful library: candidates about a mean that goes to the best one told."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.mean = np.zeros(3)
        self.told = []

    def ask(self):
        return [self.mean + self.rng.standard_normal(3) for _ in range(4)]

    def tell(self, candidates, losses):
        self.told.append(losses.copy())
        self.mean = candidates[int(np.argmin(losses))].copy()
        for candidate in candidates:
            candidate.fill(np.nan)  # a library may do as it likes with its own arrays

    def describe(self):
        return {"x": float(self.mean[0])}


class Workshop:
    """Makes walkers, and remembers each."""

    def __init__(self):
        self.made = []

    def __call__(self, seed):
        self.made.append(Walker(seed))
        return self.made[-1]


@pytest.fixture
def workshop():
    return Workshop()


@pytest.fixture
def replayed(workshop):
    return Replayed(workshop, population_size=4)


def losses_of(trials):
    return [np.array([((t.candidate - 1) ** 2).sum(), 0.0]) for t in trials]


def advance(optimizer, state, n):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, losses_of(trials))
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)]).tobytes()


def test_state_is_the_seed_and_the_mean_losses(replayed):
    state = replayed.init(3)
    trials = replayed.ask(state)
    told = replayed.tell(state, trials, [np.array([i, i + 1.0]) for i in range(4)])
    assert (state.seed, state.losses.shape, state.losses.dtype) == (3, (0, 4), np.float64)
    assert told.seed == 3
    assert told.losses.tolist() == [[0.5, 1.5, 2.5, 3.5]]


def test_trials_are_scored_on_every_row(replayed):
    assert [trial.rows for trial in replayed.ask(replayed.init(0))] == [None] * 4


def test_a_run_straight_on_is_never_replayed(replayed, workshop):
    advance(replayed, replayed.init(0), 30)
    assert len(workshop.made) == 1
    assert len(workshop.made[0].told) == 30


def test_any_state_gives_what_it_gave(replayed):
    states = [replayed.init(5)]
    for _ in range(6):
        states.append(advance(replayed, states[-1], 1))
    first = [population(replayed, s) for s in states]
    numbers = [replayed.describe(s) for s in states]
    for i in (3, 0, 6, 6, 1, 3):
        assert population(replayed, states[i]) == first[i]
        assert replayed.describe(states[i]) == numbers[i]
    assert len(set(first)) == 7


def test_one_state_told_twice_grows_two_branches(replayed):
    state = advance(replayed, replayed.init(0), 3)
    trials = replayed.ask(state)
    good = losses_of(trials)
    left = replayed.tell(state, trials, good)
    right = replayed.tell(state, trials, good[::-1])
    again = replayed.tell(state, trials, good)
    assert population(replayed, left) == population(replayed, again)
    assert population(replayed, left) != population(replayed, right)


def test_a_fresh_adapter_goes_on_from_the_bare_state(replayed):
    straight = advance(replayed, replayed.init(7), 40)
    half = advance(replayed, replayed.init(7), 17)
    other = Replayed(Walker, population_size=4)
    resumed = advance(other, ReplayedState(half.seed, half.losses.copy()), 23)
    assert resumed.losses.tobytes() == straight.losses.tobytes()
    assert population(other, resumed) == population(replayed, straight)


def test_what_the_caller_holds_cannot_be_changed(replayed):
    state = advance(replayed, replayed.init(0), 1)
    for array in (state.losses, replayed.ask(state)[0].candidate):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_a_state_changed_from_outside_is_another_state(replayed):
    foreign = ReplayedState(0, np.array([[1.0, 2.0, 3.0, 4.0]]))
    before = population(replayed, foreign)
    foreign.losses[0] = [4.0, 3.0, 2.0, 1.0]
    assert population(replayed, foreign) != before


def test_an_empty_list_of_trials_asked_for_cannot_hurt_the_memo(replayed):
    state = replayed.init(0)
    replayed.ask(state).clear()
    assert len(replayed.ask(state)) == 4


@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("worst", "told"), [(3.0, 6.0), (0.25, 1.25), (-5.0, 0.0), (LARGEST, LARGEST)]
)
def test_a_failed_trial_is_told_as_worse_than_the_worst(replayed, workshop, failed, worst, told):
    state = replayed.init(0)
    losses = [np.array([x]) for x in (failed, -9.0, worst, -8.0)]
    state = replayed.tell(state, replayed.ask(state), losses)
    assert workshop.made[0].told[0].tolist() == [told, -9.0, worst, -8.0]
    assert state.losses[0].tolist() == [np.inf, -9.0, worst, -8.0]


def test_one_failed_row_fails_the_trial(replayed):
    state = replayed.init(0)
    rows = [np.array([1.0, 2.0]), np.array([1.0, np.nan]), np.array([np.inf, -np.inf])]
    state = replayed.tell(state, replayed.ask(state), [*rows, np.array([0.0, 0.0])])
    assert state.losses[0].tolist() == [1.5, np.inf, np.inf, 0.0]


def test_a_generation_that_failed_is_not_told_but_counts(replayed, workshop):
    start = advance(replayed, replayed.init(0), 2)
    lost = replayed.tell(start, replayed.ask(start), [np.array([np.nan])] * 4)
    assert len(workshop.made[0].told) == 2
    assert lost.losses.shape == (3, 4)
    assert population(replayed, lost) != population(replayed, start)
    assert replayed.describe(lost) == replayed.describe(start)
    later = advance(replayed, lost, 3)
    other = Replayed(Walker, population_size=4)
    assert population(other, later) == population(replayed, later)


def test_only_the_last_used_objects_are_kept(workshop):
    replayed = Replayed(workshop, population_size=4, keep=2)
    a, b, c = (replayed.init(seed) for seed in range(3))
    for state in (a, b, a, c, a):  # c drives out b, the one not used for longest
        replayed.ask(state)
    assert len(workshop.made) == 3
    replayed.ask(b)
    assert len(workshop.made) == 4


def test_runs_that_take_turns_are_not_replayed(workshop):
    replayed = Replayed(workshop, population_size=4, keep=24)
    states = [replayed.init(seed) for seed in range(24)]
    for _ in range(3):
        states = [advance(replayed, state, 1) for state in states]
    assert len(workshop.made) == 24


def test_a_library_that_fails_in_tell_is_replaced(replayed, workshop):
    state = advance(replayed, replayed.init(0), 2)
    before, trials = population(replayed, state), replayed.ask(state)
    workshop.made[0].tell = None
    with pytest.raises(TypeError):
        replayed.tell(state, trials, losses_of(trials))
    assert population(replayed, state) == before
    assert advance(replayed, state, 1).losses.shape == (3, 4)


def test_other_trials_are_refused(replayed):
    state = replayed.init(0)
    trials = replayed.ask(state)
    losses = losses_of(trials)
    with pytest.raises(ValueError, match="trial 0 is not the one"):
        replayed.tell(state, trials[::-1], losses)
    with pytest.raises(ValueError, match="asked for 4 trials, told of 3 with 3 losses"):
        replayed.tell(state, trials[:3], losses[:3])
    with pytest.raises(ValueError, match="told of 4 with 3 losses"):
        replayed.tell(state, trials, losses[:3])
    copies = [Trial(trial.candidate.copy(), rows=(0, 1)) for trial in trials]
    assert replayed.tell(state, copies, losses).losses.shape == (1, 4)


@pytest.mark.parametrize("losses", [np.zeros((2, 5)), np.zeros(4)])
def test_a_state_of_another_population_is_refused(replayed, losses):
    with pytest.raises(ValueError, match=r"this optimizer's have \(n_generations, 4\)"):
        replayed.ask(ReplayedState(0, losses))


def test_a_library_with_another_population_is_refused():
    with pytest.raises(ValueError, match="asked for 5 candidates, got 4"):
        Replayed(Walker, population_size=5).ask(ReplayedState(0, np.zeros((0, 5))))


def test_a_negative_seed_is_refused(replayed):
    with pytest.raises(ValueError, match="seed is -1, it must be 0 or more"):
        replayed.init(-1)
