"""Deep-Thinking as a method: what it draws, measures, costs and serves, and what refuses it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from backends.base import Thinking
from backends.registry import KINDS
from jobs import checkpoint, prompts
from jobs.admission import Refused, admit
from jobs.exports import Tuned, Unfit, export
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.deep_thinking import DeepThinking
from jobs.objective import probabilities
from jobs.opening import close_endpoints, open_endpoint
from jobs.prompts import TextPrompt
from jobs.serving import Served, answer
from jobs.spec import JobSpec
from jobs.task import Example, Split, Task
from jobs.thinking import Draw, Place, drawn
from tests.backends.local import tiny
from tests.toy import ToyBackend

TASK = Task("{prompt} {text} It was", {"b": "blue", "r": "red"})
SMALL = {"passes": 4, "batch_size": 5}
N_TRAIN, N_DEV = 8, 6
GENERATION = 1 + 5 + N_DEV


@dataclass
class ThinkingToy(ToyBackend):
    """Believes a label's word in the text the more, the nearer the passes are to 3."""

    thoughts: int = 0

    def think(self, recipes):
        self.thoughts += len(recipes)
        return np.array([recipe.passes / 10 for recipe in recipes])

    def score(self, queries, labels):
        self.calls.append(list(queries))
        sure = [4.0 - abs(query.thinking.passes - 3) for query in queries]
        told = [[word in query.before for word in labels] for query in queries]
        return self.meddle(queries, np.array(sure)[:, None] * np.array(told))


def rows(split, n):
    texts = [(f"{word} {split} {i}", word[0]) for word in ("blue", "red") for i in range(n)]
    return tuple(Example({"text": text}, label) for text, label in texts)


SPLIT = Split(rows("train", N_TRAIN // 2), rows("dev", N_DEV // 2), ())


def search(toy, budget=10**6, seed=3, **settings):
    meter = Meter(toy, budget)
    method = DeepThinking(**(SMALL | settings))
    return method.search(Problem(toy, TASK, SPLIT, "", seed), meter), meter


def run(searching):
    return list(searching.run(searching.start()))


def test_every_pass_is_measured_and_dev_picks_one():
    toy = ThinkingToy()
    searching, meter = search(toy)
    generations = run(searching)
    told = [one.internals for one in generations]
    assert [one["passes"] for one in told] == [0, 1, 2, 3, 4]
    assert [one["moved"] for one in told] == [0, 0.1, 0.2, 0.3, 0.4]
    losses = [one.champion.dev_loss for one in generations]
    assert losses[3] < losses[2] < losses[1] < losses[0] and losses[3] < losses[4]
    best = generations[-1].incumbent
    assert (best.generation, best.dev_loss, best.prompt.passes) == (4, losses[3], 3)
    assert best.dev_accuracy == 1.0
    assert meter.spent == 5 * GENERATION == toy.thoughts + toy.asked
    assert meter.ran_out == ""


def test_a_draw_is_measured_on_the_other_rows():
    searching, _ = search(ThinkingToy())
    [draw] = searching.draws
    shown = [i for i, row in enumerate(SPLIT.train) if row.inputs["text"] in draw.demonstrations]
    assert len(draw.rows) == 5 and not set(shown) & set(draw.rows)
    assert sorted(SPLIT.train[row].label for row in shown) == ["b", "r"]


def test_demonstrations_look_like_queries_with_their_answers():
    task = Task('{prompt} {text}\nIt was "{label}"', {"b": "blue", "r": "red"})
    examples = [Example({"text": "{label} sky"}, "b"), Example({"text": "a rose"}, "r")]
    blue, rose = '{label} sky\nIt was "blue"\n\n', 'a rose\nIt was "red"\n\n'
    found = {drawn(task, examples, 2, 9, (0, number)) for number in range(20)}
    assert found == {Draw(blue + rose, (0, 1)), Draw(rose + blue, (0, 1))}
    spaced = drawn(TASK, examples[1:], 1, 9, (0, 0))
    assert spaced.demonstrations == "a rose It was red\n\n"


def test_a_rarer_label_is_shown_as_often_as_it_can_be():
    examples = [*rows("train", 5)[:5], *rows("train", 1)[1:]]
    found = drawn(TASK, examples, 3, 9, (1, 0))
    assert found.demonstrations.count("It was") == 4
    assert len(found.rows) == 2
    assert len(drawn(TASK, examples, 3, 1, (1, 0)).rows) == 1


def test_draws_differ_and_follow_each_other():
    toy = ThinkingToy()
    searching, meter = search(toy, draws=3, passes=1)
    generations = run(searching)
    told = [(one.internals["draw"], one.internals["passes"]) for one in generations]
    assert told == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]
    assert len({draw.demonstrations for draw in searching.draws}) == 3
    assert meter.spent == 6 * GENERATION
    again, other = (search(toy, draws=3, seed=seed)[0] for seed in (3, 4))
    assert again.draws == searching.draws != other.draws


def test_of_passes_alike_on_dev_the_fewest_are_kept():
    searching, _ = search(ThinkingToy(meddle=lambda queries, scores: 0 * scores))
    assert run(searching)[-1].incumbent.prompt.passes == 0


@pytest.mark.parametrize("settings", [{}, {"batch_size": 100, "shots": 1}, {"shots": 9}])
def test_what_a_generation_costs_at_most(settings):
    toy = ThinkingToy()
    searching, meter = search(toy, **settings)
    next(searching.run(searching.start()))
    most = DeepThinking(**(SMALL | settings)).generation_queries(N_TRAIN, N_DEV)
    assert meter.spent == 1 + len(searching.draws[0].rows) + N_DEV == toy.asked + 1
    assert meter.spent <= most
    assert meter.spent == most or settings.get("batch_size") == 100  # the shown rows are not asked


def test_the_budget_is_a_wall():
    toy = ThinkingToy()
    searching, meter = search(toy, 2 * GENERATION + GENERATION - 1)
    assert len(run(searching)) == 2
    assert meter.spent == 2 * GENERATION == toy.asked + toy.thoughts
    assert meter.ran_out == "queries"


def test_resuming_equals_never_having_stopped():
    straight, _ = search(ThinkingToy(), draws=2)
    generations = run(straight)
    for half in (generations[1], generations[4], generations[-1]):
        state = checkpoint.loads(Place, checkpoint.dumps(half.state))
        best = prompts.loads("thinking", prompts.dumps(half.incumbent.prompt))
        resumed, _ = search(ThinkingToy(), draws=2)
        again = replace(half, state=state, incumbent=replace(half.incumbent, prompt=best))
        assert list(resumed.run(again)) == generations[half.number :]


def test_lost_answers_are_no_scores():
    def lose(queries, scores):
        scores[[query.thinking.passes != 1 for query in queries]] = np.nan
        return scores

    searching, _ = search(ThinkingToy(meddle=lose))
    first, *_, last = run(searching)
    assert first.incumbent.dev_loss == np.inf and np.isnan(first.champion.dev_loss)
    assert last.incumbent.prompt.passes == 1
    assert [one.incumbent.generation for one in run(searching)] == [1, 2, 2, 2, 2]


def test_the_paper_s_settings():
    paper, fast = DeepThinking.with_preset("paper"), DeepThinking.with_preset("fast")
    assert (paper.passes, paper.step_size, paper.momentum, paper.shots) == (15, 0.01, 0.9, 1)
    assert paper.draws == 1 and fast.draws > 1 and fast.passes < 15
    searching, _ = search(ThinkingToy(), step_size=0.2, momentum=0.3, loss="hinge")
    assert searching.recipe == Thinking("", 4, 0.2, 0.3)
    assert (searching.train.loss, searching.dev.loss) == ("hinge", "hinge")


def test_a_recipe_is_a_prompt_of_its_own():
    recipe = Thinking('"{text}"\u2028 👍\n', 7, 0.1 + 0.2, 1 / 3)
    assert prompts.kind_of(recipe) == "thinking"
    assert prompts.loads("thinking", prompts.dumps(recipe)) == recipe
    query = TASK.query(recipe, {"text": "a sky"})
    assert (query.before, query.thinking, query.soft) == ("a sky It was", recipe, None)
    assert TASK.query(TextPrompt("So:"), {"text": "a sky"}).thinking is None
    tuned = Tuned(recipe, TASK, None)
    assert tuned.facts()["thinking"]["passes"] == 7
    assert "before all texts" in tuned.facts()["position"]
    with pytest.raises(Unfit, match="not thinking prompts; try json"):
        export(tuned, "text")


COLORS = Task("{prompt} {text} was", {"b": "good", "r": "bad"})
SEEN = [
    Example({"text": f"{a} {b}"}, "br"[i % 2])
    for i, (a, b) in enumerate(
        [
            ("the", "film"),
            ("a", "plot"),
            ("it", "all"),
            ("slow", "story"),
            ("is", "it"),
            ("dull", "a"),
        ]
    )
]


def test_a_search_on_a_real_model_goes_on_and_is_served(catalog, tmp_path):
    folder = str(tiny.build("llama", tmp_path))
    catalog.add_endpoint("tiny", "causal", folder, {"threads": 1})
    row = catalog.endpoint("tiny")
    split = Split(tuple(SEEN), tuple(SEEN[1:5]), ())
    method = DeepThinking(passes=3, step_size=0.1)

    def fresh():
        close_endpoints()  # and what it has thought
        backend = open_endpoint(row)
        meter = Meter(backend, 10**4)
        return method.search(Problem(backend, COLORS, split, "", seed=0), meter), meter

    searching, meter = fresh()
    generations = run(searching)
    assert meter.spent == 4 * (1 + 4 + 4)
    assert len({one.champion.dev_loss for one in generations}) == 4
    assert all(one.internals["moved"] > 0.01 for one in generations[1:])
    resumed, _ = fresh()
    again = list(resumed.run(generations[1]))
    assert again == generations[2:]
    best = generations[-1].incumbent
    kind, content = (f(best.prompt) for f in (prompts.kind_of, prompts.dumps))
    served = answer(Served(row, COLORS, kind, content), [each.inputs for each in split.dev])
    queries = [COLORS.query(best.prompt, each.inputs) for each in split.dev]
    scores = meter.score(queries, COLORS.words)
    found = [[one.probabilities[label] for label in COLORS.labels] for one in served]
    np.testing.assert_array_equal(found, probabilities(scores))


def test_only_causal_models_are_admitted(catalog):
    able = [name for name, kind in KINDS.items() if DeepThinking().requires() <= kind.capabilities]
    assert able == ["causal"]
    asked = {"endpoint": "minilm", "dataset": "colors", "method": {"name": "random-search"}}
    spec = JobSpec.model_validate({**asked, "budget": {"queries": 1000}})
    with pytest.raises(Refused, match="deep-thinking needs thinking; endpoint 'minilm'"):
        admit(spec.model_copy(update={"method": DeepThinking()}), catalog)
