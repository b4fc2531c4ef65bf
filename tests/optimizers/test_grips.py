"""The search on `noisy_words`: what it asks, what it learns, how it resumes."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.grips import GripsState, score
from tests.optimizers.noisy_words import START, TRUTH, advance, answers, make, step, texts

ROOT = Path(__file__).parents[2]


def test_the_score_of_golden_vector_11():
    truth = np.repeat([0, 1], 50)
    predicted = np.r_[np.zeros(46), np.ones(4), np.ones(16), np.zeros(34)]
    assert score(predicted, truth) == pytest.approx(67.0040, abs=5e-5)
    assert score(predicted, truth, 0.0) == pytest.approx(62.0)


def test_the_score_is_balanced_and_counts_only_labels_that_are_there():
    truth = np.array([0, 0, 0, 4])
    assert score(np.zeros(4), truth) == 50.0
    assert score(truth.astype(float), truth, 0.0) == 100.0
    assert score(np.array([0.0]), np.array([0])) == 100.0


def test_it_finds_the_words_that_harm():
    optimizer = make(n_rows=60)
    state = advance(optimizer, optimizer.init(0), 25)
    assert "bad" not in state.texts[0]
    assert sorted(state.texts[0].split()) == ["alpha", "beta", "delta", "gamma"]
    assert {"bad1", "bad2", "bad3"} == set(state.deleted)
    assert optimizer.describe(state)["score"] == pytest.approx(100 + 10 * np.log(3))


@pytest.mark.parametrize("strategy", ["greedy", "beam", "annealed"])
@pytest.mark.parametrize("seed", range(3))
def test_every_strategy_gets_better_on_a_sample_of_rows(strategy, seed):
    optimizer = make(strategy=strategy, beam_width=3)
    state = advance(optimizer, optimizer.init(seed), 30)
    assert "bad" not in state.texts[0]
    assert len(state.texts[0].split()) == 4


def test_trials_are_the_base_and_its_edits_on_the_same_rows():
    optimizer = make()
    trials = optimizer.ask(optimizer.init(3))
    assert trials[0].candidate == START
    assert len({trial.candidate for trial in trials}) == 6
    assert len({trial.rows for trial in trials}) == 1
    rows = trials[0].rows
    assert len(rows) == len(set(rows)) == 40 and set(rows) <= set(range(60))


def test_each_generation_has_its_own_rows():
    optimizer, state, seen = make(), make().init(0), set()
    for _ in range(5):
        seen.add(optimizer.ask(state)[0].rows)
        state = step(optimizer, state)
    assert len(seen) == 5
    assert {trial.rows for trial in make(n_rows=60).ask(state)} == {None}


def test_the_base_is_measured_again():
    optimizer = make()
    state = step(optimizer, optimizer.init(0))
    for _ in range(6):
        assert texts(optimizer, state)[0] == state.texts[0]
        state = step(optimizer, state)


def test_the_choice_is_the_best_and_ties_go_to_the_base():
    optimizer = make()
    state = optimizer.init(0)
    tied = step(optimizer, state, lambda text, rows: TRUTH[list(rows)].astype(float))
    assert (tied.texts, optimizer.choice(tied), tied.failures) == ((START,), 0, 1)
    winner = texts(optimizer, state)[3]
    best = step(optimizer, state, lambda text, rows: answers("" if text != winner else START, rows))
    assert (best.texts, optimizer.choice(best), best.failures) == ((winner,), 3, 0)


def test_a_row_that_one_trial_lost_counts_for_none():
    """A candidate that fails just where it would be wrong gains nothing by it."""
    optimizer = make()
    state = optimizer.init(0)
    base, _, cheat, *_ = texts(optimizer, state)
    rows = np.array(optimizer.ask(state)[0].rows)
    right = answers("alpha bad beta gamma delta", rows) == TRUTH[rows]

    def respond(text, rows):
        told = np.where(right, TRUTH[rows], 0.0)
        return np.where(right, told, np.nan) if text == cheat else told

    after = step(optimizer, state, lambda text, rows: respond(text, np.array(rows)))
    wanted = score(TRUTH[rows][right].astype(float), TRUTH[rows][right])
    assert 0 < np.mean(~right) < 0.5 and wanted > 100
    assert (after.texts, after.score, after.candidate_score) == ((base,), wanted, wanted)


def test_a_candidate_that_failed_is_out_and_the_others_are_judged():
    optimizer = make(n_rows=60)
    state = optimizer.init(2)
    _, _, failed, second, *_ = texts(optimizer, state)
    assert step(optimizer, state).texts == (failed,), "it would have won"

    def respond(text, rows):
        told = answers(text, rows)
        told[:31] = np.nan if text == failed else told[:31]
        return told

    after = step(optimizer, state, respond)
    assert after.texts == (second,)
    assert after.candidate_score == pytest.approx(score(answers(second, None), TRUTH))


@pytest.mark.parametrize("lost", ["base", "all"])
def test_nothing_is_judged_without_the_base(lost):
    optimizer = make()
    state = step(optimizer, optimizer.init(0))

    def respond(text, rows):
        gone = lost == "all" or text == state.texts[0]
        return np.full(len(rows), np.nan) if gone else answers(text, rows)

    after = step(optimizer, state, respond)
    assert after == replace(state, generation=2, chosen=0)
    assert texts(optimizer, after)[1:] != texts(optimizer, state)[1:]
    assert "bad" not in advance(optimizer, after, 40).texts[0]


def test_after_two_failures_it_starts_again():
    optimizer = make()
    state, history = optimizer.init(0), []
    for _ in range(5):
        state = step(optimizer, state, lambda text, rows: np.zeros(len(rows)))
        history.append((state.failures, state.restarts, state.step))
    assert history == [(1, 0, 1), (0, 1, 0), (1, 1, 1), (0, 2, 0), (1, 2, 1)]


def test_what_was_tried_is_not_drawn_again_while_there_is_more():
    optimizer = make(start="one two three four", edits=("delete", "swap"))
    state, seen = optimizer.init(0), []
    for _ in range(2):
        seen += texts(optimizer, state)[1:]
        state = step(optimizer, state, lambda text, rows: np.zeros(len(rows)))
    assert len(seen) == len(set(seen)) == 10, "all there is: four deletions and six swaps"
    assert set(texts(optimizer, state)[1:]) <= set(seen)
    assert len(texts(optimizer, state)) == 6


def test_it_draws_until_enough_are_found():
    optimizer = make(start="a b c d e f g h", edits=("delete", "swap"), n_candidates=33)
    assert len(texts(optimizer, optimizer.init(0))) == 34, "of 8 deletions and 28 swaps"


def test_an_added_phrase_leaves_the_pool():
    optimizer = make(edits=("delete", "add"), n_candidates=2)
    state = replace(optimizer.init(0), texts=("alpha beta delta",), deleted=("gamma", "bad1"))
    for _ in range(40):
        state = step(optimizer, state)
    assert sorted(state.texts[0].split()) == ["alpha", "beta", "delta", "gamma"]
    assert state.deleted == ("bad1",)


def test_a_text_that_cannot_be_edited_is_measured_alone():
    for start in ("one", "?!"):
        optimizer = make(start=start)
        state = optimizer.init(0)
        assert texts(optimizer, state) == [start]
        state = advance(optimizer, state, 5)
        assert (state.texts, state.restarts) == ((start,), 2)
        assert np.isnan(optimizer.describe(state)["candidate_score"])


def test_without_labels_it_hears_losses():
    def wrong(text, rows):
        return (answers(text, rows) != TRUTH).astype(float)

    optimizer = replace(make(n_rows=60), truth=None)
    state = advance(optimizer, optimizer.init(0), 25, wrong)
    assert sorted(state.texts[0].split()) == ["alpha", "beta", "delta", "gamma"]
    assert state.score == 100.0


def test_what_it_says_of_itself():
    optimizer = make(n_rows=60)
    assert optimizer.describe(step(optimizer, optimizer.init(2))) == {
        "score": pytest.approx(40 + 10 * np.log(3)),
        "candidate_score": pytest.approx(60 + 10 * np.log(3)),
        "failures": 0,
        "restarts": 0,
        "deleted_phrases": 1,
        "words": 6,
    }


def test_other_trials_are_refused():
    optimizer = make()
    state = optimizer.init(0)
    trials = optimizer.ask(state)
    losses = [answers(t.candidate, t.rows) for t in trials]
    with pytest.raises(ValueError, match="not the trials"):
        optimizer.tell(optimizer.init(1), trials, losses)
    with pytest.raises(ValueError, match="not the trials"):
        optimizer.tell(state, trials[:-1], losses[:-1])


@pytest.mark.parametrize("strategy", ["greedy", "beam", "annealed"])
def test_it_goes_on_from_a_checkpoint(strategy):
    optimizer = make(strategy=strategy, beam_width=2)
    half = advance(optimizer, optimizer.init(2**70), 5)
    again = checkpoint.loads(GripsState, checkpoint.dumps(half))
    assert again == half
    assert advance(make(strategy=strategy, beam_width=2), again, 5) == advance(optimizer, half, 5)


def test_the_state_stays_small():
    optimizer = make(n_candidates=50)
    state = advance(optimizer, optimizer.init(0), 40, lambda text, rows: np.zeros(len(rows)))
    assert len(state.tried) == 256


SCRIPT = """
import hashlib, sys
import numpy as np
from jobs import checkpoint
from optimizers.grips import GripsState
from tests.optimizers.noisy_words import make
state = checkpoint.loads(GripsState, open(sys.argv[1], "rb").read())
print(hashlib.sha256(repr(make().ask(state)).encode()).hexdigest())
"""


def test_another_process_asks_the_same(tmp_path):
    state = advance(make(), make().init(5), 7)
    (tmp_path / "state").write_bytes(checkpoint.dumps(state))
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "state")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = hashlib.sha256(repr(make().ask(state)).encode()).hexdigest()
    assert found.stdout.split() == [wanted], found.stderr
