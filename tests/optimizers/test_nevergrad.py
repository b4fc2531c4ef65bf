"""nevergrad by name: it searches, replays exactly, goes on past its budget, refuses the rest."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jobs import checkpoint
from optimizers import nevergrad as ours
from optimizers.nevergrad import NotInstalled, by_name, check
from optimizers.random_search import RandomSearch
from optimizers.replayed import ReplayedState

NAMES = ["CMA", "DiagonalCMA", "TwoPointsDE", "PSO", "LognormalDiscreteOnePlusOne"]
each_name = pytest.mark.parametrize("name", NAMES)


def sphere(x):
    return np.array([((x - 1.0) ** 2).sum()])


def advance(optimizer, state, n, loss=sphere):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(trial.candidate) for trial in trials])
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


@pytest.mark.parametrize("name", ["DiagonalCMA", "CMA", "TwoPointsDE", "PSO"])
def test_it_searches(name):
    optimizer = by_name(name, 6, population_size=10, evaluations=600)
    state = advance(optimizer, optimizer.init(0), 40)
    assert state.losses[-10:].min() < 0.2 * state.losses[0].min()
    assert optimizer.describe(state) == {"restarts": 0}


@each_name
def test_resuming_replays_to_the_bit(name):
    first, second = (by_name(name, 5, population_size=6, evaluations=30) for _ in range(2))
    straight = advance(first, first.init(7), 9)
    half = checkpoint.dumps(advance(first, first.init(7), 4))
    np.random.seed(99)
    random.seed(99)
    resumed = advance(second, checkpoint.loads(ReplayedState, half), 5)
    assert resumed.losses.tobytes() == straight.losses.tobytes()
    assert population(second, resumed).tobytes() == population(first, straight).tobytes()
    assert first.describe(straight) == second.describe(resumed) == {"restarts": 1}


def test_another_process_gives_the_same_bytes():
    script = (
        "import numpy as np; from optimizers.nevergrad import by_name\n"
        "o = by_name('TwoPointsDE', 5, population_size=6, evaluations=60); s = o.init(7)\n"
        "for _ in range(3):\n"
        "    t = o.ask(s)\n"
        "    s = o.tell(s, t, [np.array([((x.candidate - 1.0) ** 2).sum()]) for x in t])\n"
        "print(s.losses.tobytes().hex())"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    optimizer = by_name("TwoPointsDE", 5, population_size=6, evaluations=60)
    mine = advance(optimizer, optimizer.init(7), 3).losses.tobytes().hex()
    assert found.stdout.split() == [mine]


@each_name
def test_seeds_differ_and_global_generators_are_left_alone(name):
    before = np.random.get_state()[1].tobytes(), random.getstate()
    optimizer = by_name(name, 5, population_size=6)
    runs = [advance(optimizer, optimizer.init(seed), 3).losses for seed in (0, 0, 1)]
    assert runs[0].tobytes() == runs[1].tobytes() != runs[2].tobytes()
    assert (np.random.get_state()[1].tobytes(), random.getstate()) == before


def test_draws_from_global_generators_are_its_own():
    """This one takes its mutation rates from numpy's, which is in another state each time."""
    runs = []
    for seed in (1, 2):
        np.random.seed(seed)
        optimizer = by_name("LognormalDiscreteOnePlusOne", 5, population_size=6, evaluations=100)
        runs.append(advance(optimizer, optimizer.init(7), 9).losses.tobytes())
    assert runs[0] == runs[1]


@each_name
@pytest.mark.parametrize("failure", [np.nan, np.inf])
def test_failed_trials_do_no_harm(name, failure):
    optimizer = by_name(name, 5, population_size=6, evaluations=600)
    state = advance(optimizer, optimizer.init(1), 2, lambda x: np.array([failure]))
    for _ in range(6):
        trials = optimizer.ask(state)
        told = [sphere(trial.candidate) for trial in trials]
        told[2] = np.array([0.0, failure])
        state = optimizer.tell(state, trials, told)
    assert np.isfinite(population(optimizer, state)).all()
    assert np.isinf(state.losses[:2]).all() and np.isinf(state.losses[2:, 2]).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TwoPointDE", "did you mean 'TwoPointsDE'"),
        ("?", "among its .* are: CMA"),
        ("SPSA", "one loss at a time"),
        ("Powell", "one loss at a time"),
    ],
)
def test_names_that_are_refused(name, said):
    with pytest.raises(ValueError, match=said):
        check(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FCMA", "fcmaes"),
        ("BAR4", "zero"),
        ("ParaPortfolio", "one loss"),
        ("MetaModel", "clock"),
        ("NGOpt", "clock"),
    ],
)
def test_what_cannot_be_used_here_is_refused_and_leaves_no_thread(name, said):
    before = threading.active_count()
    with pytest.raises(ValueError, match=f"cannot be used here: .*{said}") as caught:
        by_name(name, 8, population_size=4, evaluations=80)
    for thread in threading.enumerate()[before:]:
        thread.join(5)
    assert threading.active_count() == before
    assert caught.tb is not None  # what the refused object holds has not ended with it


@pytest.mark.parametrize(
    ("dim", "settings", "said"),
    [
        (300, {}, "dim is 300"),
        (5, {"population_size": 1}, "population_size is 1"),
        (5, {"population_size": 9, "evaluations": 8}, "evaluations 8"),
    ],
)
def test_arguments_that_are_refused(dim, settings, said):
    with pytest.raises(ValueError, match=said):
        by_name("CMA", dim, **settings)


def test_its_cma_works_in_as_many_dimensions_as_are_allowed():
    optimizer = by_name("DiagonalCMA", ours.MOST_DIMENSIONS)
    state = advance(optimizer, optimizer.init(0), 4)
    lost = advance(optimizer, state, 2, lambda x: np.array([np.nan]))
    assert np.isfinite(population(optimizer, lost)).all()


def test_where_it_is_missing_it_says_so(monkeypatch):
    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match="pip install nevergrad"):
        by_name("CMA", 5)


def test_random_search_draws_and_learns_nothing():
    optimizer = RandomSearch(400, population_size=50)
    state = optimizer.init(3)
    drawn = population(optimizer, state)
    assert drawn.shape == (50, 400)
    assert (drawn.mean(), drawn.std()) == pytest.approx((0.0, 1.0), abs=0.03)
    trials = optimizer.ask(state)
    told = [optimizer.tell(state, trials, [np.full(2, value)] * 50) for value in (0.0, 1.0, np.nan)]
    populations = {population(optimizer, each).tobytes() for each in told}
    assert len(populations) == 1 and drawn.tobytes() not in populations
    assert checkpoint.loads(type(state), checkpoint.dumps(told[0])) == told[0]
    assert population(optimizer, optimizer.init(4)).tobytes() != drawn.tobytes()
