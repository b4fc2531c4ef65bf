"""A train row as an example: how it is shown, which are tried, and what the choice costs."""

import numpy as np
import pytest

from jobs import demonstrations
from jobs.meter import Meter
from jobs.objective import Objective
from jobs.prompts import SoftPrompt
from jobs.search import NothingScored
from jobs.task import Example, Task
from tests.jobs.deep import TASK, rows
from tests.toy import ToyBackend

ROW = Example({"text": "so {far}"}, "b")
VERBALIZER = {"b": "blue", "r": "red"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{prompt} {text}", "so {far} blue"),
        ("{prompt} {text} It was {label}.", "so {far} It was blue."),
        ("{prompt} {label}: {text}", "blue: so {far}"),
    ],
)
def test_a_row_is_shown_with_its_word(template, text):
    assert demonstrations.shown(Task(template, VERBALIZER), ROW) == text


def test_the_instruction_names_all_words():
    three = Task("{text}", {**VERBALIZER, "g": "green"})
    assert demonstrations.instruction(three) == "Say which fits: blue, red or green. For example:"
    assert demonstrations.instruction(TASK) == "Say which fits: blue or red. For example:"


def test_which_rows_are_tried():
    assert demonstrations.tried(6, None, seed=0) == demonstrations.tried(6, 9, seed=0)
    assert demonstrations.tried(6, None, seed=0) == (0, 1, 2, 3, 4, 5)
    some = [demonstrations.tried(40, 5, seed) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2]
    assert len(set(some[0])) == 5 and list(some[0]) == sorted(some[0])


def prompts(values):
    return [SoftPrompt(np.full((1, 2, 4), value, np.float32)) for value in values]


def best(values, toy=None, train=None):
    toy, train = toy or ToyBackend(), train or rows("train", 2)
    meter = Meter(toy, 10**6)
    tried = list(range(len(values)))
    chosen = demonstrations.best(Objective(TASK, meter, train), tried, prompts(values))
    assert meter.spent == toy.asked == demonstrations.n_queries(len(train), len(values))
    return chosen


def test_the_best_prompt_is_chosen():
    assert best([0.2, 0.4, 1.0, 0.3]) == 2
    assert best([0.9, 0.4]) == 0


def test_no_row_is_judged_by_itself():
    toy, train = ToyBackend(), rows("train", 2)
    best([0.1, 0.2, 0.3, 0.4], toy, train)
    asked = [(round(float(query.soft[0, 0, 0]) * 10) - 1, query.before) for query in toy.calls[0]]
    assert len(asked) == len(set(asked)) == 4 * 3
    assert all(train[row].inputs["text"] != text for row, text in asked)


def test_a_single_one_needs_no_choice():
    assert best([0.5]) == 0
    assert demonstrations.n_queries(8, 1) == demonstrations.n_queries(1, None) == 0
    assert demonstrations.n_queries(8, None) == demonstrations.n_queries(8, 99) == 8 * 7
    assert demonstrations.n_queries(8, 3) == 3 * 7


def test_a_failed_one_is_not_chosen():
    def lose(queries, scores):
        scores[[query.soft[0, 0, 0] == 1.0 for query in queries]] = np.nan
        return scores

    assert best([1.0, 0.2, 0.8], ToyBackend(meddle=lose)) == 2
    with pytest.raises(NothingScored, match="all 2 demonstrations failed"):
        best([1.0, 1.0], ToyBackend(meddle=lose))
