"""Successive halving, with contenders of which one is plainly better than the others."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from jobs import checkpoint
from jobs.meter import Meter
from jobs.objective import Objective
from jobs.race import Contender, RaceSearch, RaceState, n_rungs
from jobs.search import NothingScored, Search
from jobs.spaces import Texts
from jobs.task import Example, Task
from optimizers.base import Trial

TASK = Task("{prompt} | {text}", {"b": "blue", "r": "red"})
TRAIN, DEV = (
    [
        Example({"text": f"{word} {split} {i}"}, word[0])
        for i in range(n)
        for word in ("blue", "red")
    ]
    for split, n in (("train", 3), ("dev", 2))
)


@dataclass
class Model:
    """As sure of the right label as the number in the prompt says; fails where it says fail.

    On dev, prompts that begin with peak are at their best at 1.
    """

    asked: int = 0

    def score(self, queries, labels):
        self.asked += len(queries)
        scores = np.zeros((len(queries), len(labels)))
        for i, query in enumerate(queries):
            prompt, _, text = query.before.partition(" | ")
            sure = np.nan if prompt.endswith("fail") else float(prompt.split()[1])
            if prompt.startswith("peak") and "dev" in text:
                sure = min(sure, 2 - sure)
            scores[i] = [sure * (word in text) for word in labels]
        return scores


@dataclass(frozen=True)
class Climbed:
    level: float
    generation: int


@dataclass(frozen=True)
class Climber:
    """Proposes the level it has reached and some around it, `pace` apart; keeps the best."""

    name: str
    pace: float
    n: int = 2
    fails_at: int = -1  # generation, counted from 0

    def init(self, seed):
        return Climbed(0.0, 0)

    def ask(self, state):
        if state.generation == self.fails_at:
            return [Trial(f"{self.name} fail")] * self.n
        levels = [state.level + self.pace * i for i in range(self.n)]
        return [Trial(f"{self.name} {level}") for level in levels]

    def tell(self, state, trials, losses):
        best = trials[int(np.argmin([each.mean() for each in losses]))].candidate.split()[1]
        level = state.level if best == "fail" else float(best)
        return Climbed(level, state.generation + 1)

    def describe(self, state):
        return {"level": state.level}

    @property
    def cost(self):
        return self.n * len(TRAIN) + len(DEV)


SLOW, FAST, STUCK = Climber("slow", 0.1), Climber("fast", 0.5), Climber("stuck", 0.0, n=3)
THREE = (SLOW, FAST, STUCK)


def race(climbers, budget, eta=3, spent=0, between=lambda: None):
    meter = Meter(Model(), budget, spent=spent, between=between)
    train, dev = (Objective(TASK, meter, rows) for rows in (TRAIN, DEV))
    searches = [Search(climber, Texts(), train, dev, meter, 0) for climber in climbers]
    contenders = [Contender(s, c.cost) for s, c in zip(searches, climbers, strict=True)]
    return RaceSearch(tuple(contenders), eta, train, dev, meter)


def run(climbers, budget, eta=3):
    search = race(climbers, budget, eta)
    return list(search.run(search.start())), search.meter


def internals(generations, name):
    return [int(generation.internals[name]) for generation in generations]


def shown(generation):
    """All that a runner keeps of a generation."""
    return (
        generation.number,
        checkpoint.dumps(generation.state),
        generation.incumbent,
        generation.champion,
        generation.internals,
    )


def test_the_best_wins_and_gets_most_of_the_budget():
    generations, meter = run(THREE, 1000)
    last = generations[-1]
    assert last.incumbent.prompt.text.startswith("fast")
    assert [standing.status for standing in last.state.standings] == ["out", "racing", "out"]
    queries = [standing.queries for standing in last.state.standings]
    assert sum(queries) == meter.spent
    assert queries[1] > 0.5 * 1000 > queries[0] + queries[2]


def test_its_incumbent_is_the_best_of_all():
    generations, _ = run(THREE, 1000)
    for before, after in zip([None, *generations], generations, strict=False):
        losses = [standing.dev_loss for standing in after.state.standings]
        assert after.incumbent.dev_loss == min(losses)
        if before and after.incumbent.generation != after.number:
            assert after.incumbent is before.incumbent, "or it would be written to disk again"
    assert internals(generations, "moved")[generations[-1].incumbent.generation - 1] == 1


def test_a_contender_keeps_its_best_however_it_goes_on():
    generations, _ = run((Climber("peak", 0.5), SLOW), 500)
    peak = [g.internals["dev_loss_0"] for g in generations if g.internals["moved"] == 0]
    assert len(peak) > 4
    assert peak == sorted(peak, reverse=True)
    assert generations[-1].incumbent.prompt.text == "peak 1.0"


def test_they_take_turns():
    generations, _ = run(THREE, 1000)
    assert internals(generations, "moved")[:6] == [0, 1, 2, 0, 1, 2]
    assert [generation.number for generation in generations] == list(range(1, len(generations) + 1))


def test_internals_tell_how_the_race_stands():
    generations, meter = run(THREE, 1000)
    last = generations[-1].internals
    assert (last["rung"], last["racing"], last["failed"]) == (2, 1, 0)
    assert sum(last[f"queries_{i}"] for i in range(3)) == meter.spent
    assert last["dev_loss_1"] == generations[-1].incumbent.dev_loss


@pytest.mark.parametrize(
    ("n", "eta", "wanted"),
    [(8, 3, [8, 3, 1]), (8, 2, [8, 4, 2, 1]), (2, 3, [2, 1]), (4, 3, [4, 2, 1])],
)
def test_each_rung_keeps_the_better_ones(n, eta, wanted):
    climbers = [Climber(f"pace{i}", 0.1 * ((i * 3) % n)) for i in range(n)]
    generations, _ = run(climbers, 6000, eta)
    left = dict(zip(internals(generations, "rung"), internals(generations, "racing"), strict=True))
    assert list(left.values()) == wanted
    assert list(left) == list(range(1, n_rungs(n, eta) + 1))
    best = max(climbers, key=lambda climber: climber.pace)
    assert generations[-1].incumbent.prompt.text.startswith(best.name)


def test_rungs_and_contenders_have_equal_shares():
    generations, _ = run(THREE, 1000)
    state = generations[0].state
    assert state.share == 1000 // 2 // 3
    first = [g for g in generations if g.state.rung == 1][-1]
    for standing, climber in zip(first.state.standings, THREE, strict=True):
        assert state.share - climber.cost < standing.used <= state.share


@pytest.mark.parametrize("budget", range(54, 400, 7))
def test_no_query_goes_beyond_the_budget(budget):
    generations, meter = run(THREE, budget)
    assert meter.backend.asked == meter.spent <= budget
    assert {0, 1, 2} == set(internals(generations, "moved"))
    assert budget - meter.spent < max(climber.cost for climber in THREE)


def test_the_least_budget_is_one_generation_of_each():
    dear = Climber("dear", 0.1, n=20)
    least = SLOW.cost + FAST.cost + dear.cost
    for order in ((SLOW, FAST, dear), (dear, SLOW, FAST)):
        assert sorted(internals(run(order, least)[0], "moved")) == [0, 1, 2]
        assert len(set(internals(run(order, least - 1)[0], "moved"))) < 3


@pytest.mark.parametrize("climbers", [THREE, (SLOW, replace(FAST, fails_at=2), STUCK)])
def test_resuming_equals_never_having_stopped(climbers):
    straight, whole = run(climbers, 700)
    last, spent = race(climbers, 700).start(), 0
    for wanted in straight:
        state = checkpoint.loads(RaceState, checkpoint.dumps(last.state))
        search = race(climbers, 700, spent=spent)  # another process
        last = next(search.run(replace(last, state=state)))
        spent = search.meter.spent
        assert shown(last) == shown(wanted)
    assert spent == whole.spent
    assert list(race(climbers, 700, spent=spent).run(last)) == []


class Killed(Exception):
    """What `between` raises."""


@pytest.mark.parametrize("call", range(0, 24, 5))
def test_killed_amid_a_generation(call):
    straight, _ = run(THREE, 400)
    calls = iter(range(1000))

    def between():
        if next(calls) == call:
            raise Killed

    search = race(THREE, 400, between=between)
    last, spent = search.start(), 0
    with pytest.raises(Killed):
        for generation in search.run(last):
            last, spent = generation, search.meter.spent
    rest = list(race(THREE, 400, spent=spent).run(last))
    assert [shown(g) for g in rest] == [shown(g) for g in straight[last.number :]]


def test_a_contender_that_fails_leaves():
    generations, meter = run((SLOW, replace(FAST, fails_at=1), STUCK), 1000)
    last = generations[-1]
    assert last.state.standings[1].status == "failed"
    assert last.internals["failed"] == 1
    assert last.incumbent.prompt.text.startswith("slow")
    assert last.state.standings[1].queries == FAST.cost + FAST.n * len(TRAIN), "the lost ones count"
    assert sum(standing.queries for standing in last.state.standings) == meter.spent


def test_when_all_fail_there_is_no_race():
    with pytest.raises(NothingScored, match="every contender"):
        run([replace(climber, fails_at=0) for climber in THREE], 1000)


def test_when_the_winner_fails_its_best_stays():
    generations, _ = run((SLOW, replace(FAST, fails_at=30), STUCK), 2000)
    assert generations[-1].incumbent.prompt.text.startswith("fast")


def test_a_contender_with_nothing_left_to_do_leaves_the_rest_to_the_others():
    @dataclass(frozen=True, eq=False)
    class Short(Search):
        def run(self, last):
            return iter(()) if last.number == 3 else super().run(last)

    search = race(THREE, 1000)
    short = Short(**vars(search.contenders[1].search))
    contenders = (search.contenders[0], Contender(short, FAST.cost), search.contenders[2])
    search = replace(search, contenders=contenders)
    generations = list(search.run(search.start()))
    assert internals(generations, "moved").count(1) == 3
    assert internals(generations, "failed")[-1] == 0
    assert 1000 - search.meter.spent < max(climber.cost for climber in THREE)


def test_the_state_of_those_that_left_is_not_kept():
    generations, _ = run(THREE, 1000)
    sizes = [len(standing.state) for standing in generations[-1].state.standings]
    assert [size > 0 for size in sizes] == [False, True, False]
