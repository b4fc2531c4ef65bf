import json
import re
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest

from jobs import checkpoint
from optimizers.base import Chooses, Writes
from optimizers.meta_prompt import Assignment
from optimizers.proposer import Proposer, ProposerState

KINDS = 5
ROWS = 40
TASK = Assignment(
    "{prompt} {text}",
    ("no", "yes"),
    tuple(f"about w{row % KINDS}, number {row}" for row in range(ROWS)),
    tuple(("no", "yes")[row // KINDS % 2] for row in range(ROWS)),
)
BEST = re.compile(r"The best instruction so far: (.*)")
FAILURE = re.compile(r'input: "about (w\d), number \d+"\nright: "\w+"\ngiven:')


def answers(text, rows):
    """An instruction gets an input right if it names the input's kind of word."""
    right = np.array([TASK.targets[row] == "yes" for row in rows], dtype=float)
    knows = np.array([f"w{row % KINDS}" in text for row in rows])
    return np.where(knows, right, 1 - right)


def writer(request):
    """Adds the word of the first failure it is shown; knows no better without one."""
    best = json.loads(BEST.search(request)[1])
    failure = FAILURE.search(request)
    return f"<instruction>{best} {failure[1]}</instruction>" if failure else best


def proposer(**changes):
    return Proposer(TASK, "w0", **({"n_candidates": 4, "first_rows": 10, "growth": 2.0} | changes))


def step(optimizer, state, write=writer, model=answers):
    state = optimizer.hear(state, [write(text) for text in optimizer.requests(state)])
    trials = optimizer.ask(state)
    return optimizer.tell(state, trials, [model(t.candidate, t.rows) for t in trials])


def run(optimizer, n, write=writer, model=answers, seed=0):
    states = [optimizer.init(seed)]
    for _ in range(n):
        states.append(step(optimizer, states[-1], write, model))
    return states


def ids(text):
    """Another instruction for each request, none of them any good."""
    return f"<instruction>{crc32(text.encode())}</instruction>"


def test_it_is_what_the_search_looks_for():
    assert isinstance(proposer(), Writes)
    assert isinstance(proposer(), Chooses)


def test_it_learns_from_failures():
    for seed in range(3):
        states = run(proposer(), 12, seed=seed)
        best = states[-1].texts[states[-1].best]
        assert {f"w{kind}" for kind in range(KINDS)} <= set(best.split())
        assert proposer().describe(states[-1])["accuracy"] > 0.9


def test_without_failures_shown_this_writer_is_of_no_use():
    states = run(proposer(failures=0), 12)
    assert states[-1].texts == ("w0",)


def test_the_starting_text_is_measured_before_the_writer_is_asked():
    optimizer = proposer()
    start = optimizer.init(0)
    assert optimizer.requests(start) == []
    assert [(t.candidate, len(t.rows)) for t in optimizer.ask(start)] == [("w0", 10)]
    requests = optimizer.requests(step(optimizer, start))
    assert len(set(requests)) == 4
    assert sum("gets wrong" in text for text in requests) == 2, "the aims take turns"
    assert all(re.search(r'\d+ % right on 10 inputs: "w0"', text) for text in requests)


def test_a_race_meets_every_row_once_and_drops_losers():
    optimizer, n = proposer(), 0
    state = step(optimizer, optimizer.init(0))
    met, racing, orders = [], [], []
    for _ in range(8):
        state = optimizer.hear(state, [writer(text) for text in optimizer.requests(state)])
        trials = optimizer.ask(state)
        assert len({trial.rows for trial in trials}) == 1
        if state.answers.shape[1] == 0:
            met, racing, n = [], [], n + 1
            assert trials[0].candidate == state.texts[state.best], "the best runs again"
            orders.append(trials[0].rows)
        met += trials[0].rows
        racing.append(len(trials))
        assert racing == sorted(racing, reverse=True)
        assert len(set(met)) == len(met)
        state = optimizer.tell(state, trials, [answers(t.candidate, t.rows) for t in trials])
    assert n > 1
    assert len(set(orders)) == len(orders), "each race has an order of its own"


def test_a_race_of_equals_goes_through_all_rows():
    states = run(proposer(), 4, write=ids)
    assert [len(state.racing) for state in states[1:]] == [1, 5, 5, 1]
    assert states[-1].seen.tolist() == [50, 40, 40, 40, 40]


def test_the_choice_is_the_leaders_place_among_the_trials():
    optimizer = proposer()
    state = step(optimizer, optimizer.init(0))
    state = optimizer.hear(state, ["nothing", "w0 w1 w2 w3 w4", "w0 w1", "w0 w1 w2"])
    trials = optimizer.ask(state)
    state = optimizer.tell(state, trials, [answers(t.candidate, t.rows) for t in trials])
    assert trials[optimizer.choice(state)].candidate == "w0 w1 w2 w3 w4"
    assert state.texts[state.best] == "w0 w1 w2 w3 w4"
    assert "nothing" not in [state.texts[i] for i in state.racing], "ten to nothing is enough"
    assert len(state.racing) > 1


@pytest.mark.parametrize(
    "write", [lambda text: "", lambda text: "W0", lambda text: "<instruction> w0\n</instruction>"]
)
def test_a_useless_writer_does_not_stall_it(write):
    states = run(proposer(), 5, write)
    assert states[-1].texts == ("w0",)
    asked = [tuple(map(examples, proposer().requests(state))) for state in states[1:]]
    assert all(asked)
    assert len(set(asked)) == len(asked), "it shows others each time"


def examples(request):
    return request.partition("right answers:")[2].partition("Instructions tried")[0]


def test_equal_answers_are_one_candidate():
    optimizer = proposer()
    state = step(optimizer, optimizer.init(0))
    state = optimizer.hear(state, ["Judge it.", "judge  IT.", "other", ""])
    assert state.texts == ("w0", "Judge it.", "other")


def test_history_is_the_best_in_ascending_order():
    optimizer = proposer(history=2)
    state = step(optimizer, optimizer.init(0))
    state = optimizer.hear(state, ["none", "w0 w1 w2", "w0 w1"])
    trials = optimizer.ask(state)
    state = optimizer.tell(state, trials, [answers(t.candidate, t.rows) for t in trials])
    while not (requests := optimizer.requests(state)):
        state = step(optimizer, state)
    shown = re.findall(r'right on \d+ inputs: "(.*)"', requests[0])
    assert shown == ["w0 w1", "w0 w1 w2"]


def test_without_label_words_it_hears_losses():
    """An answer is right, half right or wrong."""
    texts = Assignment("{prompt} {text}", (), TASK.inputs, TASK.targets)

    def model(text, rows):
        return np.array(
            [{0: 0.5}.get(row % KINDS, float(f"w{row % KINDS}" not in text)) for row in rows]
        )

    def write(request):
        best, wrong = json.loads(BEST.search(request)[1]), request.partition("gets wrong")[2]
        failure = re.search(r'input: "about (w\d)', wrong)
        return f"{best} {failure[1]}" if failure else ""

    optimizer = Proposer(texts, "start", n_candidates=4, first_rows=10)
    state = run(optimizer, 30, write, model)[-1]
    assert {"w1", "w2", "w3", "w4"} <= set(state.texts[state.best].split())
    last = run(optimizer, 20, lambda request: "", model)[-1]
    assert last.right.sum() == pytest.approx(0.1 * last.seen.sum(), rel=0.3), "half counts as half"


def lost(text, rows):
    return np.full(len(rows), np.nan)


def test_a_lost_population_changes_nothing_but_the_rows():
    optimizer = proposer()
    before = run(optimizer, 3)[-1]
    after = step(optimizer, before, model=lost)
    assert after.texts[after.best] == before.texts[before.best]
    assert after.seen.sum() == before.seen.sum()
    for _ in range(12):
        after = step(optimizer, after)
    assert optimizer.describe(after)["accuracy"] > 0.9


def test_lost_from_the_start():
    states = run(proposer(), 6, model=lost)
    assert np.isnan(proposer().describe(states[-1])["accuracy"])
    assert states[-1].seen.sum() == 0
    assert "% right" not in proposer().requests(states[1])[0], "no score to show"


def test_a_candidate_that_fails_is_out_and_scattered_failures_are_not():
    def model(text, rows):
        answered = answers(text, rows)
        answered[3] = np.nan
        return lost(text, rows) if text == "broken" else answered

    optimizer = proposer()
    state = step(optimizer, optimizer.init(0), model=model)
    state = optimizer.hear(state, ["broken", "w0 w1"])
    trials = optimizer.ask(state)
    state = optimizer.tell(state, trials, [model(t.candidate, t.rows) for t in trials])
    assert [state.texts[i] for i in state.racing] == ["w0", "w0 w1"]
    assert state.seen.tolist() == [18, 0, 9]


def test_ask_and_tell_are_pure():
    optimizer = proposer()
    state = run(optimizer, 3)[-1]
    frozen = checkpoint.dumps(state)
    first, requests = optimizer.ask(state), optimizer.requests(state)
    step(optimizer, state)
    assert optimizer.requests(state) == requests
    assert [(t.candidate, t.rows) for t in optimizer.ask(state)] == [
        (t.candidate, t.rows) for t in first
    ]
    assert checkpoint.dumps(state) == frozen


def test_resuming_equals_never_having_stopped():
    states = run(proposer(), 10, seed=5)
    for before, after in pairwise(states):
        loaded = checkpoint.loads(ProposerState, checkpoint.dumps(before))
        assert checkpoint.dumps(step(proposer(), loaded)) == checkpoint.dumps(after)


def test_seeds_differ():
    rows = {proposer().ask(proposer().init(seed))[0].rows for seed in range(4)}
    assert len(rows) == 4


def test_it_can_go_on_without_a_writer():
    optimizer = proposer()
    state = optimizer.init(0)
    for _ in range(5):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [answers(t.candidate, t.rows) for t in trials])
    assert state.texts == ("w0",)
    assert state.round == 4


def test_trials_of_another_state_are_refused():
    optimizer = proposer()
    old, new = run(optimizer, 2)[1:]
    with pytest.raises(ValueError, match="not the trials"):
        optimizer.tell(new, optimizer.ask(old), [np.zeros(10)])
