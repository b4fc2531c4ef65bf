from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pytest
from pydantic import ValidationError

from backends.base import Query
from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.grips import GrIPS
from jobs.metrics import ExactMatch
from jobs.prompts import TextPrompt
from jobs.search import NothingScored
from jobs.spaces import Texts
from jobs.task import Example, Split, Task
from optimizers.base import Writes
from optimizers.grips import GripsState
from tests.toy import ToyBackend

TASK = Task("{prompt} | {text}", {"b": "blue", "r": "red"})
START = "Name noise1 the color noise2 of the noise3 text."
PARAPHRASING = ["delete", "swap", "add", "paraphrase"]


def rows(split, n):
    return tuple(Example({"text": f"{split} {i}"}, "rb"[i % 2]) for i in range(n))


SPLIT = Split(rows("train", 30), rows("dev", 12), ())


@dataclass
class Writer:
    """Answers every request with a word, and counts them."""

    word: str
    asked: list[Query] = field(default_factory=list)

    def generate(self, queries, *, max_tokens, temperature=0.0, samples=None):
        self.asked += queries
        return [self.word] * len(queries)


def reads(queries, scores):
    """Right on fewer rows, and less sure, the more noise is in the prompt."""
    for query, row in zip(queries, scores, strict=True):
        prompt, _, text = query.before.partition(" | ")
        i = int(text.split()[1])
        right = 1 - i % 2 if i * 7 % 30 >= 6 * prompt.count("noise") else i % 2
        row[right] = 3.0 / (1 + prompt.count("noise"))
    return scores


def searching(budget=10_000, meddle=reads, writer=None, split=SPLIT, baseline=START, **settings):
    toy = ToyBackend(meddle=meddle)
    meter = Meter(toy, budget, writer=writer)
    settings = {"level": "word", "n_rows": 20} | settings
    return toy, GrIPS(**settings).search(Problem(toy, TASK, split, baseline, 3), meter)


def test_the_presets():
    assert GrIPS() == GrIPS.with_preset("fast")
    assert GrIPS().n_rows == 32
    paper = GrIPS.with_preset("paper")
    assert set(paper.edits) == set(PARAPHRASING)
    assert (paper.n_candidates, paper.n_edits, paper.n_rows, paper.patience) == (5, 1, 100, 2)
    assert (paper.level, paper.strategy, paper.entropy_weight) == ("phrase", "greedy", 10.0)


def test_it_needs_a_model_that_writes_only_to_paraphrase():
    text = frozenset({Capability.TEXT_PROMPTS})
    assert GrIPS().requires() == GrIPS.needs == text
    assert GrIPS.with_preset("paper").requires() == text | {Capability.GENERATION}
    assert GrIPS(edits=PARAPHRASING, writer="gpt").requires() == text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"edits": []}, "at least 1"),
        ({"edits": ["insert"]}, "delete"),
        ({"edits": ["add", "swap"]}, "only what was deleted can be added"),
        ({"strategy": "random"}, "greedy"),
        ({"level": "token"}, "phrase"),
        ({"entropy_weight": -1}, "greater than or equal to 0"),
        ({"initial_text": "x" * 2001}, "2000"),
        ({"num_iter": 10}, "unknown field 'num_iter'"),
    ],
)
def test_settings_that_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        GrIPS(**settings)


def test_settings_survive_json():
    method = GrIPS(edits=PARAPHRASING, strategy="beam")
    assert GrIPS.model_validate(method.model_dump(mode="json")) == method


def test_the_plan():
    problem = Problem(ToyBackend(), TASK, SPLIT, START, seed=3)
    plan = GrIPS(strategy="beam", beam_width=7, n_rows=9).plan(problem)
    assert (plan.space, plan.loss, plan.told) == (Texts(), "ce", "answer")
    assert plan.optimizer.truth.tolist() == [1, 0] * 15
    assert (plan.optimizer.start, plan.optimizer.beam_width) == (START, 7)
    assert not isinstance(plan.optimizer, Writes)
    assert isinstance(GrIPS(edits=PARAPHRASING).plan(problem).optimizer, Writes)
    assert GrIPS(initial_text="Mine.").plan(problem).optimizer.start == "Mine."


def test_with_a_metric_it_learns_from_how_right_the_texts_are():
    @dataclass
    class Model(ToyBackend):
        def generate(self, queries, *, max_tokens, temperature=0.0, samples=None):
            texts = (query.before for query in queries)
            return ["ready" if "noise" in text else text[-1] for text in texts]

    task = Task("{prompt} | {text}", {}, ExactMatch(), max_tokens=5)
    split = Split(
        *(tuple(Example({"text": f"a {i}"}, str(i)) for i in range(n)) for n in (9, 5, 0))
    )
    meter = Meter(Model(), 10_000)
    method = GrIPS(level="word", strategy="beam", n_candidates=20)
    search = method.search(Problem(meter.backend, task, split, "Copy noise1 it.", 0), meter)
    last = list(islice(search.run(search.start()), 5))[-1]
    assert "noise" not in last.incumbent.prompt.text
    assert (last.incumbent.dev_accuracy, last.internals["score"]) == (1.0, 100.0)


@pytest.mark.parametrize("strategy", ["greedy", "beam", "annealed"])
@pytest.mark.parametrize("n_rows", [20, 100])
@pytest.mark.parametrize("edits", [["delete", "swap"], PARAPHRASING])
def test_what_a_generation_costs_at_most(strategy, n_rows, edits):
    writer = Writer("word")
    settings = {"strategy": strategy, "n_rows": n_rows, "edits": edits, "beam_width": 3}
    toy, search = searching(writer=writer, n_candidates=4, patience=50, **settings)
    most = GrIPS(**settings, n_candidates=4).generation_queries(30, 12)
    spent = [0]
    for _ in islice(search.run(search.start()), 12):
        spent.append(toy.asked + len(writer.asked))
    assert search.meter.spent == spent[-1]
    cost = np.diff(spent)
    assert cost.max() <= most
    assert cost.max() >= most - 4, "the bound is not a guess: paraphrases alone are drawn"
    assert bool(writer.asked) == ("paraphrase" in edits)


def test_it_gets_better_and_the_incumbent_is_words():
    _, search = searching()
    generations = list(islice(search.run(search.start()), 25))
    first, last = generations[0], generations[-1]
    assert isinstance(last.incumbent.prompt, TextPrompt)
    assert "noise" not in last.incumbent.prompt.text
    assert last.incumbent.dev_accuracy == 1.0 > first.incumbent.dev_accuracy
    assert last.internals["score"] == pytest.approx(100 + 10 * np.log(2), abs=0.2)


def test_a_paraphrase_comes_from_the_writer():
    writer = Writer('"hue."')
    _, search = searching(writer=writer, edits=["paraphrase"])
    last = list(islice(search.run(search.start()), 15))[-1]
    assert "noise" not in last.incumbent.prompt.text
    assert "hue" in last.incumbent.prompt.text
    assert "Phrase: noise1\n" in "".join(query.before for query in writer.asked)


def test_answers_that_were_lost_do_not_stop_it():
    random = np.random.default_rng(0)

    def lossy(queries, scores):
        scores = reads(queries, scores)
        scores[random.random(len(scores)) < 0.02] = np.nan
        return scores

    _, search = searching(meddle=lossy)
    last = list(islice(search.run(search.start()), 40))[-1]
    assert "noise" not in last.state.texts[0]


def test_when_every_answer_is_lost_the_job_says_so():
    _, search = searching(meddle=lambda queries, scores: scores * np.nan)
    with pytest.raises(NothingScored):
        next(search.run(search.start()))


def test_it_resumes():
    def run(search, last, n):
        return list(islice(search.run(last), n))[-1]

    (_, one), (_, other) = searching(), searching()
    straight = run(one, one.start(), 8)
    half = run(other, other.start(), 3)
    state = checkpoint.loads(GripsState, checkpoint.dumps(half.state))
    again = run(searching()[1], replace(half, state=state), 5)
    assert again.state == straight.state
    assert (again.incumbent, again.champion) == (straight.incumbent, straight.champion)


def test_without_a_baseline_it_starts_from_the_labels():
    _, search = searching(baseline="")
    assert search.start().state.texts[0].endswith(": blue or red.")
