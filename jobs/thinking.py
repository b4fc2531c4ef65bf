"""Deep-Thinking's search: demonstrations drawn, gone over again and again, each pass measured."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backends.base import Thinking
from jobs.demonstrations import shown
from jobs.meter import BudgetSpent, Meter
from jobs.objective import Objective, Scored
from jobs.search import Champion, Generation, Incumbent
from jobs.task import Example, Task

BETWEEN = "\n\n"  # demonstrations, and the last one and the query


@dataclass(frozen=True)
class Draw:
    """Some train rows shown with their answers, and other train rows to measure them on."""

    demonstrations: str
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """What comes next."""

    draw: int = 0
    passes: int = 0


@dataclass(frozen=True, eq=False)
class ThinkingSearch:
    """A `Searching` that ends by itself (Yang et al. 2023, arXiv:2305.13016).

    One generation a pass, from none, which is in-context learning alone, to the recipe's. Its
    prompt is measured on the draw's train rows and on dev, and the pass itself is a query too.
    Then the next draw begins. The incumbent is the best of all passes by dev loss.

    Unlike the paper, which reads the best number of passes off the test rows, dev picks it; and
    more than one draw may be tried.
    """

    draws: tuple[Draw, ...]
    recipe: Thinking  # with each draw's demonstrations in place of its own, and passes up to its
    train: Objective
    dev: Objective
    meter: Meter

    def start(self) -> Generation[Place]:
        return Generation(0, Place())

    def run(self, last: Generation[Place]) -> Iterator[Generation[Place]]:
        """As `Searching.run`, but it ends by itself after the last pass."""
        try:
            while last.state.draw < len(self.draws):
                last = self._following(last)
                yield last
        except BudgetSpent:
            return

    def _following(self, last: Generation[Place]) -> Generation[Place]:
        place = last.state
        draw = self.draws[place.draw]
        prompt = replace(self.recipe, demonstrations=draw.demonstrations, passes=place.passes)
        self.meter.afford(1 + self.train.n_queries(draw.rows) + self.dev.n_queries(None))
        moved = self.meter.think(prompt)
        [train] = self.train.score([(prompt, draw.rows)])
        [dev] = self.dev.score([(prompt, None)])
        number = last.number + 1
        return Generation(
            number,
            self._next(place),
            _better(last.incumbent, Incumbent(prompt, number, *_told(train, dev))),
            Champion(train.loss, train.accuracy, train.loss, dev.loss, dev.accuracy),
            {"draw": place.draw + 1, "passes": place.passes, "moved": moved},
        )

    def _next(self, place: Place) -> Place:
        if place.passes < self.recipe.passes:
            return replace(place, passes=place.passes + 1)
        return Place(place.draw + 1)


def drawn(
    task: Task, examples: Sequence[Example], shots: int, most: int, seed: tuple[int, int]
) -> Draw:
    """`shots` examples of each label, or all there are of a rarer one, in any order.

    They are measured on `most` others at most; on themselves where there are no others.
    """
    order = np.random.default_rng(seed).permutation(len(examples)).tolist()
    left = dict.fromkeys(task.labels, shots)
    taken: list[int] = []
    others: list[int] = []
    for row in order:
        label = examples[row].label
        (taken if left[label] else others).append(row)
        left[label] = max(0, left[label] - 1)
    text = "".join(shown(task, examples[row]) + BETWEEN for row in taken)
    return Draw(text, tuple(sorted((others or taken)[:most])))


def _better(incumbent: Incumbent | None, new: Incumbent) -> Incumbent:
    """The new one if its dev loss is lower; a lost one counts as +inf."""
    return incumbent if incumbent and not new.dev_loss < incumbent.dev_loss else new


def _told(train: Scored, dev: Scored) -> tuple[float, float, float]:
    """Train loss, dev loss and dev accuracy of an incumbent."""
    return train.loss, math.inf if math.isnan(dev.loss) else dev.loss, dev.accuracy
