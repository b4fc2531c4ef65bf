from dataclasses import replace

import numpy as np
import pytest

from jobs import checkpoint, prompts
from jobs.meter import Meter
from jobs.objective import Objective
from jobs.search import NothingScored, Search
from jobs.spaces import Projection
from jobs.task import Example, Task
from optimizers.cma import cma_es
from optimizers.replayed import ReplayedState
from tests.toy import ToyBackend, unchanged

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
TRAIN = [Example({"text": f"{word} train {i}"}, word[0]) for word in ("blue", "red") for i in "123"]
DEV = [Example({"text": f"{word} dev {i}"}, word[0]) for word in ("blue", "red") for i in "12"]
POPULATION = 4
COST = POPULATION * len(TRAIN) + len(DEV)  # queries of one generation


class Lab:
    """A search on the toy model, all of it at hand."""

    def __init__(self, budget=10 * COST, meddle=unchanged):
        self.toy = ToyBackend(meddle=meddle)
        self.meter = Meter(self.toy, budget)
        self.optimizer = cma_es(3, population_size=POPULATION)
        space = Projection(3, np.zeros((2, 4), dtype=np.float32), "normal", 0.5, 0)
        self.train, self.dev = (Objective(TASK, self.meter, rows) for rows in (TRAIN, DEV))
        self.search = Search(self.optimizer, space, self.train, self.dev, self.meter, 0)
        self.start = self.search.start()

    def run(self, last=None):
        return list(self.search.run(last or self.start))


def on_dev(queries):
    return np.array(["dev" in query.before for query in queries])


def dev_says(values):
    """Meddles so that the dev loss of the n-th generation is about `-values[n]`."""
    turn = iter(values)

    def meddle(queries, scores):
        if on_dev(queries).all():
            gap = next(turn)
            right = [[("blue" in q.before) * gap, ("red" in q.before) * gap] for q in queries]
            return np.array(right, dtype=float)
        return scores

    return meddle


def served(generation):
    return prompts.dumps(generation.incumbent.prompt)


def test_it_learns():
    generations = Lab(budget=40 * COST).run()
    first, last = generations[0], generations[-1]
    assert last.champion.train_loss < 0.5 * first.champion.train_loss
    assert last.incumbent.dev_loss < first.incumbent.dev_loss
    assert last.incumbent.dev_accuracy == 1.0


def test_generations_are_counted_from_one():
    assert [generation.number for generation in Lab().run()] == list(range(1, 11))


def test_train_moves_and_dev_picks():
    generations = Lab(meddle=dev_says([2, 5, 3, 5, 9, 1] + [0] * 4)).run(None)[:6]
    assert [g.incumbent.generation for g in generations] == [1, 2, 2, 2, 5, 5]
    plain = Lab().run()[:6]
    assert [checkpoint.dumps(g.state) for g in generations] == [
        checkpoint.dumps(g.state) for g in plain
    ], "dev must not move the optimizer"


def test_the_champion_is_the_best_by_train_loss():
    lab, last, places = Lab(), Lab().start, set()
    for _ in range(5):
        candidates = [trial.candidate for trial in lab.optimizer.ask(last.state)]
        own = [lab.search.space.decode(z) for z in candidates]
        scored = Lab().train.score([(prompt, None) for prompt in own])
        last = lab.search.advance(replace(last, incumbent=None))
        best = int(np.argmin([each.loss for each in scored]))
        places.add(best)
        assert served(last) == prompts.dumps(own[best])
        assert last.champion.train_loss == scored[best].loss
        mean = np.mean([each.loss for each in scored])
        assert last.champion.population_loss == pytest.approx(mean)
        on_dev = lab.toy.calls[-1]
        assert len(on_dev) == len(DEV)
        assert {query.soft.tobytes() for query in on_dev} == {own[best].vectors.tobytes()}
    assert len(places) > 1, "the best should not always stand in the same place"


def test_an_equal_dev_loss_does_not_win():
    generations = Lab(meddle=dev_says([4] * 20)).run()
    assert {g.incumbent.generation for g in generations} == {1}
    assert generations[0].incumbent is generations[-1].incumbent


def test_a_lost_dev_score_never_wins():
    generations = Lab(meddle=dev_says([2, np.nan, 3] + [1] * 20)).run()
    assert [g.incumbent.generation for g in generations[:4]] == [1, 1, 3, 3]
    assert np.isnan(generations[1].champion.dev_loss)


def test_a_lost_first_dev_score_is_overtaken():
    generations = Lab(meddle=dev_says([np.nan, np.nan, 1, 2] + [1] * 20)).run()
    assert [g.incumbent.generation for g in generations[:5]] == [1, 1, 3, 4, 4]


def test_failed_candidates_are_told_and_left_out():
    def lose_one(queries, scores):
        if not on_dev(queries).any():
            order = [query.soft.tobytes() for query in queries]
            scores[[each == order[0] for each in order]] = np.nan
        return scores

    lab = Lab(meddle=lose_one)
    generation = lab.search.advance(lab.start)
    assert np.isinf(generation.state.losses).sum() == 1
    assert np.isfinite(generation.champion.population_loss)


def test_when_all_candidates_fail_there_is_nothing_to_learn():
    lab = Lab(meddle=lambda queries, scores: scores * np.nan)
    with pytest.raises(NothingScored, match="all 4 candidates of generation 1 failed"):
        lab.run()


@pytest.mark.parametrize("extra", [0, 1, len(DEV), COST - len(DEV), COST - 1])
def test_it_stops_at_the_budget_and_wastes_nothing(extra):
    lab = Lab(budget=3 * COST + extra)
    assert len(lab.run()) == 3
    assert lab.meter.spent == lab.toy.asked == 3 * COST


def test_a_budget_below_one_generation():
    lab = Lab(budget=COST - 1)
    assert lab.run() == []
    assert lab.toy.asked == 0


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_resuming_equals_never_having_stopped(stop):
    straight = Lab().run()
    half = Lab(budget=stop * COST).run()[-1]
    state = checkpoint.loads(ReplayedState, checkpoint.dumps(half.state))
    rest = Lab(budget=(10 - stop) * COST).run(replace(half, state=state))
    assert [g.number for g in rest] == list(range(stop + 1, 11))
    for mine, theirs in zip(rest, straight[stop:], strict=True):
        assert checkpoint.dumps(mine.state) == checkpoint.dumps(theirs.state)
        assert served(mine) == served(theirs)
        assert mine.champion == theirs.champion
        assert mine.internals == theirs.internals
        assert replace(mine.incumbent, prompt=None) == replace(theirs.incumbent, prompt=None)


def test_rows_of_a_trial_are_the_rows_that_are_scored():
    class OnSomeRows:
        """The optimizer, asking for two rows of each candidate."""

        def __init__(self, optimizer):
            self.optimizer = optimizer
            self.tell, self.describe = optimizer.tell, optimizer.describe

        def ask(self, state):
            return [replace(trial, rows=(5, 0)) for trial in self.optimizer.ask(state)]

    lab = Lab(budget=POPULATION * 2 + len(DEV))
    search = replace(lab.search, optimizer=OnSomeRows(lab.optimizer))
    assert len(list(search.run(lab.start))) == 1
    asked = [query.before for query in lab.toy.calls[0]]
    assert sorted(asked) == ["blue train 1"] * POPULATION + ["red train 3"] * POPULATION
