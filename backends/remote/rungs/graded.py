"""The rungs that read log-probabilities: named, sequence, top. None of them biases a token."""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backends.base import BackendRefused, Query
from backends.remote import asking, parsing
from backends.remote.asking import gap
from backends.remote.facts import Facts
from backends.remote.parsing import Answer, Position
from backends.remote.pool import Malformed, Request
from backends.remote.rungs.base import Asking, after_refused, before_refused, floor

Enough = Callable[[Position], bool]
Listed = Generator[list[Request[Any]], list[Any], dict[str, Position]]
Tokenize = Callable[[str], Sequence[int]]

FEW = 20  # likely tokens asked for at first: labels are mostly among them, and answers stay small
_TAIL = re.compile(r"\S{0,32}\s*\Z")  # what of a text decides how a label behind it is cut


def named_tokens(answer: Answer, ids: Sequence[int]) -> list[float]:
    """Log-probabilities of the tokens that were asked for by number, in their order.

    Raises:
        Malformed: one of them did not come back.
    """
    told = dict(parsing.first(answer).top)
    missing = [token for token in ids if f"token_id:{token}" not in told]
    if missing:
        raise Malformed(f"tokens {missing} were asked for by name and did not come")
    return [told[f"token_id:{token}"] for token in ids]


def name_tokens(ids: Sequence[int]) -> dict[str, Any]:
    """vLLM's fields that ask for the log-probabilities of these tokens and no others."""
    return {
        "logprobs": 1,
        "logprob_token_ids": list(ids),
        "return_tokens_as_token_ids": True,
    }


@dataclass(frozen=True)
class Named:
    """One request a query: the next token's log-probabilities at the labels' own tokens.

    Only where every label is one token behind the text and no two are the same.
    """

    facts: Facts
    tokenize: Tokenize  # text -> tokens, as the server cuts it
    name: str = "named"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        if refusal := after_refused(queries) or before_refused(queries):
            return refusal
        for query in queries:
            tokens = [self._tokens(query, label) for label in labels]
            for label, found in zip(labels, tokens, strict=True):
                if len(found) != 1:
                    return f"the label {label!r} is {len(found) or 'not'} tokens, one is wanted"
            if len(set(tokens)) < len(labels):
                return f"two of the labels {list(labels)} are the same token"
        return None

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        ids = [self._tokens(query, label)[0] for label in labels]
        [scores] = yield [
            asking.request(
                self.facts,
                gap(query.before)[0],
                partial(named_tokens, ids=ids),
                most=1,
                temperature=self.facts.score_temperature,
                **name_tokens(ids),
            )
        ]
        return list(scores)

    def _tokens(self, query: Query, label: str) -> tuple[int, ...]:
        """The label's tokens behind the text; none if the two share one."""
        head, lead = gap(query.before)
        found = _TAIL.search(head)
        tail = found.group() if found else ""
        start, whole = tuple(self.tokenize(tail)), tuple(self.tokenize(tail + lead + label))
        return whole[len(start) :] if whole[: len(start)] == start else ()


@dataclass(frozen=True)
class WholeLabel:
    """One echo a label: the log-probabilities of its tokens after the text, summed.

    The label's tokens are those that spell it at the end of the echo. Where one token holds both
    the end of the text and the start of the label, nothing can be cut: the whole is then compared
    with the text alone, log p(text + label) - log p(text), each as the server cuts it into tokens.
    That is the same number where the cuts agree. Where they do not, it differs from it by
    something that is the same for all labels, log p(text), so the order of labels is right.
    """

    facts: Facts
    name: str = "sequence"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        return before_refused(queries)

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        head, lead = gap(query.before)
        after = query.after if query.after.strip() else ""
        ends = [lead + label + after for label in labels]
        echoes = yield [asking.echo(self.facts, head + end) for end in ends]
        scores = [spelled(tokens, end) for tokens, end in zip(echoes, ends, strict=True)]
        if None not in scores:
            return [score for score in scores if score is not None]
        [start] = yield [asking.echo(self.facts, head)]
        return [
            total(tokens) - _shared(start, tokens) if score is None else score
            for tokens, score in zip(echoes, scores, strict=True)
        ]


def spelled(tokens: Sequence[Position], end: str) -> float | None:
    """Log-probability of the last tokens that together are exactly `end`; None: no such cut."""
    text = ""
    for count, token in enumerate(reversed(tokens), 1):
        text = token.token + text
        if text == end:
            return total(tokens[len(tokens) - count :])
        if len(text) >= len(end):
            return None
    return None


def total(tokens: Sequence[Position]) -> float:
    """Log-probability of these tokens; one that nothing comes before counts as certain."""
    return float(sum(token.logprob or 0.0 for token in tokens))


def _shared(start: Sequence[Position], whole: Sequence[Position]) -> float:
    """Log-probability of a text, to be taken from that of a longer one that begins with it."""
    if start[0].logprob is None and start[0].token != whole[0].token:
        raise BackendRefused("a text before the label is too short to be told from the label")
    return total(start)


@dataclass(frozen=True)
class _Path:
    """A label on its way: what has been said of it, what is left, and its nats so far."""

    said: str
    rest: str
    nats: float = 0.0

    def fits(self, position: Position) -> list[str]:
        """The listed tokens that the rest begins with."""
        return [token for token, _ in position.top if token and self.rest.startswith(token)]

    def step(self, position: Position) -> "_Path":
        """On by the longest listed token that the rest begins with; to the end if there is none."""
        if not (fits := self.fits(position)):
            return _Path(self.said, "", self.nats + floor(position))
        token = max(fits, key=len)
        nats = self.nats + _sum([value for other, value in position.top if other == token])
        return _Path(self.said + token, self.rest.removeprefix(token), nats)


@dataclass(frozen=True)
class Top:
    """One request a query: the likeliest next tokens, and labels are looked up among them.

    Where a label is not among the first FEW, all that the server tells are asked for.

    Completions: a label stands behind a space (see `gap`) in its own case. One of several tokens is
    followed token by token, one request each, by the longest token that it begins with, so labels
    that share their first token are told apart. A token that is not listed gets `floor`.

    Chat cannot be continued, so a label is known by how it begins: it gets the probability of all
    listed tokens that begin this label and no other, whatever their case and the space around them.
    Labels that share their first word are refused.
    """

    facts: Facts
    name: str = "top"

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        if self.facts.route == "chat":
            starts = [label.casefold().split()[:1] for label in labels]
            if any(starts.count(start) > 1 for start in starts):
                return f"two of the labels {list(labels)} begin with the same word"
            return after_refused(queries)
        return after_refused(queries) or before_refused(queries)

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        if self.facts.route == "chat":
            at = yield from self._listed({query.before: lambda top: _all_begun(top, labels)})
            return [_begun(at[query.before], label, labels) for label in labels]
        head, lead = gap(query.before)
        paths = [_Path(head, lead + label) for label in labels]
        while going := [path for path in paths if path.rest]:
            enough: dict[str, Enough] = {
                place: partial(_all_fit, [path for path in going if path.said == place])
                for place in dict.fromkeys(path.said for path in going)
            }
            at = yield from self._listed(enough)
            paths = [path.step(at[path.said]) if path.rest else path for path in paths]
        return [path.nats for path in paths]

    def _listed(self, enough: Mapping[str, Enough]) -> Listed:
        """The likeliest tokens after each place: FEW, and all there are where those do not do."""
        every, places = self.facts.logprobs, list(enough)
        few = min(FEW, every)
        found = yield [asking.next_token(self.facts, place, few) for place in places]
        at = dict(zip(places, found, strict=True))
        short = [place for place in places if few < every and not enough[place](at[place])]
        if short:
            found = yield [asking.next_token(self.facts, place, every) for place in short]
            at |= zip(short, found, strict=True)
        return at


def _all_fit(paths: Sequence[_Path], position: Position) -> bool:
    return all(path.fits(position) for path in paths)


def _all_begun(position: Position, labels: Sequence[str]) -> bool:
    return {_begins(token, labels) for token, _ in position.top} >= set(labels)


def _begun(position: Position, label: str, labels: Sequence[str]) -> float:
    found = [nats for token, nats in position.top if _begins(token, labels) == label]
    return _sum(found) if found else floor(position)


def _begins(token: str, labels: Sequence[str]) -> str | None:
    """The only label that the token begins, or is; None: no or more than one."""
    start = token.strip().casefold()
    fits = [label for label in labels if start and label.casefold().startswith(start)]
    whole = [label for label in fits if label.casefold() == start]
    return (whole or fits)[0] if len(whole or fits) == 1 else None


def _sum(nats: Sequence[float]) -> float:
    """Log of the sum of probabilities, at most 0."""
    return min(float(np.logaddexp.reduce(nats)), 0.0)
