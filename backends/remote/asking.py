"""How a text becomes a request, for every rung alike. Reads no answer, knows no label set."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, TypeVar

from backends.remote import parsing
from backends.remote.facts import Facts
from backends.remote.parsing import Answer, Position
from backends.remote.pool import Malformed, Request

T = TypeVar("T")

MARGIN = 8  # tokens that a server may add beyond what its probe has seen
ROUTES = {"completions": "completions", "chat": "chat/completions"}
_NO_SPACE_AFTER = "\n\t\"'`([{<«‹“‘„‚"  # openings: what follows one is written close to it


@dataclass(frozen=True)
class Embedded:
    """A prompt as vectors instead of words."""

    payload: str  # base64, as the wire wants it
    n_tokens: int


def gap(before: str) -> tuple[str, str]:
    """Where a text ends and its continuation begins: (head, lead), and a label is `lead + label`.

    Tokenizers join a space with the word behind it, so a space that ends the text is moved in
    front of the label, and a text that ends without one gets one there, except after a line
    break, an opening quote or an opening bracket.

    >>> gap("It was "), gap("It was"), gap('Answer: "')
    (('It was', ' '), ('It was', ' '), ('Answer: "', ''))
    """
    head = before.rstrip(" ")
    close = head == before and head.endswith(tuple(_NO_SPACE_AFTER))
    return head, "" if close or not head else " "


def request(
    facts: Facts,
    prompt: str | Embedded,
    read: Callable[[Answer], T],
    *,
    most: int,
    temperature: float = 0.0,
    sample: int = 0,
    **asked: Any,
) -> Request[T]:
    """One request for at most `most` tokens; `asked` are further fields of its body.

    Its upper bound of tokens read holds for every tokenizer that gives each token a byte of the
    text at least: the UTF-8 bytes, plus the special and template tokens the probe has seen, plus
    MARGIN. (A normalizer that makes text longer, such as NFKC on ligatures, can break it.)
    """
    body: dict[str, Any] = {**_prompt(facts, prompt), facts.limit: most, **asked}
    if facts.sets_temperature:
        body["temperature"] = temperature
    size = prompt.n_tokens if isinstance(prompt, Embedded) else len(prompt.encode())
    return Request(
        ROUTES[facts.route],
        body,
        read,
        tokens_in=size + facts.overhead + MARGIN,
        tokens_out=max(most, 1) * int(asked.get("n", 1)),
        sample=sample,
    )


def next_token(facts: Facts, prompt: str | Embedded, k: int, **asked: Any) -> Request[Position]:
    """The likeliest tokens to come next, `k` of them."""
    return request(
        facts,
        prompt,
        partial(likeliest, k=min(k, 2)),
        most=1,
        temperature=facts.score_temperature,
        **_logprobs(facts, k),
        **asked,
    )


def likeliest(answer: Answer, k: int) -> Position:
    """The next token, with at least `k` likely ones beside it.

    Raises:
        Malformed: fewer came.
    """
    position = parsing.first(answer)
    if len(position.top) < k:
        raise Malformed(f"{len(position.top)} likely tokens came, {k} at least are wanted")
    return position


def echo(facts: Facts, text: str) -> Request[tuple[Position, ...]]:
    """The text itself, token by token, with what each token's log-probability was."""
    assert facts.echo is not None
    return request(
        facts, text, partial(_echoed, written=facts.echo), most=facts.echo, echo=True, logprobs=1
    )


def written(facts: Facts, prompt: str, *, most: int, **asked: Any) -> Request[str]:
    """What the model writes."""
    return request(facts, prompt, _only_text, most=most, **asked)


def drawn(facts: Facts, prompt: str, number: int, n: int, *, most: int) -> Request[list[str]]:
    """`n` texts at temperature 1 from the whole distribution; `number` tells draws apart."""
    asked: dict[str, Any] = {"top_p": 1.0}
    if facts.plain_sampling:
        asked |= {"top_k": 0, "min_p": 0.0}
    if facts.seed:
        asked["seed"] = number
    if n > 1:
        asked["n"] = n
    read = partial(parsing.texts, n=n)
    return request(facts, prompt, read, most=most, temperature=1.0, sample=number, **asked)


def draws(facts: Facts, prompt: str, n: int, *, most: int) -> list[Request[list[str]]]:
    """`n` draws in as few requests as the server takes."""
    sizes = [min(facts.n, n - i * facts.n) for i in range(ceil(n / facts.n))]
    return [drawn(facts, prompt, i, size, most=most) for i, size in enumerate(sizes)]


def answer(
    facts: Facts, prompt: str | Embedded, number: int, most: int, temperature: float
) -> Request[str]:
    """What the model writes after a prompt; above temperature 0, `number` tells draws apart."""
    asked: dict[str, Any] = {}
    if temperature > 0 and facts.seed:
        asked["seed"] = number
    return request(
        facts,
        prompt,
        _only_text,
        most=most,
        temperature=temperature,
        sample=number,
        **asked,
    )


def place(facts: Facts, before: str) -> tuple[str, str]:
    """The prompt, and what stands between it and a label: see `gap`; nothing in a chat."""
    return (before, "") if facts.route == "chat" else gap(before)


def _prompt(facts: Facts, prompt: str | Embedded) -> dict[str, Any]:
    if isinstance(prompt, Embedded):
        return {"prompt_embeds": prompt.payload}
    if facts.route == "chat":
        return {"messages": [{"role": "user", "content": prompt}]}
    return {"prompt": prompt}


def _logprobs(facts: Facts, k: int) -> dict[str, Any]:
    return {"logprobs": True, "top_logprobs": k} if facts.route == "chat" else {"logprobs": k}


def _echoed(answer: Answer, written: int) -> tuple[Position, ...]:
    found = parsing.positions(parsing.choices(answer)[0])
    found = found[: len(found) - written]
    if not found or any(position.logprob is None for position in found[1:]):
        raise Malformed("an echo does not tell the log-probabilities of its tokens")
    return found


def _only_text(answer: Answer) -> str:
    return parsing.texts(answer)[0]
