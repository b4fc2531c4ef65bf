"""Beam and annealing, on `noisy_words`."""

from dataclasses import replace

import numpy as np
import pytest

from optimizers.grips import score, temperature
from tests.optimizers.noisy_words import START, TRUTH, advance, answers, make, step, texts


def test_a_beam_keeps_the_best():
    optimizer = make(strategy="beam", beam_width=3, n_rows=60)
    state = optimizer.init(2)
    for _ in range(3):
        scores = {text: score(answers(text, None), TRUTH) for text in texts(optimizer, state)}
        state = step(optimizer, replace(state, failures=0))
        assert [scores[text] for text in state.texts] == sorted(scores.values())[:-4:-1]
        assert len(texts(optimizer, state)) == 8
    again = step(optimizer, replace(state, failures=1), lambda text, rows: np.zeros(60))
    assert again.texts == state.texts[:1], "a restart goes on from the best alone"


def test_annealing_goes_downhill_while_it_is_hot_and_keeps_the_best():
    optimizer = make(strategy="annealed", n_rows=60, patience=100)

    def respond(text, rows):
        told = TRUTH.astype(float)
        told[:1] = told[:1] if text == START else 1.0  # START is a little better than all others
        return told

    ends = [advance(optimizer, optimizer.init(seed), 6, respond) for seed in range(10)]
    assert {state.texts[0] for state in ends} == {START}
    assert {optimizer.choice(state) for state in ends} == {0}
    moved = [state for state in ends if len(state.texts) == 2]
    assert len(moved) > 5, "a point is little at 10 degrees"
    best, current, *candidates = texts(optimizer, moved[0])
    assert (best, current, len(candidates)) == (*moved[0].texts, 5)
    cold = replace(optimizer.init(0), step=60)
    assert advance(optimizer, cold, 6, respond).texts == (START,)
    assert advance(optimizer, replace(cold, step=10**6), 1, respond).texts == (START,)


def test_annealing_edits_the_current_text():
    optimizer = make(strategy="annealed", edits=("delete",))
    state = replace(optimizer.init(0), texts=(START, "one two three four five"))
    assert {len(text.split()) for text in texts(optimizer, state)[2:]} == {4}


def test_the_temperature():
    assert [temperature(0), temperature(5)] == pytest.approx([10.0, 3.678794])
    optimizer = make(strategy="annealed")
    assert optimizer.describe(optimizer.init(0))["temperature"] == 10.0
