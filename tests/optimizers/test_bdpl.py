"""BDPL: finite on long runs where the published update is not, unbiased, resumable, unharmed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jobs import checkpoint
from optimizers.base import Chooses
from optimizers.bdpl import BDPL, LONGEST_GRADIENT, BDPLState, _gradient, softmax

WORTH = np.random.default_rng(5).normal(size=(4, 50))  # of each word at each position


def toy_loss(prompt):
    """Additive: the best word of each position can be found by itself."""
    return np.array([WORTH[np.arange(len(prompt)), prompt].mean() + 3.0])


def advance(optimizer, state, n, loss=toy_loss):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(trial.candidate) for trial in trials])
    return state


def asked(optimizer, state):
    return np.stack([trial.candidate for trial in optimizer.ask(state)])


class Published:
    """The released update of probabilities: score +-1 / p, norm 3, AdamW, then the simplex."""

    def __init__(self, n_tokens, n_words):
        self.p = np.full((n_tokens, n_words), 1 / n_words)
        self.mean, self.square, self.steps = 0 * self.p, 0 * self.p, 0
        self.random = np.random.default_rng(0)

    def step(self, n_draws=20, rate=1e-4, decay=0.1):
        noise = self.random.gumbel(size=(n_draws, *self.p.shape))
        draws = (np.log(self.p) + noise).argmax(axis=2)
        losses = np.array([toy_loss(draw)[0] for draw in draws])
        onehot = draws[:, :, None] == np.arange(self.p.shape[1])
        scores = np.where(onehot, 1 / self.p, -1 / self.p)
        gradient = np.tensordot(losses - losses.mean(), scores, axes=1) / (n_draws - 1)
        gradient *= min(1, 3 / np.linalg.norm(gradient))
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        moved = (1 - rate * decay) * self.p - rate * mean / (np.sqrt(square) + 1e-8)
        self.p = onto_simplex(moved)


def onto_simplex(p):
    """By bisection for the shift, from 0 upwards, as released: 20 halvings, tolerance 1e-3."""
    low, high = np.zeros(len(p)), p.max(axis=1)
    for _ in range(20):
        middle = (low + high) / 2
        above = np.clip(p - middle[:, None], 0, 1).sum(axis=1) > 1 + 1e-3
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.clip(p - low[:, None], 0, 1)


def test_the_published_update_breaks_and_ours_does_not():
    published = Published(4, 50)
    with np.errstate(divide="ignore", invalid="ignore"):
        while np.isfinite(published.p).all() and published.steps < 1_000:
            published.step()
    assert 20 < published.steps < 1_000
    optimizer = BDPL(4, 50, 1)
    state = advance(optimizer, optimizer.init(0), 5_000)
    numbers = optimizer.describe(state)
    for array in (state.logits, state.mean, state.square):
        assert np.isfinite(array).all()
    assert 0.0 < numbers["entropy"] < 0.5 < 0.9 < numbers["certainty"] < 1.0
    found = WORTH[np.arange(4), state.logits.argmax(axis=1)]
    assert ((found[:, None] > WORTH).sum(axis=1) < 5).all(), "each among the best tenth"


@pytest.mark.parametrize("losses", ["equal", "failed", "enormous"])
def test_hard_losses_on_long_runs(losses):
    values = {
        "equal": lambda p: 1.0,
        "failed": lambda p: np.nan,
        "enormous": lambda p: 1e150 * p[0],
    }
    optimizer = BDPL(3, 4, 1, sample_size=5)
    loss = lambda prompt: np.array([values[losses](prompt)])  # noqa: E731
    state = advance(optimizer, optimizer.init(1), 1_000, loss)
    assert np.isfinite(state.logits).all()
    assert state.generation == 1_000
    if losses != "enormous":
        assert (state.n_steps, np.ptp(state.logits)) == (0, 0)


def test_no_word_becomes_impossible():
    optimizer = BDPL(2, 5, 1, learning_rate=1.0)
    state = advance(
        optimizer, optimizer.init(0), 300, lambda prompt: np.array([float(prompt.sum())])
    )
    p = softmax(state.logits)
    assert (p.argmax(axis=1) == 0).all()
    assert p[:, 0] == pytest.approx(np.array([1, 1]) / (1 + 4 / 500), rel=1e-6)


def test_the_gradient_is_that_of_the_expected_loss():
    random = np.random.default_rng(3)
    logits = random.normal(size=(2, 3))
    prompts = np.array(list(itertools.product(range(3), repeat=2)))
    losses = random.normal(size=len(prompts))

    def expected(logits):
        p = softmax(logits)
        return sum(p[0, a] * p[1, b] * x for (a, b), x in zip(prompts, losses, strict=True))

    exact = np.zeros_like(logits)
    for place in np.ndindex(*logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-6
        exact[place] = (expected(logits + step) - expected(logits - step)) / 2e-6
    p = softmax(logits)
    chances = p[0, prompts[:, 0]] * p[1, prompts[:, 1]]
    draws = random.choice(len(prompts), size=(10_000, 4), p=chances / chances.sum())
    estimates = np.mean([_gradient(prompts[row], losses[row], 3) for row in draws], axis=0)
    assert_allclose(estimates, exact, atol=0.02)
    assert np.abs(exact).max() > 0.1


def test_the_gradient_is_cut():
    prompts = np.array([[0, 0], [1, 1]])
    steep = _gradient(prompts, np.array([0.0, 1e6]), 2)
    assert np.linalg.norm(steep) == pytest.approx(LONGEST_GRADIENT)
    flat = _gradient(prompts, np.array([0.0, 0.1]), 2)
    assert_allclose(flat, 0.05 * np.array([[-1, 1], [-1, 1]]))


def test_equal_prompts_are_asked_once_and_count_each_time():
    optimizer = BDPL(1, 2, 1, sample_size=9)
    state = optimizer.init(0)
    assert asked(optimizer, state).tolist() == [[0], [1]]
    drawn = optimizer._drawn(state)
    assert sorted(set(drawn.draws.tolist())) == [0, 1] and len(drawn.draws) == 9
    told = optimizer.tell(state, optimizer.ask(state), [np.array([1.0]), np.array([0.0])])
    share = (drawn.draws == 1).mean()  # the gradient of word 1: minus the variance of the losses
    assert told.mean[0, 1] == pytest.approx(-0.1 * share * (1 - share) * 9 / 8)


def test_the_choice_is_the_arg_max_prompt():
    optimizer = BDPL(4, 50, 1)
    assert isinstance(optimizer, Chooses) and optimizer.choice(optimizer.init(0)) is None
    assert optimizer.choice(advance(optimizer, optimizer.init(0), 1)) is None, "no step before it"
    before = advance(optimizer, optimizer.init(0), 30)
    trials, after = optimizer.ask(before), advance(optimizer, before, 1)
    assert (trials[optimizer.choice(after)].candidate == before.logits.argmax(axis=1)).all()
    lost = [np.array([np.nan if i == optimizer.choice(after) else 1.0]) for i in range(len(trials))]
    assert optimizer.choice(optimizer.tell(before, trials, lost)) is None


def test_failed_draws_are_left_out():
    optimizer = BDPL(4, 50, 1)

    def often_lost(prompt):
        return np.array([np.nan if prompt[0] % 3 == 0 else 1.0, toy_loss(prompt)[0]])

    state = advance(optimizer, optimizer.init(0), 400, often_lost)
    assert np.isfinite(state.logits).all()
    found = state.logits.argmax(axis=1)
    assert WORTH[np.arange(4), found][1:].mean() < -1.5


def test_one_batch_of_rows_for_all_prompts_of_a_generation():
    optimizer = BDPL(3, 5, 40, n_rows=8)
    state, met = optimizer.init(0), set()
    for _ in range(30):
        (rows,) = {trial.rows for trial in optimizer.ask(state)}
        assert len(set(rows)) == 8
        met |= set(rows)
        state = advance(optimizer, state, 1)
    assert met == set(range(40))
    for n_rows in (0, 40, 99):
        every = replace(optimizer, n_rows=n_rows)
        assert {trial.rows for trial in every.ask(every.init(0))} == {None}


@pytest.mark.parametrize("stop", [1, 17])
def test_resuming_from_bytes_equals_never_having_stopped(stop):
    optimizer = BDPL(4, 6, 30, sample_size=5, n_rows=7)
    straight = advance(optimizer, optimizer.init(3), 40)
    half = checkpoint.dumps(advance(optimizer, optimizer.init(3), stop))
    resumed = advance(replace(optimizer), checkpoint.loads(BDPLState, half), 40 - stop)
    assert checkpoint.dumps(resumed) == checkpoint.dumps(straight)
    assert (asked(optimizer, resumed) == asked(optimizer, straight)).all()


def test_each_seed_and_generation_has_its_own_draws():
    optimizer = BDPL(4, 50, 1)
    zero, one = optimizer.init(0), optimizer.init(1)
    later = replace(zero, generation=1)
    populations = [asked(optimizer, state).tobytes() for state in (zero, one, later, zero)]
    assert len(set(populations)) == 3 and populations[0] == populations[3]


@pytest.mark.parametrize(
    "bad",
    [{"n_tokens": 0}, {"n_words": 0}, {"sample_size": 1}, {"n_rows": -1}, {"learning_rate": 0}],
)
def test_arguments_out_of_range(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BDPL(**({"n_tokens": 2, "n_words": 2, "n_train": 1} | bad))


def test_a_seed_below_zero_and_losses_of_others():
    optimizer = BDPL(2, 2, 1)
    with pytest.raises(ValueError, match="seed"):
        optimizer.init(-1)
    with pytest.raises(ValueError, match="told of 0"):
        optimizer.tell(optimizer.init(0), [], [])
