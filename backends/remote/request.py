"""What is asked, under which key its answer is kept, and what it has cost. Sends nothing."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from backends.base import Usage
from backends.remote.money import Prices

T = TypeVar("T")


class Malformed(Exception):
    """An answer that is not what the route promises; asked again, never a score."""


@dataclass(frozen=True)
class Request(Generic[T]):
    """One request for one model. The bounds on tokens are what is set aside before it is sent."""

    route: str  # below the base URL, "chat/completions"; with a slash in front: at the root
    body: Mapping[str, Any]  # as JSON, without "model", which the pool adds
    read: Callable[[Mapping[str, Any]], T]  # of the answer's JSON; raises Malformed
    tokens_in: int  # upper bound of the tokens read
    tokens_out: int  # upper bound of the tokens written
    sample: int = 0  # tells draws of an equal body apart; not sent

    def most(self, prices: Prices) -> Usage:
        """What it can cost at most."""
        cost = prices.cost(self.tokens_in, self.tokens_out)
        return Usage(1, self.tokens_in, self.tokens_out, cost)


def answer_key(
    where: Sequence[str], model: str, route: str, body: Mapping[str, Any], sample: int
) -> str:
    """The same for the same question, and for no other: SHA-256, hexadecimal.

    `where` is asked: two servers may give one name to different models.
    """
    question = [sorted(where), model, route, body, sample]
    canonical = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def decode(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object of an answer.

    Raises:
        Malformed: it is none.
    """
    try:
        said = json.loads(text)
    except ValueError:
        raise Malformed("it is not JSON") from None
    if not isinstance(said, dict):
        raise Malformed("it is not a JSON object")
    return said


def billed(answer: Mapping[str, Any], most: Usage, prices: Prices) -> Usage:
    """What an answer says it has cost; where it does not say so sensibly, the most it can."""
    told = answer.get("usage")
    usage = told if isinstance(told, Mapping) else {}
    tokens_in = _count(usage, ("prompt_tokens", "input_tokens"), most.tokens_in)
    tokens_out = _count(usage, ("completion_tokens", "output_tokens"), most.tokens_out)
    return Usage(1, tokens_in, tokens_out, prices.cost(tokens_in, tokens_out))


def _count(usage: Mapping[str, Any], names: tuple[str, ...], most: int) -> int:
    for name in names:
        count = usage.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            return count
    return most
