import doctest

import numpy as np
import pytest

import jobs.task
from jobs.prompts import SoftPrompt, TextPrompt
from jobs.task import Task, slots

WORDS = {"neg": "bad", "pos": "great"}


@pytest.mark.parametrize(
    ("template", "prompt", "inputs", "before", "after"),
    [
        ("{prompt} {text}", "Be kind:", {"text": "hi"}, "Be kind: hi", ""),
        ("{text} It was {label}.", "", {"text": "hi"}, "hi It was ", "."),
        # what a user wrote is never a slot
        ("{prompt} {text}", "{text}", {"text": "{prompt} {label}"}, "{text} {prompt} {label}", ""),
        ("{prompt} {text} {label}!", "{label}", {"text": "x"}, "{label} x ", "!"),
        ("{a} and {b}", "", {"a": "{b}", "b": "{a}"}, "{b} and {a}", ""),
        ("{text} {not a slot} {}", "", {"text": "x"}, "x {not a slot} {}", ""),
        # an absent prompt takes the space behind it along
        ("{prompt} {text}", "", {"text": "hi"}, "hi", ""),
        ("So: {prompt}\n{text}", "", {"text": "hi"}, "So: hi", ""),
        ("{text} {label} {prompt} end", "", {"text": "hi"}, "hi ", " end"),
        # pairs of columns
        ("{a}? {label}, {b}", "", {"a": "It rains", "b": "wet"}, "It rains? ", ", wet"),
        ("{prompt} {b}", "p", {"a": "unused", "b": "wet"}, "p wet", ""),
    ],
)
def test_an_example_is_shown(template, prompt, inputs, before, after):
    query = Task(template, WORDS).query(TextPrompt(prompt), inputs)
    assert (query.before, query.after, query.soft) == (before, after, None)


def test_a_soft_prompt_goes_beside_the_words():
    vectors = np.ones((1, 2, 3), dtype=np.float32)
    query = Task("{prompt} {text}", WORDS).query(SoftPrompt(vectors), {"text": "hi"})
    assert (query.before, query.after) == ("hi", "")
    assert query.soft is vectors


def test_words_stand_in_the_order_of_their_labels():
    task = Task("{text}", {"b": "second", "a": "first"})
    assert (task.labels, task.words) == (["b", "a"], ["second", "first"])


def test_slots():
    assert slots("{prompt} {text}{text} { no } {label}") == ["prompt", "text", "text", "label"]


def test_the_example_in_the_docstring():
    assert doctest.testmod(jobs.task).failed == 0
    assert doctest.testmod(jobs.task).attempted > 0
