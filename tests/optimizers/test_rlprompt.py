import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jobs import checkpoint
from jobs.objective import gap
from optimizers.base import Trial
from optimizers.rlprompt import PATIENCE, RLPrompt, RLPromptState, standardized
from optimizers.soft_q import Learning
from tests.optimizers.toy_lm import toy_lm

ROOT = Path(__file__).parents[2]
N_WORDS, LENGTH, DRAWS = 60, 3, 16
GOOD = {7, 21, 40}  # words that are rewarded
QUICK = Learning(width=64, learning_rate=1e-3, relative=True)


def make(n_words=N_WORDS, learning=QUICK, **settings):
    given = {"length": LENGTH, "prompts_per_step": DRAWS, "reward_scale": 20.0} | settings
    return RLPrompt(toy_lm(n_words), 10, learning=learning, **given)


def loss(prompt):
    """Minus 100 for each word that is rewarded, on two rows that differ."""
    return np.array([-90.0, -110.0]) * sum(word in GOOD for word in prompt.tolist())


def advance(optimizer, state, n, loss=loss):
    for _ in range(n):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
    return state


def fingerprint(optimizer, state):
    """Of the trials asked next, and of every number of the policy that asks."""
    trials = np.stack([trial.candidate for trial in optimizer.ask(state)])
    numbers = optimizer._memo[0].policy.network.numbers
    return hashlib.sha256(trials.tobytes() + numbers.tobytes()).hexdigest()


def test_golden_vector():
    """Card 4: P = (.7, .3) and (.4, .6), both of class 0: (200 * .4 + 180 * -.2) / 2 = 22."""
    losses = gap(np.log([[0.7, 0.3], [0.4, 0.6]]), np.array([0, 0]))
    optimizer = make()
    state = advance(optimizer, optimizer.init(0), 1, lambda prompt: losses)
    np.testing.assert_allclose(state.rewards, 22.0, rtol=1e-12)


def test_rewards_are_standardized():
    np.testing.assert_allclose(
        standardized(np.array([1.0, 3.0, 5.0, 7.0])), [-3, -1, 1, 3] / np.sqrt(5), rtol=1e-4
    )
    np.testing.assert_array_equal(standardized(np.array([2.0, 2.0])), [0, 0])


@pytest.mark.parametrize("seed", [0, 1])
def test_it_learns_which_words_are_rewarded(seed):
    """In 120 generations. By chance, a prompt is all good words once in (60/3)^3 = 8,000.

    A random draw earns 15 +- 38, the best 300; the mean of 80 draws is above 28 by chance once
    in a thousand.
    """
    optimizer = make()
    state = advance(optimizer, optimizer.init(seed), 120)
    assert set(state.tokens[-1, -1].tolist()) <= GOOD
    assert state.rewards[:5, :-1].mean() < 28
    assert state.rewards[-5:, :-1].mean() > 250


def test_a_prompt_is_asked_only_once():
    optimizer = make(n_words=12)
    state, asked, saved = optimizer.init(0), [], 0
    for _ in range(30):
        trials = optimizer.ask(state)
        asked += [trial.candidate.tobytes() for trial in trials]
        n_steps = len(state.tokens)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
        saved += (len(state.tokens) - n_steps) * (DRAWS + 1) - len(trials)
    assert len(set(asked)) == len(asked)
    assert len({row.tobytes() for step in state.tokens for row in step}) == len(asked)
    assert saved > 50
    assert optimizer.describe(state)["repeated"] == pytest.approx(saved / state.rewards.size)
    for step, rewards in zip(state.tokens, state.rewards, strict=True):
        assert rewards.tolist() == [-loss(row).mean() for row in step]


def test_where_nothing_is_new_it_learns_on_and_asks_the_greedy_prompt_again():
    optimizer = make(n_words=2, length=1)
    state = advance(optimizer, optimizer.init(0), 1)
    while len(np.unique(state.tokens)) < 2:
        state = advance(optimizer, state, 1)
    before = len(state.tokens)
    (trial,) = optimizer.ask(state)
    told = optimizer.tell(state, [trial], [np.array([-3.0])])
    assert len(told.tokens) == before + PATIENCE + 1
    np.testing.assert_array_equal(told.tokens[-1, -1], trial.candidate)
    assert optimizer.choice(told) == 0
    same = (told.tokens[-1] == trial.candidate).all(axis=-1)
    assert set(told.rewards[-1][same].tolist()) == {3.0}
    assert fingerprint(make(n_words=2, length=1), told) == fingerprint(optimizer, told)


def test_the_greedy_prompt_is_the_choice_where_it_was_asked():
    optimizer = make(n_words=12)
    state, places = optimizer.init(0), []
    for _ in range(30):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
        same = [i for i, t in enumerate(trials) if (t.candidate == state.tokens[-1, -1]).all()]
        assert optimizer.choice(state) == (same[0] if same else None)
        places.append(optimizer.choice(state))
    assert None in places
    assert places[0] is not None
    assert optimizer.choice(optimizer.init(0)) is None


def test_the_greedy_prompt_is_not_learned_from():
    one, other = make(), make()
    state = one.init(0)
    trials = one.ask(state)
    told = one.tell(state, trials, [loss(t.candidate) for t in trials])
    assert (trials[-1].candidate == told.tokens[0, -1]).all()
    assert not (told.tokens[0, :-1] == told.tokens[0, -1]).all(axis=-1).any()
    changed = [loss(t.candidate) for t in trials[:-1]] + [np.array([-500.0])]
    assert fingerprint(one, told) == fingerprint(other, other.tell(state, trials, changed))


@pytest.mark.parametrize("failure", [np.nan, np.inf])
def test_a_failed_prompt_is_neither_learned_from_nor_forgotten(failure):
    one = make()
    state = one.init(0)
    trials = one.ask(state)
    losses = [loss(t.candidate) for t in trials]
    losses[2] = np.array([0.0, failure])
    told = one.tell(state, trials, losses)
    assert np.flatnonzero(np.isnan(told.rewards[0])).tolist() == [2]
    assert trials[2].candidate.tobytes() not in one._memo[0].known
    assert len(one._memo[0].known) == len(trials) - 1
    other = make()
    policy = other._reach(state).policy
    rest = [i for i in range(DRAWS) if i != 2]
    policy.learn(told.tokens[0, rest], 20.0 * standardized(told.rewards[0, rest]))
    np.testing.assert_array_equal(policy.network.numbers, one._memo[0].policy.network.numbers)


def test_a_generation_of_failures_does_no_harm():
    optimizer = make()
    state = advance(optimizer, optimizer.init(0), 3)
    before = optimizer._reach(state).policy.network.numbers.copy()
    lost = advance(optimizer, state, 2, lambda prompt: np.array([np.nan]))
    assert np.isnan(lost.rewards[3:]).all()
    np.testing.assert_array_equal(optimizer._memo[0].policy.network.numbers, before)
    assert (lost.tokens[3] != lost.tokens[4]).any(), "it must draw anew"
    assert fingerprint(make(), lost) == fingerprint(optimizer, lost)
    assert set(advance(optimizer, lost, 120).tokens[-1, -1].tolist()) <= GOOD


def through_bytes(state):
    return checkpoint.loads(RLPromptState, checkpoint.dumps(state))


def test_a_state_survives_its_checkpoint():
    optimizer = make(n_words=12)
    state = advance(optimizer, optimizer.init(5), 4)
    for each in (optimizer.init(5), state):
        back = through_bytes(each)
        assert (back.seed, back.favorite) == (each.seed, each.favorite)
        for mine, theirs in ((back.tokens, each.tokens), (back.rewards, each.rewards)):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_array_equal(mine, theirs)


def test_resumed_is_as_straight():
    straight, other = make(n_words=20, length=1), make(n_words=20, length=1)
    half = advance(straight, straight.init(7), 9)
    end = advance(straight, half, 9)
    resumed = advance(other, through_bytes(half), 9)
    assert len(end.tokens) > 18, "steps without anything new should be among them"
    np.testing.assert_array_equal(resumed.tokens, end.tokens)
    np.testing.assert_array_equal(resumed.rewards, end.rewards)
    assert fingerprint(other, resumed) == fingerprint(straight, end)


SCRIPT = """
import sys
from pathlib import Path
from jobs import checkpoint
from optimizers.rlprompt import RLPromptState
from tests.optimizers.test_rlprompt import fingerprint, make
state = checkpoint.loads(RLPromptState, Path(sys.argv[1]).read_bytes())
print(fingerprint(make(n_rows=4), state))
"""


def test_another_process_gives_the_same_bits(tmp_path):
    optimizer = make(n_rows=4)
    state = advance(optimizer, optimizer.init(11), 12)
    (tmp_path / "state").write_bytes(checkpoint.dumps(state))
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "state")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr == ""
    assert found.stdout.strip() == fingerprint(optimizer, state)


def test_ask_is_pure():
    optimizer = make()
    old = advance(optimizer, optimizer.init(3), 3)
    first, numbers = fingerprint(optimizer, old), optimizer.describe(old)
    new = advance(optimizer, old, 3)
    assert fingerprint(optimizer, new) != first
    assert fingerprint(optimizer, old) == first
    assert optimizer.describe(old) == numbers
    assert fingerprint(optimizer, new) != first
    with pytest.raises(ValueError, match="read-only"):
        optimizer.ask(old)[0].candidate[0] = 1


def test_each_seed_draws_its_own_prompts():
    prints = {seed: fingerprint(o, o.init(seed)) for seed in range(5) for o in [make()]}
    assert len(set(prints.values())) == 5


def test_a_step_has_rows_of_its_own():
    optimizer = make(n_rows=4)
    state, seen = optimizer.init(0), []
    for _ in range(10):
        trials = optimizer.ask(state)
        (rows,) = {trial.rows for trial in trials}
        assert len(set(rows)) == 4
        assert rows == tuple(sorted(rows))
        seen.append(rows)
        state = optimizer.tell(state, trials, [loss(t.candidate) for t in trials])
    assert set().union(*seen) == set(range(10))
    assert len(set(seen)) > 5


@pytest.mark.parametrize("n_rows", [0, 10, 11])
def test_all_rows_are_asked_for_without_a_list(n_rows):
    optimizer = make(n_rows=n_rows)
    assert {trial.rows for trial in optimizer.ask(optimizer.init(0))} == {None}


def test_what_was_not_asked_is_refused():
    optimizer = make()
    state = optimizer.init(0)
    trials = optimizer.ask(state)
    losses = [loss(t.candidate) for t in trials]
    with pytest.raises(ValueError, match="asked for 17 trials, told of 16 with 16 losses"):
        optimizer.tell(state, trials[1:], losses[1:])
    with pytest.raises(ValueError, match="trial 0 is not the one"):
        optimizer.tell(state, [Trial(np.array([-1, 0, 0])), *trials[1:]], losses)
    assert np.isfinite(optimizer.tell(state, trials, losses).rewards).all()


def test_what_it_says_of_itself():
    optimizer = make()
    assert optimizer.describe(optimizer.init(0)) == {}
    state = advance(optimizer, optimizer.init(0), 2)
    numbers = optimizer.describe(state)
    assert numbers["reward"] == state.rewards[-1, :-1].mean()
    assert numbers["greedy_reward"] == state.rewards[-1, -1]
    lost = advance(optimizer, state, 1, lambda prompt: np.array([np.nan]))
    assert np.isnan(optimizer.describe(lost)["reward"])
