"""BBT-RGB: what each component changes alone, what all of it costs, and that it can be resumed."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from backends.base import BackendRefused
from backends.registry import Capability
from jobs import checkpoint, prompts
from jobs.answering import label_scores
from jobs.meter import BudgetSpent, Meter
from jobs.methods.bbt_rgb import BBTRGB, PLANNED
from jobs.methods.bbtv2 import BBTv2
from jobs.models import EndpointRow
from jobs.opening import close_endpoints, open_endpoint
from jobs.serving import Served, answer
from jobs.task import Example, Task
from optimizers.layered import Layered
from optimizers.two_stage import TwoStage, TwoStageState
from tests.backends.local import tiny
from tests.jobs.deep import RANKED, TASK, DeepToy, problem, rows

SMALL = {"intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 6, "sigma0": 0.5, "alpha": 1}
OFF = SMALL | {"second_share": 0, "words_per_label": 1, "n_demonstrations": 0}
GIVEN = {"r": ("wine", "red"), "b": ("navy", "blue")}


def search(toy, budget=10**6, n=4, **settings):
    meter = Meter(toy, budget)
    return BBTRGB(**(OFF | settings)).search(problem(toy, n), meter), meter


def generations(budget=3_000, toy=None, **settings):
    run, _ = search(toy or DeepToy(), budget, **settings)
    return list(run.run(run.start()))


def states(found):
    return [checkpoint.dumps(generation.state) for generation in found]


def test_without_components_it_is_bbtv2():
    toy = DeepToy()
    other = BBTv2(**SMALL).search(problem(toy), Meter(toy, 3_000))
    assert states(generations()) == states(other.run(other.start()))
    bare = BBTRGB(**OFF)
    assert bare.requires() == BBTv2().requires() and not bare.needs_labels()
    assert bare.least_queries(8, 6) == BBTv2(**SMALL).least_queries(8, 6)


def test_the_papers_system_has_all_three():
    paper = BBTRGB.with_preset("paper")
    assert (paper.intrinsic_dim, paper.n_prompt_tokens, paper.sigma0) == (500, 50, 0.2)
    assert paper.requires() - BBTv2().requires() == {Capability.VOCABULARY}
    assert paper.needs_labels()
    assert paper.least_queries(32, 32) == 32 * 31 + 32 + 32 + 20 * 32 + 32
    given = BBTRGB(label_words=GIVEN)
    assert given.requires() == BBTv2().requires() and given.needs_labels()
    assert given.least_queries(32, 32) == paper.least_queries(32, 32) - 32


def test_two_stages_alone():
    one, two = generations(), generations(second_share=0.5)
    cost = BBTRGB(**OFF).generation_queries(8, 6)
    switch = (3_000 - 8) // cost - round(0.5 * ((3_000 - 8) // cost))
    assert [each.internals["stage"] for each in two] == [1] * switch + [2] * (len(two) - switch)
    assert [each.champion for each in two[:switch]] == [each.champion for each in one[:switch]]
    assert [each.champion for each in two[switch:]] != [each.champion for each in one[switch:]]
    losses = [each.champion.train_loss for each in two]
    assert min(losses[switch:]) < min(losses[:switch])


@pytest.mark.parametrize(("given", "switch"), [({"generations": 10}, 7), ({}, PLANNED * 3 // 4)])
def test_when_the_second_stage_begins(given, switch):
    plan = BBTRGB(**OFF | {"second_share": 0.25, "bound": 5.0, **given}).plan(problem())
    assert isinstance(plan.optimizer, TwoStage)
    assert (plan.optimizer.bound, plan.optimizer.second.n_layers) == (5.0, 3)
    assert plan.optimizer.switch == pytest.approx(switch, abs=1)
    assert isinstance(BBTRGB(**OFF).plan(problem()).optimizer, Layered)


def test_an_optimizer_of_nevergrads_in_the_second_stage():
    found = generations(second_share=0.5, second_optimizer="PSO")
    assert [g.state.first.generation for g in found][-1] < len(found) == found[-1].number
    assert found[-1].internals["restarts"] == 0
    with pytest.raises(ValidationError, match="nevergrad has no optimizer 'POS'"):
        BBTRGB(second_optimizer="POS")
    with pytest.raises(ValidationError, match="takes one loss at a time"):
        BBTRGB(second_optimizer="Cobyla", intrinsic_dim=50)
    with pytest.raises(ValidationError, match="take 299 at most"):
        BBTRGB(second_optimizer="PSO")
    with pytest.raises(BackendRefused, match="cannot be used here"):
        BBTRGB(**OFF | {"second_share": 0.5}).model_copy(update={"second_optimizer": "NGOpt"}).plan(
            problem()
        )


def test_given_words_alone():
    toy = DeepToy()
    found = generations(toy=toy, label_words=GIVEN)
    assert found[-1].incumbent.prompt.words == (("navy", "blue"), ("wine", "red"))
    assert toy.ranked == []
    plain = generations()
    assert found[0].champion.train_loss != plain[0].champion.train_loss
    same = generations(label_words={"b": ("blue", "blue"), "r": ("red",)})
    assert [each.champion for each in same] == [each.champion for each in plain]


def test_words_that_do_not_fit_the_labels():
    for words, fault in (
        ({"b": ("navy",)}, "'r' has no words"),
        (GIVEN | {"g": ("leaf",)}, "'g' is unknown"),
    ):
        with pytest.raises(ValueError, match=fault):
            search(DeepToy(), label_words=words)
    for words in ({"b": ()}, {"b": (" ",)}):
        with pytest.raises(ValidationError):
            BBTRGB(label_words=words)


def test_searched_words_alone():
    toy = DeepToy()
    (first, *_) = generations(toy=toy, words_per_label=3)
    words = first.incumbent.prompt.words
    assert words[0] == ("blue", "navy") and set(words[1]) == {"red", "wine", "rose"}
    for color, mine in zip(("blue", "red"), words, strict=True):
        assert {RANKED[word] for word in mine} == {color}
    assert len(toy.ranked) == 8
    assert {query.soft.shape for query in toy.ranked} == {(1, 2, 4)}


def test_an_example_alone():
    toy = DeepToy()
    settings = {"initial_text": "x", "n_demonstrations": None, "n_prompt_tokens": 5}
    run, meter = search(toy, **settings)
    (choice,) = toy.calls
    assert len(choice) == meter.spent - 8 == 8 * 7
    texts = [f"x {row.inputs['text']} {TASK.verbalizer[row.label]}" for row in rows("train", 4)]
    starts = [toy.embed(text) for text in texts]
    nearest = min(starts, key=lambda start: ((start - 1) ** 2).mean())
    still = run.space.decode(np.zeros((3, 4))).vectors
    assert still[0].tolist() == nearest.tolist()
    assert {query.soft.tobytes() for query in choice} == {start.tobytes() for start in starts}
    shown = run.space.decode(np.zeros((3, 4))).words
    assert shown == () and not run.optimizer.init(0).points.any()


@pytest.mark.parametrize(
    "components",
    [
        {},
        {"second_share": 0.5},
        {"words_per_label": 3},
        {"label_words": GIVEN},
        {"n_demonstrations": None},
        {"n_demonstrations": 3, "words_per_label": 2, "second_share": 0.3},
        {"n_demonstrations": 1, "projection": "uniform"},
    ],
)
def test_every_query_is_counted_and_no_more_than_said(components):
    toy, method = DeepToy(), BBTRGB(**OFF | components)
    run, meter = search(toy, **components)
    measured = sum(len(texts) for texts, _ in toy.shown)
    before = meter.spent
    assert before == toy.asked + len(toy.ranked) + measured
    assert before == method.least_queries(8, 6) - method.generation_queries(8, 6)
    for generation in run.run(run.start()):
        cost = generation.number * method.generation_queries(8, 6)
        assert meter.spent - before == cost
        if generation.number == 3:
            break
    assert meter.spent == toy.asked + len(toy.ranked) + measured
    if before:
        with pytest.raises(BudgetSpent):
            search(DeepToy(), before - 1, **components)


def test_resuming_equals_never_having_stopped():
    settings = {"n_demonstrations": 4, "words_per_label": 2, "second_share": 0.5}
    straight = generations(**settings)
    for stop in (2, len(straight) - 3):
        again, _ = search(DeepToy(), 3_000, **settings)
        state = checkpoint.loads(TwoStageState, checkpoint.dumps(straight[stop].state))
        rest = list(again.run(replace(straight[stop], state=state)))
        rest = rest[: len(straight) - stop - 1]
        assert states(rest) == states(straight[stop + 1 :]) != []
        assert rest[-1].champion == straight[-1].champion


def test_it_learns():
    toy = DeepToy()
    found = generations(8_000, toy, second_share=0.4, label_words=GIVEN)
    first, last = found[0].incumbent, found[-1].incumbent
    assert last.dev_loss < 0.7 * first.dev_loss and last.dev_accuracy == 1.0


def test_a_population_in_which_all_failed_goes_by():
    toy = DeepToy()
    found = generations(3_000, toy, second_share=0.5)
    run, _ = search(DeepToy(), 3_000, second_share=0.5)
    for at in (1, len(found) - 2):
        optimizer, state = run.optimizer, found[at].state
        lost = [np.full(8, np.nan)] * 6
        later = optimizer.tell(state, optimizer.ask(state), lost)
        assert all(np.isfinite(trial.candidate).all() for trial in optimizer.ask(later))


def test_what_is_served_is_what_was_scored(tmp_path):
    """On a masked model of tiny size: from the search to the file and to the answers."""
    row = EndpointRow(
        id="tiny",
        kind="masked",
        model=str(tiny.build("bert", tmp_path)),
        options={"threads": 1, "device": "cpu", "dtype": "float32"},
        probed=None,
    )
    task = Task("{prompt} {text} it was {label} .", {"n": "bad", "p": "good"})
    train = [("the plot was dull", "n"), ("a great film", "p"), ("slow", "n"), ("a movie", "p")]
    examples = tuple(Example({"text": text}, label) for text, label in train)
    backend = open_endpoint(row)
    given = problem(backend)
    given = replace(given, task=task, split=replace(given.split, train=examples, dev=examples))
    method = BBTRGB(**SMALL | {"words_per_label": 3, "n_prompt_tokens": 8, "second_share": 0.5})
    meter = Meter(backend, method.least_queries(4, 4) + 3 * method.generation_queries(4, 4))
    run = method.search(given, meter)
    last = list(run.run(run.start()))[-1]
    prompt = last.incumbent.prompt
    assert [len(mine) for mine in prompt.words] == [3, 3]
    inputs = [example.inputs for example in examples]
    scores = label_scores(backend, task, [(prompt, each) for each in inputs])
    served = Served(row, task, "soft", prompts.dumps(prompt))
    told = [list(each.probabilities.values()) for each in answer(served, inputs)]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(told, shares, rtol=1e-12)
    own = label_scores(backend, task, [(replace(prompt, words=()), each) for each in inputs])
    assert np.abs(own - scores).max() > 1e-3
    close_endpoints()
