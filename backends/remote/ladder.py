"""The ladder of label scores: the best rung that works is asked. Its facts come from a probe."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused, Query
from backends.remote.facts import Facts
from backends.remote.rungs.base import Rung, Send, together
from backends.remote.rungs.chosen import Choice, Match, Samples
from backends.remote.rungs.graded import Named, Tokenize, Top, WholeLabel

GRADED = ("named", "sequence", "top", "samples")  # rungs whose scores are probabilities


def rungs(facts: Facts, tokenize: Tokenize, draws: int) -> list[Rung]:
    """The rungs that work, best first."""
    every: list[Rung] = [
        Named(facts, tokenize),
        WholeLabel(facts),
        Top(facts),
        Choice(facts),
        Samples(facts, draws),
        Match(facts),
    ]
    return [rung for rung in every if rung.name in facts.rungs]


@dataclass
class Ladder:
    """Scores labels on the first rung that takes them.

    named, sequence and top estimate one and the same number, log p(label | text); the others do
    not. A set of labels that had to go down a rung stays there, so that its scores compare.
    """

    rungs: Sequence[Rung]  # at least one
    send: Send
    rung: str = ""  # the name of the last one used
    _lowest: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.rung = self.rung or self.rungs[0].name

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Nats, shape (n_queries, n_labels).

        Raises:
            BackendRefused: no rung can score these labels; the message says why not, rung by rung.
        """
        rung = self.choose(queries, labels)
        nats = together([rung.asks(query, labels) for query in queries], self.send)
        return np.array(nats, np.float64).reshape(len(queries), len(labels))

    def choose(self, queries: Sequence[Query], labels: Sequence[str]) -> Rung:
        """The best rung for these labels."""
        if not labels:
            raise BackendRefused("no labels were given: at least one label text is wanted")
        reasons = []
        for index in range(self._lowest.get(tuple(labels), 0), len(self.rungs)):
            rung = self.rungs[index]
            refusal = rung.refuses(queries, labels)
            if refusal is None:
                self._lowest[tuple(labels)] = index
                self.rung = rung.name
                return rung
            reasons.append(f"{rung.name}: {refusal}")
        raise BackendRefused("these labels cannot be scored; " + "; ".join(reasons))
