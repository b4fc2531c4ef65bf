"""GrIPS: search over instructions by edits of their phrases (arXiv:2203.07281, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, nan
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers import paraphrase
from optimizers.base import Trial
from optimizers.drafts import Draft, Drafting
from optimizers.phrases import Cut, find_words

Strategy: TypeAlias = Literal["greedy", "beam", "annealed"]
Answers: TypeAlias = NDArray[np.float64]  # label index or loss of each row; nan: failed

ROWS, ACCEPT, DRAFT = range(3)  # what a generation draws, each from a stream of its own
TRIES = 50  # draws in a row without a new text, before one that has been tried will do
REMEMBERED = 256  # candidates that have been tried


def score(predicted: Answers, truth: NDArray[np.intp], entropy_weight: float = 10.0) -> float:
    """100 times the balanced accuracy plus `entropy_weight` times the entropy (section 3.2).

    The entropy, in nats, is that of the shares of the predicted labels: it keeps an instruction
    that always gets the same answer from winning. Labels that no row has do not count.

    Unlike the paper's code, nothing is rounded.

    Args:
        predicted, truth: label indices, shape (n_rows,), no nan; n_rows is at least 1.
    """
    recalls = [(predicted[truth == label] == label).mean() for label in np.unique(truth)]
    shares = np.unique(predicted, return_counts=True)[1] / len(predicted)
    entropy = -float((shares * np.log(shares)).sum())
    return 100.0 * float(np.mean(recalls)) + entropy_weight * entropy


@dataclass(frozen=True)
class GripsState:
    """What the next generation starts from, and what is remembered of those before."""

    seed: int
    texts: tuple[str, ...]  # the kept ones, the best first
    deleted: tuple[str, ...] = ()  # phrases taken out of kept texts, for `add`
    tried: tuple[str, ...] = ()  # candidates that were not kept, the latest last
    heard: tuple[str, ...] = ()  # the wording for each draft of this generation; empty: none
    generation: int = 0  # told so far
    step: int = 0  # judged since the start or the last restart: cools the annealing
    failures: int = 0  # judged in a row without success
    restarts: int = 0
    chosen: int = 0  # position of the best among the last trials
    score: float = nan  # of the text that had been the best, on the last rows
    candidate_score: float = nan  # of the best candidate, on the same rows


@dataclass(frozen=True, eq=False)
class Grips:
    """Keeps the texts whose edits score best on rows drawn anew for each generation.

    Trials are the kept texts and then the candidates, all on the same rows. A row that one
    of them failed on counts for none of them; a trial that failed on more than half of its rows
    is out, and nothing is judged where a kept text is.

    greedy keeps the best text; beam the `beam_width` best; annealed goes from the current text to
    the best candidate if that is better, or else with probability exp(difference / T) with
    T = 10 exp(-i / 5) after i rounds, and keeps the best text seen beside the current one.

    Unlike the paper, the base is measured anew on each generation's rows; after `patience`
    rounds without success the search does not end, the budget being the wall: it goes on from the
    best text alone, with other draws and the temperature of the start; and what has been tried
    since the last success is tried again only when 50 draws in a row find nothing else.
    """

    start: str
    n_train: int
    drafting: Drafting
    truth: NDArray[np.intp] | None = None  # label index of each train row; None: losses are heard
    n_candidates: int = 5
    n_rows: int = 100
    patience: int = 2
    strategy: Strategy = "greedy"
    beam_width: int = 1  # for the strategy beam
    entropy_weight: float = 10.0

    def init(self, seed: int) -> GripsState:
        return GripsState(seed, (self.start,))

    def ask(self, state: GripsState) -> list[Trial[str]]:
        """The kept texts, then the candidates: fewer than wanted where no others are found."""
        rows = self._rows(state)
        texts = [*state.texts, *(draft.text for draft in self._drafts(state))]
        return [Trial(text, rows) for text in texts]

    def tell(
        self, state: GripsState, trials: Sequence[Trial[str]], losses: Sequence[Answers]
    ) -> GripsState:
        """Learns from the label index that each trial got for each of its rows.

        Where there is no truth, from losses between 0 and 1; the score is 100 (1 - their mean).

        Raises:
            ValueError: the trials are not those that `ask` gives for this state.
        """
        drafts = self._drafts(state)
        texts = [*state.texts, *(draft.text for draft in drafts)]
        if [trial.candidate for trial in trials] != texts:
            raise ValueError("these are not the trials that `ask` gives for this state")
        scores, n_old = self._scores(state, losses), len(state.texts)
        later = replace(state, generation=state.generation + 1, heard=(), chosen=0)
        if -inf in scores[:n_old]:
            return later
        kept, success = self._kept(state, scores)
        later = replace(
            later,
            texts=tuple(texts[i] for i in kept),
            deleted=_pool(state.deleted, [drafts[i - n_old] for i in kept if i >= n_old]),
            tried=() if success else (*state.tried, *texts[n_old:])[-REMEMBERED:],
            step=state.step + 1,
            failures=0 if success else state.failures + 1,
            chosen=kept[0],
            score=scores[0],
            candidate_score=max(scores[n_old:], default=nan),
        )
        return _restarted(later) if later.failures >= self.patience else later

    def choice(self, state: GripsState) -> int:
        return state.chosen

    def describe(self, state: GripsState) -> Mapping[str, float]:
        """The numbers of the last round that was judged; a higher score is better."""
        numbers = {
            "score": state.score,
            "candidate_score": state.candidate_score,
            "failures": state.failures,
            "restarts": state.restarts,
            "deleted_phrases": len(state.deleted),
            "words": len(find_words(state.texts[0])),
        }
        cooling = {"temperature": temperature(state.step)} if self.strategy == "annealed" else {}
        return numbers | cooling

    def _rows(self, state: GripsState) -> tuple[int, ...] | None:
        if self.n_rows >= self.n_train:
            return None
        rows = _stream(state, ROWS).choice(self.n_train, self.n_rows, replace=False)
        return tuple(sorted(map(int, rows)))

    def _drafts(self, state: GripsState) -> list[Draft]:
        """The candidates of this generation: all different, and none of them a kept text."""
        fresh: dict[str, Draft] = {}
        known: dict[str, Draft] = {}
        number = misses = 0
        while len(fresh) < self.n_candidates and (number < self.n_candidates or misses < TRIES):
            wording = state.heard[number] if number < len(state.heard) else ""
            draft = self.drafting.draft(*self._parent(state, number), wording)
            n_fresh = len(fresh)
            if draft is not None and draft.text not in state.texts:
                (known if draft.text in state.tried else fresh).setdefault(draft.text, draft)
            misses = 0 if len(fresh) > n_fresh else misses + 1
            number += 1
        return [*fresh.values(), *known.values()][: self.n_candidates]

    def _parent(
        self, state: GripsState, number: int
    ) -> tuple[str, tuple[str, ...], np.random.Generator]:
        """What a draft is drawn from: a kept text, the phrases to add, and a stream."""
        random = _stream(state, DRAFT, number)
        texts = state.texts[-1:] if self.strategy == "annealed" else state.texts
        return texts[random.integers(len(texts))], state.deleted, random

    def _scores(self, state: GripsState, answers: Sequence[Answers]) -> list[float]:
        """The score of each trial on the rows that count; -inf: it is out, or no row does."""
        told, rows = np.stack(answers), np.array(self._rows(state) or range(self.n_train))
        answered = ~np.isnan(told)
        judged = answered.mean(axis=1) >= 0.5
        common = answered[judged].all(axis=0)
        if not common.any():
            return [-inf] * len(told)
        return [
            self._score(each[common], rows[common]) if fit else -inf
            for each, fit in zip(told, judged, strict=True)
        ]

    def _score(self, answers: Answers, rows: NDArray[np.intp]) -> float:
        if self.truth is None:
            return 100.0 * (1.0 - float(answers.mean()))
        return score(answers, self.truth[rows], self.entropy_weight)

    def _kept(self, state: GripsState, scores: Sequence[float]) -> tuple[list[int], bool]:
        """Positions of the trials to go on from, the best first, and whether this is a success.

        Of equal scores the older one is better.
        """
        n_old = len(state.texts)
        order = sorted(
            (i for i in range(len(scores)) if scores[i] > -inf), key=lambda i: -scores[i]
        )
        if self.strategy != "annealed":
            return order[: self.beam_width if self.strategy == "beam" else 1], order[0] >= n_old
        current = n_old - 1
        new = next((i for i in order if i >= n_old), current)
        accepted = new != current and _accepts(state, scores[new] - scores[current])
        return list(dict.fromkeys((order[0], new if accepted else current))), accepted


class ParaphrasingGrips(Grips):
    """Grips with a writer: it asks for the wording of each phrase that a draft will paraphrase."""

    def requests(self, state: GripsState) -> list[str]:
        return [
            paraphrase.request(text.text, text.phrases[position])
            for text, position in self._wishes(state).values()
        ]

    def hear(self, state: GripsState, texts: Sequence[str]) -> GripsState:
        wishes = self._wishes(state)
        heard = [""] * self.n_candidates
        for (number, (text, position)), answer in zip(wishes.items(), texts, strict=True):
            heard[number] = paraphrase.read(answer, text.phrases[position])
        return replace(state, heard=tuple(heard))

    def _wishes(self, state: GripsState) -> dict[int, tuple[Cut, int]]:
        """Draft -> the phrase it wants reworded; only first draws have one."""
        wishes = (
            (number, self.drafting.wish(*self._parent(state, number)))
            for number in range(self.n_candidates)
        )
        return {number: wish for number, wish in wishes if wish is not None}


def temperature(step: int) -> float:
    """T = 10 exp(-i / 5), in points of the score (run_search.py of the paper's code)."""
    return 10.0 * exp(-step / 5.0)


def _accepts(state: GripsState, difference: float) -> bool:
    if difference > 0:
        return True
    heat = temperature(state.step)
    return heat > 0 and bool(_stream(state, ACCEPT).random() < exp(difference / heat))


def _restarted(state: GripsState) -> GripsState:
    return replace(state, texts=state.texts[:1], step=0, failures=0, restarts=state.restarts + 1)


def _pool(deleted: Sequence[str], drafts: Sequence[Draft]) -> tuple[str, ...]:
    """The phrases for `add` once these drafts are kept."""
    pool = list(deleted)
    for draft in drafts:
        pool = [phrase for phrase in (*pool, *draft.deleted) if phrase not in draft.added]
    return tuple(dict.fromkeys(pool))


def _stream(state: GripsState, *keys: int) -> np.random.Generator:
    return np.random.default_rng((state.seed, state.generation, *keys))
