"""PromptBoosting's search: what it asks, what it learns, how it ends and how it goes on."""

from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint, prompts
from jobs.answering import label_scores
from jobs.boosting import Boosting, BoostingState, Recipe
from jobs.learners import answers
from jobs.meter import Meter
from jobs.objective import Objective
from jobs.prompts import Member
from optimizers import samme
from tests.jobs.ranking import RankingToy, split, task

TEMPLATES = tuple(f"{mark} {{text}}" for mark in "abcde")
RECIPE = Recipe(100, 100, 3, 500, 40, 1.0)
TWO, THREE = ("blue", "red"), ("blue", "green", "red")


class Lab:
    def __init__(self, toy=None, *, labels=THREE, budget=10**6, templates=TEMPLATES, **recipe):
        self.toy, self.task, self.split = toy or RankingToy(), task(labels), split(labels)
        self.meter = Meter(self.toy, budget)
        sides = [
            Objective(self.task, self.meter, rows, "accuracy")
            for rows in (self.split.train, self.split.dev)
        ]
        self.n_rows = sum(len(side.examples) for side in sides)
        self.search = Boosting(templates, replace(RECIPE, **recipe), *sides, self.meter, 7)

    def run(self, last=None):
        return list(self.search.run(last or self.search.start()))

    def served_accuracy(self, prompt, rows):
        scores = label_scores(self.toy, self.task, [(prompt, row.inputs) for row in rows])
        answers = [self.task.labels[i] for i in scores.argmax(axis=1)]
        return np.mean([a == row.label for a, row in zip(answers, rows, strict=True)])


def test_every_template_is_asked_once_on_every_row():
    lab = Lab()
    generations = lab.run()
    assert lab.meter.spent == len(lab.toy.queries) == len(TEMPLATES) * lab.n_rows
    rows = [*lab.split.train, *lab.split.dev]
    wanted = sorted(f"{mark} {row.inputs['text']}" for mark in "abcde" for row in rows)
    assert sorted(query.before for query in lab.toy.queries) == wanted
    assert [g.number for g in generations] == list(range(1, 5 + 8 + 1))
    told = [(g.internals["templates"], g.internals["learners"]) for g in generations]
    assert told[:8] == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 5), (5, 10), (5, 15)]
    assert told[-1] == (5, RECIPE.n_learners)


@pytest.mark.parametrize("labels", [TWO, THREE])
def test_boosting_is_better_than_its_learners(labels):
    lab = Lab(labels=labels)
    generations = lab.run()
    single, last = generations[len(TEMPLATES) - 1].incumbent, generations[-1]
    assert last.champion.train_accuracy == 1.0 > 1 - last.champion.population_loss
    assert last.incumbent.dev_accuracy > single.dev_accuracy > 1 / len(labels)
    served = lab.served_accuracy(last.incumbent.prompt, lab.split.dev)
    assert served == pytest.approx(last.incumbent.dev_accuracy, abs=1 / 32)
    on_test = [
        lab.served_accuracy(g.incumbent.prompt, lab.split.test) for g in (generations[4], last)
    ]
    assert on_test[1] > on_test[0]


@pytest.mark.parametrize("seed", range(6))
def test_the_shortest_of_the_best_on_dev_is_kept(seed):
    lab = Lab()
    search = replace(lab.search, seed=seed)
    last = list(search.run(search.start()))[-1]
    state, n_train = last.state, len(lab.split.train)
    told = answers(state.ranked, state.learners)[:, n_train:]
    weights = [learner.weight for learner in state.learners]
    votes = [samme.votes(told[:n], weights[:n], 3) for n in range(1, len(weights) + 1)]
    right = [(each.argmax(axis=1) == lab.search._targets[n_train:]).mean() for each in votes]
    assert last.incumbent.dev_accuracy == pytest.approx(max(right))
    assert len(last.incumbent.prompt.members) == 1 + int(np.argmax(right))


def test_learners_see_the_rows_that_those_before_got_wrong():
    state = Lab().run()[-1].state
    assert state.weights.sum() == pytest.approx(1.0)
    assert state.weights.max() > 3 * state.weights.min()
    first, *rest = state.learners
    assert first.weight == pytest.approx(samme.alpha(first.error, 3))
    assert len({(each.template, each.words) for each in rest}) > 10
    assert all(each.error < 2 / 3 for each in state.learners)


@pytest.mark.parametrize("budget", [0, 1, 2.5])
def test_with_less_budget_fewer_templates_are_boosted(budget):
    lab = Lab()
    lab.meter.budget = int(budget * lab.n_rows)
    generations = lab.run()
    assert lab.meter.spent == int(budget) * lab.n_rows
    if budget < 1:
        assert generations == []
    else:
        assert len(generations) > int(budget)
        used = {member.template for member in generations[-1].incumbent.prompt.members}
        assert used <= set(TEMPLATES[: int(budget)])


def test_it_stops_after_a_learner_without_an_error():
    generations = Lab(RankingToy(hint=9.0)).run()
    last = generations[-1]
    assert (last.number, len(last.state.learners), last.state.over) == (6, 1, True)
    assert last.incumbent.dev_loss == 0.0 and last.incumbent.generation == 1
    assert np.isfinite(last.state.weights).all() and np.isfinite(last.state.learners[0].weight)


def test_it_stops_where_no_learner_is_better_than_chance():
    def all_lost_but_three(query):
        return not query.before.split("row ")[1].startswith("0 ")

    lab = Lab(RankingToy(lose=all_lost_but_three))
    generations = lab.run()
    assert len(generations) == len(TEMPLATES)
    assert generations[-1].state.learners == ()
    assert generations[-1].incumbent.dev_accuracy <= 1 / 16


def test_rows_that_failed_are_errors_of_every_learner():
    lost = [f"row {i} is" for i in (3, 4)]
    lab = Lab(RankingToy(lose=lambda query: any(each in query.before for each in lost)))
    last = lab.run()[-1]
    assert 0.5 < last.incumbent.dev_accuracy <= 14 / 16
    assert last.champion.train_accuracy <= 14 / 16
    assert np.isfinite(last.state.weights).all()


def test_when_all_queries_fail_the_own_words_remain():
    lab = Lab(RankingToy(lose=lambda query: True))
    last = lab.run()[-1]
    (member,) = last.incumbent.prompt.members
    assert member == Member(TEMPLATES[0], THREE, 1.0)
    assert (last.incumbent.dev_loss, last.incumbent.dev_accuracy) == (1.0, 0.0)


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 6, 12])
def test_resuming_equals_never_having_stopped(stop):
    straight = Lab().run()
    lab = Lab()
    last = straight[stop - 1] if stop else lab.search.start()
    state = checkpoint.loads(BoostingState, checkpoint.dumps(last.state))
    rest = lab.run(replace(last, state=state))
    assert [g.number for g in rest] == list(range(stop + 1, len(straight) + 1))
    for mine, theirs in zip(rest, straight[stop:], strict=True):
        assert checkpoint.dumps(mine.state) == checkpoint.dumps(theirs.state)
        assert prompts.dumps(mine.incumbent.prompt) == prompts.dumps(theirs.incumbent.prompt)
        assert mine == replace(theirs, state=mine.state)
    assert lab.meter.spent == max(0, len(TEMPLATES) - stop) * lab.n_rows


def test_a_finished_search_has_nothing_more_to_do():
    lab = Lab()
    last = lab.run()[-1]
    assert Lab().run(last) == []


def test_what_a_checkpoint_weighs():
    lab = Lab(kept_words=6)
    last = lab.run()[-1]
    kept = sum(len(each.words) for each in last.state.ranked)
    assert kept <= 5 * (6 + 3)  # the job's own words come on top
    arrays = sum(each.logs.nbytes for each in last.state.ranked)
    assert arrays == 2 * lab.n_rows * kept
    assert len(checkpoint.dumps(last.state)) < arrays + 20_000


def test_seeds_differ_in_the_order_of_templates():
    def templates(seed):
        search = replace(Lab().search, seed=seed)
        return [each.template for each in list(search.run(search.start()))[-1].state.learners]

    assert templates(1) == templates(1) != templates(2)
