"""The method llm on a model that needs to be told of each kind of input, and a writer that can."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods.base import Problem
from jobs.methods.llm import LLM
from jobs.prompts import TextPrompt
from jobs.task import Example, Split, Task
from optimizers.proposer import ProposerState

KINDS = ("apples", "boats", "cats", "doors")
TASK = Task("{prompt} | {text}", {"n": "no", "y": "yes"})
BEST = re.compile(r"The best instruction so far: (.*)")
FAILURE = re.compile(r'input: "[a-z]+ \d+ of (\w+)"\nright: "\w+"\ngiven:')


def rows(split, n):
    return tuple(
        Example({"text": f"{split} {i} of {KINDS[i % 4]}"}, "ny"[i // 4 % 2]) for i in range(n)
    )


SPLIT = Split(rows("train", 24), rows("dev", 16), rows("test", 8))
RIGHT = {
    example.inputs["text"]: example.label for split in vars(SPLIT).values() for example in split
}


@dataclass
class Model:
    """Gets an input right if the words before the bar name its kind."""

    asked: int = 0

    def score(self, queries, labels):
        self.asked += len(queries)
        scores = np.zeros((len(queries), 2))
        for i, query in enumerate(queries):
            prompt, _, text = query.before.rpartition(" | ")
            knows = text.split()[-1] in prompt
            scores[i, int((RIGHT[text] == "y") == knows)] = 2.0
        return scores


def teach(request):
    """The best instruction with one kind more: that of the first input that is seen to fail."""
    best, failure = json.loads(BEST.search(request)[1]), FAILURE.search(request)
    return f"I think: <instruction>{best} {failure[1]}</instruction>" if failure else "?"


@dataclass
class Writer:
    """Answers by a function, and remembers what it was asked."""

    answer: Callable[[str], str] = teach
    heard: list = field(default_factory=list)

    def generate(self, queries, *, max_tokens, temperature=0.0, samples=None):
        asked = zip([query.before for query in queries], samples, strict=True)
        self.heard += [(text, max_tokens, temperature, sample) for text, sample in asked]
        return [self.answer(query.before) for query in queries]


class Echo(Writer):
    """Gives back some part of what it is asked."""

    def __init__(self):
        super().__init__(lambda request: request[len(self.heard) * 37 % len(request) :])


def problem(model, baseline="Judge"):
    return Problem(model, TASK, SPLIT, baseline, seed=1)


def searching(meter, **settings):
    method = LLM(**({"n_candidates": 4, "writer": "w"} | settings))
    return method.search(problem(meter.backend), meter)


def run(budget=1500, writer=None, model=None, **settings):
    model, writer = model or Model(), writer or Writer()
    meter = Meter(model, budget, writer=writer)
    search = searching(meter, **settings)
    return list(search.run(search.start())), meter, model, writer


def spent_by_generation(writer, settings):
    meter = Meter(Model(), 1200, writer=writer)
    search, spent = searching(meter, **settings), [0]
    for _ in search.run(search.start()):
        spent.append(meter.spent)
    return [after - before for before, after in pairwise(spent)]


def test_it_learns_what_the_writer_can_tell():
    generations, meter, model, writer = run()
    last = generations[-1].incumbent
    assert last.dev_accuracy == 1.0
    assert set(KINDS) < set(last.prompt.text.split())
    assert generations[0].incumbent.dev_accuracy == 0.0
    assert meter.spent == model.asked + len(writer.heard) <= 1500


def test_the_writer_is_never_shown_dev_or_test():
    _, _, _, writer = run()
    shown = " ".join(request for request, *_ in writer.heard)
    assert "train 3 of" in shown
    assert "dev " not in shown
    assert "test " not in shown


def test_settings_reach_the_writer_and_every_request_is_a_draw_of_its_own():
    _, _, _, writer = run(max_tokens=77, temperature=0.3)
    assert {heard[1:3] for heard in writer.heard} == {(77, 0.3)}
    samples = [heard[3] for heard in writer.heard]
    assert len(set(samples)) == len(samples) > 4


@pytest.mark.parametrize(
    "settings", [{}, {"first_rows": 100}, {"first_rows": 3, "growth": 1.2}, {"growth": 9}]
)
@pytest.mark.parametrize("kind", [Writer, Echo])
def test_no_generation_costs_more_than_announced(kind, settings):
    costs = spent_by_generation(kind(), settings)
    assert max(costs) <= LLM(n_candidates=4, **settings).generation_queries(24, 16)


def test_the_most_a_generation_can_cost_is_no_more_than_that():
    equals = Writer(answer=lambda request: f"Judge {crc32(request.encode())}")
    costs = spent_by_generation(equals, {})
    most = LLM(n_candidates=4).generation_queries(24, 16)
    assert most == max(4 + 5 * 8, 5 * 8) + 16
    assert max(costs) in (most, most - 16), "the incumbent is not measured on dev again"


def test_whatever_a_writer_says_it_survives():
    generations, meter, *_ = run(writer=Echo(), budget=2000)
    assert len(generations) > 20
    assert meter.spent <= 2000
    assert all(len(g.incumbent.prompt.text) <= 2000 for g in generations)
    for generation in generations:
        checkpoint.dumps(generation.state)


@pytest.mark.parametrize("answer", ["", "<instruction></instruction>", "Judge", "\x00"])
def test_a_writer_with_nothing_to_say_does_not_stall_it(answer):
    generations, meter, _, writer = run(writer=Writer(answer=lambda request: answer))
    assert generations[-1].incumbent.prompt == TextPrompt("Judge")
    assert 1500 - meter.spent < 4 + 8 + 16, "the dev rows have to fit in, even if not asked"
    assert len({request for request, *_ in writer.heard}) > len(writer.heard) / 2


def test_a_model_that_loses_answers_does_not_stop_it():
    class Loses(Model):
        def score(self, queries, labels):
            scores = super().score(queries, labels)
            texts = [query.before for query in queries]
            scores[["Judge doors" in text or lost(text) for text in texts]] = np.nan
            return scores

    def lost(text):  # one row in thirty, but none of the first generation's only candidate
        return crc32(text.encode()) % 30 == 0 and "| train" in text and "Judge |" not in text

    def always(request):
        found = teach(request)
        return f"Say {crc32(request.encode())}" if found == "?" else found

    generations, *_ = run(model=Loses(), writer=Writer(always))
    best = generations[-1].incumbent.prompt.text
    assert set(KINDS) < set(best.split())
    assert "Judge doors" not in best


def test_resuming_equals_never_having_stopped():
    straight, *_ = run()
    for stop in (1, 2, 5):
        half = straight[stop - 1]
        state = checkpoint.loads(ProposerState, checkpoint.dumps(half.state))
        search = searching(Meter(Model(), 10_000, writer=Writer()))
        rest = search.run(replace(half, state=state))
        for theirs, mine in zip(straight[stop : stop + 8], rest, strict=False):
            assert checkpoint.dumps(mine.state) == checkpoint.dumps(theirs.state)
            assert mine.incumbent == theirs.incumbent


def test_it_asks_the_tuned_endpoint_where_no_writer_is_named():
    assert LLM().requires() == {Capability.TEXT_PROMPTS, Capability.GENERATION}
    assert LLM(writer="big").requires() == {Capability.TEXT_PROMPTS}
    assert LLM(writer="big").writer_endpoint == "big"


def test_where_it_starts():
    def first(baseline="", **settings):
        optimizer = LLM(**settings).plan(replace(problem(Model()), baseline=baseline)).optimizer
        return optimizer.init(0).texts[0]

    assert first("Judge", initial_text="Decide") == "Decide"
    assert first("Judge") == "Judge"
    assert "no or yes" in first()


def test_what_a_writer_is_shown_of_an_input():
    def shown(inputs, task=TASK, label="y"):
        split = Split((Example(inputs, label),), (), ())
        given = LLM().plan(Problem(Model(), task, split, "", 0)).optimizer.task
        return given.inputs[0], given.targets[0]

    assert shown({"text": "one"}) == ("one", "yes")
    assert shown({"a": "one", "b": "two"}) == ("a: one\nb: two", "yes")
    assert len(shown({"text": "x" * 9999})[0]) < 1010
    assert shown({"text": "2 + 2"}, Task("{prompt} {text}", {}), "four") == ("2 + 2", "four")


def test_presets():
    assert LLM.with_preset("fast") == LLM(preset="fast", n_candidates=4, history=10)
    with pytest.raises(ValidationError):
        LLM(error_rate=0)
