"""What a server has answered, read as values that can be trusted. Asks nothing, knows no label.

Whatever is not as the route promises is `Malformed`, so that it is asked again and never scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import isnan
from typing import Any

from backends.remote.pool import Malformed

LEAST = -100.0  # nats: a token said to be less likely, or impossible, counts as this likely
_ROUNDING = 1e-3  # nats that a log-probability may lie above 0

Answer = Mapping[str, Any]
Listed = tuple[tuple[str, float], ...]  # (token, nats), likeliest first; two may look alike


@dataclass(frozen=True)
class Position:
    """One token of a text, and which tokens might have stood in its place."""

    token: str
    logprob: float | None  # nats; None: nothing comes before it, the first token of an echo
    top: Listed = ()


def choices(answer: Answer, n: int = 1) -> list[Mapping[str, Any]]:
    """The `n` choices of an answer, in the order of their `index`.

    Raises:
        Malformed: there are fewer or more.
    """
    found = answer.get("choices")
    if not isinstance(found, list) or not all(isinstance(choice, Mapping) for choice in found):
        raise Malformed("an answer has no list of choices")
    if len(found) != n:
        raise Malformed(f"{n} choices were asked for and {len(found)} came")
    return sorted(found, key=lambda choice: _whole(choice.get("index")))


def text(choice: Mapping[str, Any]) -> str:
    """The text of a choice of either route.

    Raises:
        Malformed: there is none, which is not the same as an empty one.
    """
    message = choice.get("message")
    found = message.get("content") if isinstance(message, Mapping) else choice.get("text")
    if not isinstance(found, str):
        raise Malformed("a choice has no text")
    return found


def texts(answer: Answer, n: int = 1) -> list[str]:
    return [text(choice) for choice in choices(answer, n)]


def positions(choice: Mapping[str, Any]) -> tuple[Position, ...]:
    """The tokens of a choice with their log-probabilities, in both shapes that servers use.

    Chat has `content`, a list of tokens that each carry their own list; completions have parallel
    lists. llama.cpp answers both routes in chat's shape, and litellm sends both shapes at once, one
    of them filled with nulls.

    Raises:
        Malformed: there are none, their numbers are no log-probabilities, or the lists do not fit.
    """
    found = choice.get("logprobs")
    if not isinstance(found, Mapping):
        raise Malformed("log-probabilities were asked for and did not come")
    if isinstance(found.get("content"), list):
        return tuple(_of_chat(entry) for entry in found["content"])
    if isinstance(found.get("tokens"), list):
        return _of_completions(found)
    raise Malformed("log-probabilities came in an unknown shape")


def first(answer: Answer) -> Position:
    """The first token of an answer's only choice.

    Raises:
        Malformed: there is none, or its log-probability is not told.
    """
    found = positions(choices(answer)[0])
    if not found or found[0].logprob is None:
        raise Malformed("no token has a log-probability")
    return found[0]


def used(answer: Answer) -> tuple[int, int] | None:
    """Tokens read and written as billed; None where the server does not tell."""
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return None
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    told = all(isinstance(count, int) and count >= 0 for count in counts)
    return (int(counts[0]), int(counts[1])) if told else None  # type: ignore[arg-type]


def _of_chat(entry: object) -> Position:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str):
        raise Malformed("a token with its log-probability was expected")
    listed = entry.get("top_logprobs") or []
    if not isinstance(listed, list):
        raise Malformed("the likeliest tokens are not a list")
    tops = [_of_chat({**other, "top_logprobs": None}) for other in listed if _is_object(other)]
    pairs = [(top.token, top.logprob) for top in tops if top.logprob is not None]
    return Position(entry["token"], _logprob(entry.get("logprob")), _ordered(pairs))


def _of_completions(found: Mapping[str, Any]) -> tuple[Position, ...]:
    tokens, values = found["tokens"], found.get("token_logprobs")
    tops = found.get("top_logprobs") or [None] * len(tokens)
    if not isinstance(values, list) or not isinstance(tops, list):
        raise Malformed("tokens came without a list of their log-probabilities")
    if not len(tokens) == len(values) == len(tops):
        raise Malformed(f"{len(tokens)} tokens, {len(values)} values and {len(tops)} lists came")
    return tuple(
        Position(_token(token), None if value is None else _logprob(value), _listed(top))
        for token, value, top in zip_longest(tokens, values, tops)
    )


def _listed(top: object) -> Listed:
    if top is None:
        return ()
    if not isinstance(top, Mapping):
        raise Malformed("the likeliest tokens are not an object")
    return _ordered([(_token(token), _logprob(value)) for token, value in top.items()])


def _ordered(pairs: list[tuple[str, float]]) -> Listed:
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))


def _is_object(value: object) -> bool:
    if not isinstance(value, Mapping):
        raise Malformed("a likely token is not an object")
    return True


def _token(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a token is not a text")
    return value


def _logprob(value: object) -> float:
    """A number of nats between LEAST and 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("a log-probability is not a number")
    if isnan(value) or value > _ROUNDING:
        raise Malformed(f"{value} is not a log-probability")
    return float(min(max(value, LEAST), 0.0))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
