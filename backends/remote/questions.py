"""The questions of a probe, one function each: what is asked, and what the answer proves.

A field that a server does not know is often ignored without a word, so no question is answered
by a status: what was asked for must be there, and be right.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import exp
from typing import Any, Literal

from backends.remote import asking, parsing
from backends.remote.asker import Asker, Ignored, NotThere
from backends.remote.asking import Embedded
from backends.remote.facts import Facts
from backends.remote.parsing import Position
from backends.remote.rungs.chosen import CONSTRAINTS, answer_of, begins
from backends.remote.rungs.graded import name_tokens, named_tokens

KNOWN = "I liked the movie. It was"  # short, in any model's reach, and followed by a word
OPEN = "the"  # goes on in many ways
PARITY = 0.05  # nats between a text and its embeddings: both go the same way, but for noise
TOLERANCE = 0.2  # nats: reduced precision and batching move unlikely tokens by less than this
LIKELIEST = (4096, 100, 20, 5)  # how many are asked for, until a server gives them
_WORD = re.compile(r" [A-Za-z]+")
_UNLIKELY = (("zebra", "quartz"), ("violin", "copper"))  # what nobody answers unless made to

Route = Literal["completions", "chat"]


def answers(asker: Asker, model: str, route: Route) -> Facts:
    """One token after KNOWN: does the route answer, under which name does it take the limit?

    Newer chat models refuse `max_tokens`, and some any temperature but their own.
    """
    facts = Facts(model, route, (route,))
    while True:
        try:
            used = asker.ask(asking.request(facts, KNOWN, _billed, most=1))
            break
        except NotThere as refusal:
            changed = facts
            if "max_completion_tokens" in str(refusal):
                changed = replace(facts, limit="max_completion_tokens")
            elif "temperature" in str(refusal):
                changed = replace(facts, sets_temperature=False)
            if changed == facts:
                raise
            facts = changed
    return replace(facts, usage=bool(used), overhead=used[0] if used else facts.overhead)


def likeliest(asker: Asker, facts: Facts) -> tuple[Facts, Position]:
    """Log-probabilities of the next token: how many come back?"""
    reason = NotThere("never asked")
    for k in LIKELIEST:
        try:
            position = asker.ask(asking.next_token(facts, KNOWN, k))
        except Ignored:
            raise
        except NotThere as refusal:
            reason = refusal
            continue
        found = min(k, len(position.top))
        whole = abs(sum(exp(nats) for _, nats in position.top) - 1) < 1e-3 and found < k
        return replace(facts, logprobs=found, whole_vocabulary=whole), position
    raise reason


def steady(asker: Asker, facts: Facts, position: Position) -> tuple[Facts, Position]:
    """The same again, and once more at temperature 1: do the log-probabilities stay?

    Some servers tell those after the temperature: only at 1 they are the model's own.
    """
    again = asker.ask(asking.next_token(facts, KNOWN, facts.logprobs))
    facts = replace(facts, noise=distance(position, again))
    if not facts.sets_temperature:
        return facts, position
    warm = replace(facts, score_temperature=1.0)
    other = asker.ask(asking.next_token(warm, KNOWN, facts.logprobs))
    moved = distance(position, other) > TOLERANCE
    return (warm, other) if moved else (facts, position)


def known_word(position: Position) -> tuple[str, float]:
    """A word that may follow KNOWN and its nats: the second likeliest tells more than the first.

    Raises:
        NotThere: there is none among the likeliest tokens.
    """
    words = [(token, nats) for token, nats in position.top if _WORD.fullmatch(token)]
    if not words:
        raise NotThere("no word is among the likeliest tokens, so nothing can be compared")
    return words[min(1, len(words) - 1)]


def echo(asker: Asker, facts: Facts, position: Position) -> Facts:
    """KNOWN and a word, echoed: has the word the log-probability it had as the next token?

    llama.cpp ignores `echo`; llama-cpp-python tells every token the probability of the next.
    """
    word, nats = known_word(position)
    reason = NotThere("never asked")
    for most in (0, 1):
        try:
            tokens = asker.ask(asking.echo(replace(facts, echo=most), KNOWN + word))
        except NotThere as refusal:
            reason = refusal
            continue
        last = tokens[-1]
        if last.token != word or last.logprob is None:
            reason = NotThere(f"ignored: the echo does not end with {word!r}")
        elif abs(last.logprob - nats) > TOLERANCE:
            wrong = f"{word!r} has {last.logprob:.3f} nats in the echo and {nats:.3f} as next token"
            raise NotThere(f"wrong: {wrong}")
        else:
            return replace(facts, echo=most)
    raise reason


def named(asker: Asker, facts: Facts, position: Position) -> Facts:
    """Two tokens by their numbers: do exactly they come back, as likely as in the list?"""
    word, nats = known_word(position)
    start = asker.tokenize(KNOWN)
    ids = asker.tokenize(KNOWN + word)[len(start) :]
    if len(ids) != 1:
        raise NotThere(f"/tokenize cuts {word!r} in {len(ids)}, though it is one token")
    fields = name_tokens(ids)
    read = partial(named_tokens, ids=ids)
    [told] = asker.ask(
        asking.request(facts, KNOWN, read, most=1, temperature=facts.score_temperature, **fields)
    )
    if abs(told - nats) > TOLERANCE:
        raise NotThere(f"wrong: {word!r} has {told:.3f} nats by number and {nats:.3f} in the list")
    return replace(facts, named=True)


def sampling(asker: Asker, facts: Facts, draws: int) -> Facts:
    """Draws at temperature 1: may the cuts of the tail be switched off, and how many at once?"""
    plain = replace(facts, plain_sampling=True)
    try:
        asker.ask(asking.drawn(plain, OPEN, 0, 1, most=1))
        facts = plain
    except NotThere:
        asker.ask(asking.drawn(facts, OPEN, 0, 1, most=1))
    for n in sorted({draws, min(draws, 4), min(draws, 2)} - {1}, reverse=True):
        try:
            asker.ask(asking.drawn(facts, OPEN, 0, n, most=1))
            return replace(facts, n=n)
        except NotThere:
            continue
    return facts


def seed(asker: Asker, facts: Facts) -> Facts:
    """The same seed twice and another one: what repeats, what changes?"""
    seeded, n = replace(facts, seed=True), min(facts.n, 4)
    try:
        one, same, other = (
            asker.ask(asking.drawn(seeded, OPEN, number, n, most=16)) for number in (7, 7, 8)
        )
    except NotThere:
        one, same, other = (
            asker.ask(asking.drawn(facts, OPEN, number, n, most=16)) for number in (7, 7, 8)
        )
        seeded = facts
    varied = len({*one, *same, *other}) > 1
    return replace(seeded if one == same and one != other else facts, draws=varied)


def choice(asker: Asker, facts: Facts) -> Facts:
    """Words that nobody would write: does the model write one of them, whichever are given?"""
    reasons = []
    for field, constraint in CONSTRAINTS.items():
        try:
            for words in _UNLIKELY:
                only = constraint([f" {word}" if facts.route != "chat" else word for word in words])
                answer = asker.ask(asking.written(facts, KNOWN, most=48, **only))
                if begins(answer_of(answer), words) is None:
                    raise NotThere("ignored: other words came")
            return replace(facts, choice=field)
        except NotThere as refusal:
            reasons.append(f"{field} {refusal}")
    raise NotThere("; ".join(reasons))


def prompt_lists(asker: Asker, facts: Facts) -> Facts:
    """Two prompts in one request: do two answers come?"""
    body = {"prompt": [KNOWN, OPEN], facts.limit: 1}
    read = partial(parsing.texts, n=2)
    single = asking.request(facts, KNOWN, read, most=1)
    asker.ask(replace(single, body={**single.body, **body}))
    return replace(facts, prompt_lists=True)


def prompt_embeds(asker: Asker, facts: Facts, position: Position, known: Embedded) -> Facts:
    """KNOWN as embeddings: are the next tokens as likely as after the text itself?"""
    found = asker.ask(asking.next_token(facts, known, facts.logprobs))
    apart = distance(position, found)
    if apart > max(PARITY, 2 * (facts.noise or 0.0)):
        raise NotThere(f"wrong: a text and its embeddings are {apart:.3f} nats apart")
    return replace(facts, prompt_embeds=apart)


def _billed(answer: parsing.Answer) -> tuple[int, int] | None:
    parsing.texts(answer)
    return parsing.used(answer)


def distance(one: Position, other: Position) -> float:
    """The largest difference in nats over likely tokens of both; 100 where there is none."""
    first, second = dict(one.top[:20]), dict(other.top[:20])
    return max((abs(first[token] - second[token]) for token in first.keys() & second), default=100)


def told_context(*answers: Mapping[str, Any]) -> int | None:
    """Tokens that fit, under any of the names that servers use."""
    names = ("max_model_len", "n_ctx", "context_length", "context_window")
    found = [answer[name] for answer in answers for name in names if name in answer]
    return next((value for value in found if isinstance(value, int)), None)
