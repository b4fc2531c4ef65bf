"""BDPL as a method: its candidates, its cost, and a whole search on the toy model."""

from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.bdpl import BDPL
from jobs.task import Example, Split, Task
from optimizers.bdpl import BDPLState
from tests.toy import ToyBackend

COLORS = ("blue", "red")
TASK = Task("{prompt} {text}", {color[0]: color for color in COLORS})


def rows(split, n):
    texts = [(f"a {color} sheep in a {color} field", color[0]) for color in COLORS]
    return tuple(
        Example({"text": f"{text} {split}"}, label) for text, label in texts for _ in range(n)
    )


def likes_field(queries, scores):
    """A prompt helps by every `field` in it: the label's word is believed that much more."""
    belief = np.array([query.before.split(" a ")[0].count("field") for query in queries])
    right = [["blue" in query.before, "red" in query.before] for query in queries]
    return belief[:, None] * np.array(right, dtype=float)


SPLIT = Split(rows("train", 5), rows("dev", 3), ())
SMALL = {"n_prompt_tokens": 2, "vocabulary_size": 6, "sample_size": 6, "min_count": 2}


def search(toy, budget=10**6, split=SPLIT, **settings):
    meter = Meter(toy, budget)
    method = BDPL(**(SMALL | settings))
    return method.search(Problem(toy, TASK, split, "", seed=1), meter), meter


def test_words_of_the_train_texts_alone():
    plan = BDPL(**SMALL | {"vocabulary_size": 50, "max_n": 1}).plan(
        Problem(ToyBackend(), TASK, SPLIT, "", 0)
    )
    assert set(plan.space.words) == {"a", "sheep", "in", "field", "train", "blue", "red"}
    assert plan.optimizer.n_words == len(plan.space.words)
    assert plan.space.decode(np.array([0, 0])).text == " ".join([plan.space.words[0]] * 2)


def test_it_learns_and_says_what_was_used():
    run, _ = search(ToyBackend(meddle=likes_field), budget=20_000, max_n=1)
    generations = list(run.run(run.start()))
    first, last = generations[0], generations[-1]
    assert last.incumbent.prompt.text == "field field"
    assert last.champion.population_loss < 0.7 * first.champion.population_loss
    assert set(last.internals) == {"vocabulary", "min_count", "entropy", "certainty"}
    assert (last.internals["vocabulary"], last.internals["min_count"]) == (6, 2)


@pytest.mark.parametrize("n_rows", [0, 4, 99])
def test_a_generation_costs_no_more_than_it_says(n_rows):
    toy = ToyBackend()
    run, meter = search(toy, n_rows=n_rows, vocabulary_size=40, n_prompt_tokens=9)
    most = BDPL(**SMALL | {"n_rows": n_rows}).generation_queries(10, 6)
    spent = []
    for generation in run.run(run.start()):
        spent.append(meter.spent - sum(spent))
        if generation.number == 8:
            break
    assert toy.asked == meter.spent == sum(spent)
    assert max(spent) == most == 7 * min(n_rows or 10, 10) + 6


def test_equal_prompts_and_a_known_incumbent_save():
    toy = ToyBackend()
    run, meter = search(toy, n_prompt_tokens=1, vocabulary_size=2)
    first = next(run.run(run.start()))
    assert meter.spent == 2 * 10 + 6
    run.advance(first)
    assert meter.spent <= 2 * (2 * 10 + 6)


def test_resuming_equals_never_having_stopped():
    run, _ = search(ToyBackend(meddle=likes_field), budget=2_000, n_rows=3)
    straight = list(run.run(run.start()))
    half = straight[len(straight) // 2]
    state = checkpoint.loads(BDPLState, checkpoint.dumps(half.state))
    again, meter = search(ToyBackend(meddle=likes_field), budget=2_000, n_rows=3)
    rest = list(again.run(replace(half, state=state)))[: len(straight) - half.number]
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[half.number :]
    ]
    assert [g.incumbent for g in rest] == [g.incumbent for g in straight[half.number :]]
    assert meter.spent > 0


@pytest.mark.parametrize("text", ["今天天气很好", "مرحبا بالعالم", "👍🏽", "a", "{text} {label}"])
def test_any_script_can_be_searched(text):
    split = Split(tuple(Example({"text": text}, label) for label in "br"), SPLIT.dev, ())
    run, _ = search(ToyBackend(), budget=200, split=split, vocabulary_size=20)
    last = list(run.run(run.start()))[-1]
    assert last.internals["vocabulary"] >= 2 and last.incumbent.prompt.text


def test_presets():
    paper, fast = (BDPL.with_preset(name) for name in ("paper", "fast"))
    assert (paper.n_prompt_tokens, paper.vocabulary_size, paper.sample_size) == (6, 20, 20)
    assert (paper.max_n, paper.min_count, paper.min_pmi, paper.n_rows) == (5, 5, 1.0, 0)
    assert fast.generation_queries(96, 96) < 300 < paper.generation_queries(96, 96)
