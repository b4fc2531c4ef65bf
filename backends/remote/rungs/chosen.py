"""The rungs that read texts, where no log-probabilities come: choice, samples, match."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Query
from backends.remote import asking
from backends.remote.facts import Facts
from backends.remote.rungs.base import Asking, after_refused, before_refused

EPSILON = 0.01  # a label that was not chosen counts as this likely: -4.6 nats, so that it is finite

_QUOTES = "\"'`*_([{<“‘«"  # marks that answers put around a label
_JSON = 32  # tokens that an object around a label takes, white space included


@dataclass(frozen=True)
class Choice:
    """One request a query: the server lets nothing but a label be written. 0 or 1."""

    facts: Facts
    name: str = "choice"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        return _text_refused(self.facts, queries)

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        prompt, lead = asking.place(self.facts, query.before)
        field = self.facts.choice or ""
        only = CONSTRAINTS[field]([lead + label for label in labels])
        most = longest(labels) + (_JSON if field == "response_format" else 0)
        [answer] = yield [asking.written(self.facts, prompt, most=most, **only)]
        return certain(answer_of(answer), labels)


@dataclass(frozen=True)
class Samples:
    """`draws` answers a query at temperature 1: how often each begins with a label.

    log((count + 1) / (draws + labels + 1)): Laplace's rule, with one class more for answers that
    begin with none. `standard_error` tells how far such a score may be off.
    """

    facts: Facts
    draws: int
    name: str = "samples"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        return _text_refused(self.facts, queries)

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        prompt, _ = asking.place(self.facts, query.before)
        answers = yield asking.draws(self.facts, prompt, self.draws, most=longest(labels))
        found = [begins(text, labels) for texts in answers for text in texts]
        size = self.draws + len(labels) + 1
        return [log((found.count(i) + 1) / size) for i in range(len(labels))]


def standard_error(scores: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Nats that scores of the rung `samples` may be off, shape as `scores`: (n, n_labels).

    The counts plus one are a Dirichlet posterior; its standard deviation of a probability p,
    sqrt(p (1 - p) / (draws + n_labels + 2)), is carried over to log p by dividing by p.
    """
    p = np.exp(scores)
    error: NDArray[np.float64] = np.sqrt((1 - p) / p / (draws + scores.shape[-1] + 2))
    return error


@dataclass(frozen=True)
class Match:
    """One request a query: the likeliest answer begins with a label, or with none. 0 or 1."""

    facts: Facts
    name: str = "match"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        return _text_refused(self.facts, queries)

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        prompt, _ = asking.place(self.facts, query.before)
        [answer] = yield [asking.written(self.facts, prompt, most=longest(labels))]
        return certain(answer, labels)


def begins(answer: str, labels: Sequence[str]) -> int | None:
    """Which label an answer begins with, the longest if several; None: no one.

    Case, the space and quotes around it, and what follows a whole word do not matter.

    >>> begins(' "Great", I would say', ["great", "terrible"]), begins("greatly", ["great"])
    (0, None)
    """
    given = answer.strip().lstrip(_QUOTES).casefold()
    for index in sorted(range(len(labels)), key=lambda index: -len(labels[index])):
        label = labels[index].strip().casefold()
        if given.startswith(label) and not given[len(label) : len(label) + 1].isalnum():
            return index
    return None


def certain(answer: str, labels: Sequence[str]) -> list[float]:
    """log(1 - EPSILON) for the label that the answer begins with, log(EPSILON) for all others."""
    chosen = begins(answer, labels)
    return [log(1 - EPSILON) if i == chosen else log(EPSILON) for i in range(len(labels))]


def longest(labels: Sequence[str]) -> int:
    """Tokens that any of the labels fits into, however it is cut: bytes, a space and an end."""
    return max(len(label.encode()) for label in labels) + 2


def _text_refused(facts: Facts, queries: Sequence[Query]) -> str | None:
    no_before = before_refused(queries) if facts.route == "completions" else None
    return after_refused(queries) or no_before


def _json_schema(words: list[str]) -> dict[str, Any]:
    """An object with one field, for OpenAI: an answer may be nothing but an object there."""
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": [word.strip() for word in words]}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "l", "strict": True, "schema": schema}}


def _grammar(words: list[str]) -> str:
    return "root ::= " + " | ".join(json.dumps(word, ensure_ascii=False) for word in words)


CONSTRAINTS: Mapping[str, Callable[[list[str]], dict[str, Any]]] = {
    "structured_outputs": lambda words: {"structured_outputs": {"choice": words}},  # vLLM
    "guided_choice": lambda words: {"guided_choice": words},  # vLLM before 0.12
    "grammar": lambda words: {"grammar": _grammar(words)},  # llama.cpp
    "response_format": lambda words: {"response_format": _json_schema(words)},  # OpenAI
}  # the field of a request -> what it must say so that only these words can be written


def answer_of(answer: str) -> str:
    """The label inside a JSON object, or the answer as it is."""
    try:
        found = json.loads(answer)
    except ValueError:
        return answer
    label = found.get("label") if isinstance(found, dict) else None
    return label if isinstance(label, str) else answer
