"""Instructions written by a language model from what was tried, then raced on train rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial
from optimizers.meta_prompt import AIMS, Assignment, Brief, Tried, read, request
from optimizers.racing import Table, ends, leader, survivors

Ids = NDArray[np.int64]

ORDER, REQUEST = range(2)  # what is drawn, each from a stream of its own


@dataclass(frozen=True, eq=False)
class ProposerState:
    """All instructions so far, and how the present race stands."""

    seed: int
    generation: int  # told so far
    round: int  # races begun before this one
    texts: tuple[str, ...]  # every instruction, in the order they came; others are positions here
    right: NDArray[np.float64]  # shape (n_texts,): inputs that each got right, over all races
    seen: Ids  # shape (n_texts,): inputs that each has answered, over all races
    racing: Ids  # those still in the race
    answers: Table  # what was told of them on the rows met, shape (n_racing, n_met)
    entered: int  # how many began this race
    best: int  # the leader's position in `texts`
    chosen: int  # and among the last trials


@dataclass(frozen=True, eq=False)
class Proposer:
    """Rounds of two parts: the writer answers `n_candidates` requests, then there is a race.

    The requests follow OPRO (Yang et al. 2023, arXiv:2309.03409) and GEPA (Agrawal et al. 2025,
    arXiv:2507.19457): see `optimizers.meta_prompt`. In the race the best instruction so far and
    the new ones meet slice after slice of the rows, in an order drawn for this race, until one
    is left or no rows are (`optimizers.racing`). One slice is one generation. The first race is
    the starting text's alone, so that the writer always hears of scores and failures.

    Unlike OPRO, a candidate is scored on as many rows as the race takes, so scores are shown
    with the number of inputs behind them, and requests of one round differ. Unlike GEPA, the
    failures are those of the best instruction alone, no front of several is kept, and what is
    told of a failure is the wrong and the right answer.

    Hears the position of the label word that each row got ("answer"); where the task has no label
    words, a loss from 0 to 1. A row that failed is nan.
    """

    task: Assignment
    start: str
    n_candidates: int = 8
    history: int = 20
    failures: int = 3
    examples: int = 3
    first_rows: int = 8
    growth: float = 2.0
    error_rate: float = 0.1

    def init(self, seed: int) -> ProposerState:
        first, empty = np.zeros(1, dtype=np.int64), np.empty((1, 0))
        return ProposerState(
            seed, 0, 0, (self.start,), np.zeros(1), first, first, empty, entered=1, best=0, chosen=0
        )

    def requests(self, state: ProposerState) -> list[str]:
        """None while a race is on; else one for each new candidate, with aims in turn."""
        if not _over(state):
            return []
        return [self._request(state, number) for number in range(self.n_candidates)]

    def hear(self, state: ProposerState, texts: Sequence[str]) -> ProposerState:
        """A new race between the best instruction and those of the answers that are new.

        Where none is, the best runs alone, and after that one slice the writer is asked again.
        """
        if not _over(state):
            return state
        known = {_key(text) for text in state.texts}
        new: list[str] = []
        for text in map(read, texts):
            if text and _key(text) not in known:
                known.add(_key(text))
                new.append(text)
        first = len(state.texts)
        racing = np.array([state.best, *range(first, first + len(new))], dtype=np.int64)
        return replace(
            state,
            round=state.round + 1,
            texts=(*state.texts, *new),
            right=np.append(state.right, np.zeros(len(new))),
            seen=np.append(state.seen, np.zeros(len(new), dtype=np.int64)),
            racing=racing,
            answers=np.empty((len(racing), 0)),
            entered=len(racing),
        )

    def ask(self, state: ProposerState) -> list[Trial[str]]:
        """Those still in the race, on the next slice of rows."""
        state = self._ready(state)
        return [Trial(state.texts[i], self._slice(state)) for i in state.racing]

    def tell(
        self, state: ProposerState, trials: Sequence[Trial[str]], losses: Sequence[Losses]
    ) -> ProposerState:
        """The race one slice on: losers dropped, or all but the leader where it is over.

        Raises:
            ValueError: the trials are not those that `ask` gives for this state.
        """
        state = self._ready(state)
        rows = self._slice(state)
        wanted = [(state.texts[i], rows) for i in state.racing]
        if [(trial.candidate, trial.rows) for trial in trials] != wanted:
            raise ValueError("these are not the trials that `ask` gives for this state")
        answers = np.hstack([state.answers, np.stack(losses)])
        wrong = self._wrong(state, answers)
        first = leader(wrong)
        chosen = int(np.flatnonzero(state.racing == state.best)[0]) if first is None else first
        stay = self._staying(state, wrong, chosen)
        latest = wrong[:, state.answers.shape[1] :]
        right, seen = state.right.copy(), state.seen.copy()
        right[state.racing] += np.nansum(1.0 - latest, axis=1)
        seen[state.racing] += np.isfinite(latest).sum(axis=1)
        return replace(
            state,
            generation=state.generation + 1,
            right=right,
            seen=seen,
            racing=state.racing[stay],
            answers=answers[stay],
            best=int(state.racing[chosen]),
            chosen=chosen,
        )

    def choice(self, state: ProposerState) -> int:
        return state.chosen

    def describe(self, state: ProposerState) -> Mapping[str, float]:
        """How the race stands; the accuracy is the leader's on all rows it has ever met."""
        seen = int(state.seen[state.best])
        return {
            "round": state.round,
            "racing": len(state.racing),
            "rows_met": state.answers.shape[1],
            "texts": len(state.texts),
            "accuracy": float(state.right[state.best]) / seen if seen else np.nan,
        }

    def _ready(self, state: ProposerState) -> ProposerState:
        """A state with a race to run, whether or not a writer was asked."""
        return self.hear(state, ())

    def _ends(self) -> list[int]:
        return ends(len(self.task.targets), self.first_rows, self.growth)

    def _order(self, state: ProposerState) -> NDArray[np.int64]:
        random = np.random.default_rng((state.seed, ORDER, state.round))
        return random.permutation(len(self.task.targets))

    def _slice(self, state: ProposerState) -> tuple[int, ...]:
        met = state.answers.shape[1]
        end = next(end for end in self._ends() if end > met)
        return tuple(int(row) for row in self._order(state)[met:end])

    def _wrong(self, state: ProposerState, answers: Table) -> Table:
        """0 where an answer is right, 1 where it is wrong, nan where there is none."""
        if not self.task.words:
            return answers
        number = {word: i for i, word in enumerate(self.task.words)}
        rows = self._order(state)[: answers.shape[1]]
        targets = np.array([number[self.task.targets[row]] for row in rows])
        return np.where(np.isfinite(answers), (answers != targets).astype(np.float64), np.nan)

    def _staying(self, state: ProposerState, wrong: Table, chosen: int) -> NDArray[np.intp]:
        steps = self._ends()
        if wrong.shape[1] == steps[-1]:
            return np.array([chosen], dtype=np.intp)
        comparisons = (state.entered - 1) * (len(steps) - 1)
        return survivors(wrong, self.error_rate, comparisons)

    def _request(self, state: ProposerState, number: int) -> str:
        """The aims take turns; examples and failures are drawn for each request."""
        random = np.random.default_rng((state.seed, REQUEST, state.generation, number))
        failed = self._failed(state)
        aims = [aim for aim in AIMS if failed or aim != "repair"]
        aim = aims[number % len(aims)]
        picked = random.permutation(len(failed))[: self.failures] if aim == "repair" else ()
        n_rows = len(self.task.targets)
        examples = random.choice(n_rows, min(self.examples, n_rows), replace=False)
        brief = Brief(
            aim,
            state.texts[state.best],
            self._history(state),
            tuple(int(row) for row in examples),
            tuple(failed[i] for i in picked),
        )
        return request(self.task, brief)

    def _failed(self, state: ProposerState) -> list[tuple[int, str]]:
        """Rows that the best got wrong in the last race, and the label word it gave them."""
        place = state.racing == state.best
        wrong, answers = self._wrong(state, state.answers)[place][0], state.answers[place][0]
        order, words = self._order(state), self.task.words
        return [
            (int(order[i]), words[int(answers[i])] if words else "")
            for i in np.flatnonzero(wrong >= 0.5)
        ]

    def _history(self, state: ProposerState) -> tuple[Tried, ...]:
        """The best by share of right answers, the worst of them first."""
        counts = zip(state.texts, state.right.tolist(), state.seen.tolist(), strict=True)
        tried = [Tried(*each) for each in counts]
        scored = [each for each in tried if each.seen]
        scored.sort(key=lambda each: each.right / each.seen)
        return tuple(scored[max(0, len(scored) - self.history) :])


def _over(state: ProposerState) -> bool:
    return state.answers.shape[1] > 0 and len(state.racing) == 1


def _key(text: str) -> str:
    """Equal for texts that differ in case and white space alone."""
    return " ".join(text.casefold().split())
