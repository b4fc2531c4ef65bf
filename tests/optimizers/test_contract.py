"""What every optimizer promises: pure, resumable to the bit, seeded, unharmed by failures."""

import hashlib
import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizers.cma import cma_es
from optimizers.replayed import ReplayedState

ROOT = Path(__file__).parents[2]
MODES = [(step, cov) for step in ("csa", "tpa") for cov in ("full", "diagonal")]
OPTIMIZERS = {
    f"{step}-{cov}": lambda step=step, cov=cov: cma_es(8, step_size=step, covariance=cov)
    for step, cov in MODES
} | {"bounded": lambda: cma_es(8, bound=5.0, step_size="tpa")}

each_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def sphere(x):
    return np.array([((x - 1.0) ** 2).sum()])


def advance(optimizer, state, n, loss=sphere):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
    return state


def population(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


def through_bytes(state):
    buffer = io.BytesIO()
    np.save(buffer, state.losses, allow_pickle=False)
    buffer.seek(0)
    return ReplayedState(state.seed, np.load(buffer, allow_pickle=False))


@each_optimizer
def test_candidates_are_vectors(make):
    optimizer = make()
    found = population(optimizer, optimizer.init(0))
    assert (found.shape, found.dtype) == ((20, 8), np.float64)


@each_optimizer
def test_solves_the_sphere(make):
    optimizer = make()
    state = advance(optimizer, optimizer.init(0), 150)
    assert state.losses[0].min() > 1.0
    assert state.losses[-1].max() < 1e-3


@each_optimizer
def test_ask_is_pure(make):
    optimizer = make()
    old = advance(optimizer, optimizer.init(3), 3)
    first, numbers = population(optimizer, old), optimizer.describe(old)
    assert population(optimizer, old).tobytes() == first.tobytes()
    new = advance(optimizer, old, 9)
    assert population(optimizer, new).tobytes() != first.tobytes()
    assert population(optimizer, old).tobytes() == first.tobytes()
    assert optimizer.describe(old) == numbers


@each_optimizer
def test_resume_is_bit_identical(make):
    optimizer, other = make(), make()
    straight = advance(optimizer, optimizer.init(7), 40)
    resumed = advance(other, through_bytes(advance(optimizer, optimizer.init(7), 17)), 23)
    assert resumed.losses.tobytes() == straight.losses.tobytes()
    assert population(other, resumed).tobytes() == population(optimizer, straight).tobytes()
    assert other.describe(resumed) == optimizer.describe(straight)


SCRIPT = """
import hashlib, sys
import numpy as np
from optimizers.cma import cma_es
from optimizers.replayed import ReplayedState
histories = np.load(sys.argv[1], allow_pickle=False)
for name in histories.files:
    step, cov = name.split("-")
    optimizer = cma_es(60, step_size=step, covariance=cov)
    trials = optimizer.ask(ReplayedState(11, histories[name]))
    print(hashlib.sha256(np.stack([t.candidate for t in trials]).tobytes()).hexdigest())
"""


def test_another_process_gives_the_same_bytes(tmp_path):
    histories, wanted = {}, []
    for step, cov in MODES:
        optimizer = cma_es(60, step_size=step, covariance=cov)
        state = advance(optimizer, optimizer.init(11), 25)
        histories[f"{step}-{cov}"] = state.losses
        wanted.append(hashlib.sha256(population(optimizer, state).tobytes()).hexdigest())
    np.savez(tmp_path / "histories.npz", **histories)
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "histories.npz")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr == ""
    assert found.stdout.split() == wanted


@each_optimizer
@pytest.mark.parametrize("failure", [np.nan, np.inf])
def test_failed_trials_do_no_harm(make, failure):
    optimizer = make()
    state = optimizer.init(1)
    for generation in range(150):
        trials = optimizer.ask(state)
        losses = [sphere(trial.candidate) for trial in trials]
        for i in range(generation % 7, len(losses), 7):
            losses[i] = np.array([0.0, failure])
        state = optimizer.tell(state, trials, losses)
    assert np.isinf(state.losses).sum(axis=1).min() >= 2
    assert np.ma.masked_invalid(state.losses[-1]).max() < 1e-2


@each_optimizer
def test_generations_that_failed_draw_anew_and_resume(make):
    optimizer, other = make(), make()
    before = advance(optimizer, optimizer.init(2), 5)
    lost = advance(optimizer, before, 2, lambda x: np.array([np.nan]))
    old, new = population(optimizer, before), population(optimizer, lost)
    assert not np.isclose(old[2:], new[2:]).any()
    assert optimizer.describe(lost) == optimizer.describe(before)
    state = advance(optimizer, lost, 5)
    assert population(other, state).tobytes() == population(optimizer, state).tobytes()
    assert advance(optimizer, state, 150).losses[-1].max() < 1e-3


@each_optimizer
def test_constant_losses_do_not_stop_it(make):
    optimizer = make()
    state = advance(optimizer, optimizer.init(0), 300, lambda x: np.array([0.25]))
    found = population(optimizer, state)
    assert np.isfinite(found).all()
    assert (found.std(axis=0) > 1e-6).all()
    assert optimizer.describe(state)["restarts"] == 0


@each_optimizer
def test_seed_zero_is_a_seed(make):
    runs = [advance(o, o.init(seed), 4) for o, seed in ((make(), 0), (make(), 0), (make(), 1))]
    zero, again, one = (run.losses.tobytes() for run in runs)
    assert zero == again
    assert zero != one


@given(st.integers(0, 2**70), st.integers(0, 2**70))
@settings(max_examples=25)
def test_each_seed_has_its_own_population(a, b):
    optimizer = cma_es(3, population_size=4)
    first, second = (
        population(optimizer, optimizer.init(a)),
        population(optimizer, optimizer.init(b)),
    )
    again = population(cma_es(3, population_size=4), optimizer.init(a))
    assert first.tobytes() == again.tobytes()
    assert (a == b) == bool(np.isclose(first, second).any())


@each_optimizer
def test_global_generators_are_left_alone(make):
    def states():
        kind, keys, *rest = np.random.get_state()
        return kind, keys.tobytes(), rest, random.getstate()

    before = states()
    optimizer = make()
    state = advance(optimizer, optimizer.init(0), 8)
    assert states() == before
    np.random.seed(99)
    other = make()
    assert advance(other, other.init(0), 8).losses.tobytes() == state.losses.tobytes()


@each_optimizer
def test_the_clock_does_not_matter(make, monkeypatch):
    optimizer, other = make(), make()
    expected = advance(optimizer, optimizer.init(0), 12)
    jumps, read = np.random.default_rng(0), []

    class Clock:
        """The module `time`, but for what it says: for these libraries alone, not for threads of
        this process that serve somebody."""

        def __getattr__(self, name):
            return getattr(time, name)

        def time(self):
            read.append(jumps.uniform(0, 1e12))
            return read[-1]

    for name, module in list(sys.modules.items()):
        if name.startswith(("cma", "nevergrad", "optimizers")) and vars(module).get("time") is time:
            monkeypatch.setattr(module, "time", Clock())
    assert advance(other, other.init(0), 12).losses.tobytes() == expected.losses.tobytes()
    assert read  # pycma did look
