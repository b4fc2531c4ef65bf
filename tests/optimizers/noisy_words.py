"""Rows whose answers depend on the words of an instruction in a known way, to search on."""

import numpy as np

from optimizers.drafts import Drafting
from optimizers.grips import Grips

START = "alpha bad1 beta bad2 gamma bad3 delta"
TRUTH = np.arange(60) % 3


def make(kind=Grips, start=START, edits=("delete", "swap", "add"), n_edits=1, **settings):
    settings = {"n_rows": 40} | settings
    return kind(start, len(TRUTH), Drafting("word", edits, n_edits), TRUTH, **settings)


def answers(text, rows, truth=TRUTH):
    """Wrong on a fifth of the rows for each bad word, on half for each good one that is missing."""
    rows = np.arange(len(truth)) if rows is None else np.array(rows)
    missing = [word for word in ("alpha", "beta", "gamma", "delta") if word not in text]
    lost = 12 * text.count("bad") + 30 * len(missing)
    hard = (rows * 7) % 60 < lost
    return np.where(hard, (truth[rows] + 1) % 3, truth[rows]).astype(float)


def step(optimizer, state, respond=answers):
    trials = optimizer.ask(state)
    return optimizer.tell(state, trials, [respond(t.candidate, t.rows) for t in trials])


def advance(optimizer, state, n, respond=answers):
    for _ in range(n):
        state = step(optimizer, state, respond)
    return state


def texts(optimizer, state):
    return [trial.candidate for trial in optimizer.ask(state)]
