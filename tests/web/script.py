"""What the stage's runner finds out: made-up but plausible answers, curves and prompts."""

import math
import random
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Query, Thinking
from jobs.answering import NO_WORDS
from jobs.meter import BudgetSpent
from jobs.objective import Objective
from jobs.prompts import EnsemblePrompt, Kind, Member, PixelPrompt, Prompt, SoftPrompt, TextPrompt
from jobs.search import Champion, Generation
from jobs.significance import mcnemar
from jobs.task import Example, Task

WORDS = ["refund", "invoice", "urgent", "##ment", "ticket"]
COSINES = [0.41, 0.38, 0.36, 0.33, 0.31]
WRONG_TEXT = "Nothing was decided."
INSTRUCTIONS = [
    "Which team handles this ticket?",
    "Which team should handle this support ticket?",
    "Which team should answer this support ticket?",
    "Read the whole ticket. Which team should answer it?",
    "Read the whole ticket, then name the team that should answer it.",
    "Read the whole ticket carefully, then name the one team that should answer it.",
]
RATES = {  # outcome -> shares of test rows that baseline and tuned answer right, best tried first
    "improved": [(0.728, 0.875), (0.5, 0.9), (0.1, 1.0)],
    "no_improvement": [(0.728, 0.736)],
    "not_measured": [(0.728, 0.875)],
}
LOST = 0.025  # share of the rows that tuning breaks
SIGNIFICANT = 0.05


@dataclass
class ScriptedModel:
    """Answers rightly exactly where it was told to."""

    task: Task
    rung: str | None = None
    wall: str = ""  # that stops the next query; empty: none does
    prompt_shape: tuple[int, int] = (1, 384)  # MiniLM's, so that what is found can be asked
    embedding_std: float = 0.05
    _told: dict[Hashable, tuple[Example, bool]] = field(default_factory=dict)

    def learn(self, prompt: Prompt, examples: Sequence[Example], right: set[int]) -> None:
        """From now on this prompt is right on these rows, and wrong on the others."""
        shown = [(self.task, prompt)]
        if isinstance(prompt, EnsemblePrompt):
            shown = [(Task(template, {}), NO_WORDS) for template in prompt.templates]
        for row, example in enumerate(examples):
            for task, each in shown:
                self._told[_key(task.query(each, example.inputs))] = (example, row in right)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        self._wall()
        scores = np.zeros((len(queries), len(labels)))
        for row, query in enumerate(queries):
            example, right = self._told[_key(query)]
            true = self.task.labels.index(example.label)
            step = 1 + zlib.crc32(query.before.encode()) % (len(labels) - 1)
            answer = true if right else (true + step) % len(labels)
            scores[row, true] = 1.0
            scores[row, answer] = 2.5
        return scores

    def generate(self, queries: Sequence[Query], *, max_tokens: int, **_: Any) -> list[str]:
        self._wall()
        told = [self._told[_key(query)] for query in queries]
        return [example.label if right else WRONG_TEXT for example, right in told]

    def embed(self, text: str) -> NDArray[np.float32]:
        return np.zeros((len(text.split()), self.prompt_shape[1]), np.float32)

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        return list(zip(WORDS, COSINES, strict=True))[: len(vectors)]

    def _wall(self) -> None:
        if self.wall:
            raise BudgetSpent(f"the next request could pass the wall of {self.wall}", self.wall)


def _key(query: Query) -> Hashable:
    return query.before, query.after, query.image, query.soft is None, query.thinking


@dataclass(frozen=True, eq=False)
class ScriptedSearch:
    """Only what measuring looks at: the rows, and the loss they are measured by."""

    train: Objective
    dev: Objective

    def start(self) -> Generation[Any]:
        return Generation(0, ())


def rows_right(n: int, outcome: str) -> tuple[set[int], set[int]]:
    """The test rows that baseline and tuned answer right, so that the report says `outcome`."""
    for was, now in RATES[outcome]:
        broken = round(LOST * n)
        n_right = round(was * n)
        fixed = round(now * n) - n_right + broken
        differs = mcnemar(fixed, broken) < SIGNIFICANT
        if outcome == "not_measured" or differs == (outcome == "improved"):
            break
    else:
        raise AssertionError(f"{n} test rows cannot say {outcome!r}; use more")
    order = random.Random(n).sample(range(n), n)
    return set(order[:n_right]), set(order[broken : n_right + fixed])


def champion(number: int, baseline: dict[str, Any], n_dev: int, seed: int) -> Champion:
    """The best of one generation: losses fall, and wobble."""
    wobble = random.Random(1000 * seed + number).uniform
    fall = math.exp(-number / 6)
    gained = 0.63 * (1 - fall)
    train = baseline["train_loss"] * (0.35 + 0.65 * fall) + wobble(-0.03, 0.03)
    on_dev = baseline["dev_accuracy"] * (1 - gained) + gained + wobble(-0.015, 0.015)
    on_train = baseline["train_accuracy"] * (1 - gained) + gained
    return Champion(
        train_loss=train,
        train_accuracy=on_train,
        population_loss=train + 0.2,
        dev_loss=baseline["dev_loss"] * (0.5 + 0.5 * fall) + wobble(-0.05, 0.05),
        dev_accuracy=min(1.0, round(on_dev * n_dev) / n_dev),
    )


def prompt(kind: Kind, number: int, task: Task) -> Prompt:
    """The champion of a generation, of any kind."""
    return MAKE[kind](number, task)


def _soft(number: int, _: Task) -> SoftPrompt:
    vectors = np.random.default_rng(number).normal(0, 0.05, (1, len(WORDS), 384))
    return SoftPrompt(vectors.astype(np.float32))


def _text(number: int, _: Task) -> TextPrompt:
    best = INSTRUCTIONS[min(number, len(INSTRUCTIONS)) - 1]
    return TextPrompt(best if number <= len(INSTRUCTIONS) else f"{best} Try {number}.")


def _pixels(number: int, _: Task) -> PixelPrompt:
    values = np.random.default_rng(number).normal(0, 0.02, (8, 8, 3))
    return PixelPrompt(values.astype(np.float32))


def _ensemble(number: int, task: Task) -> EnsemblePrompt:
    weights = (0.9, 0.6, 0.3 + number / 1000)
    first, words = task.template.replace("{prompt}", ""), tuple(task.words)
    votes = zip(INSTRUCTIONS, weights, strict=False)
    return EnsemblePrompt(tuple(Member(f"{said} {first}", words, weight) for said, weight in votes))


def _thinking(number: int, _: Task) -> Thinking:
    shown = "I was charged twice. Billing\n\nThe app crashes. Bug report\n\n"
    return Thinking(shown, passes=number, step_size=0.01, momentum=0.9)


MAKE: dict[Kind, Callable[[int, Task], Prompt]] = {
    "soft": _soft,
    "text": _text,
    "pixels": _pixels,
    "ensemble": _ensemble,
    "thinking": _thinking,
}
