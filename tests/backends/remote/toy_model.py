"""A model that is a hash: every word has a log-probability after every text, always the same."""

import math
from hashlib import sha256
from typing import Any

WORDS = ["good", "bad", "great", "terrible", "red", "blue", "yes", "no", "it", "was"]


def logprobs(text: str) -> dict[str, float]:
    """Log-probability of each word after a text, likeliest first; they add up to one."""
    weights = {
        word: 1.0 + int.from_bytes(sha256(f"{text}|{word}".encode()).digest()[:2]) for word in WORDS
    }
    total = sum(weights.values())
    ranked = sorted(WORDS, key=weights.__getitem__, reverse=True)
    return {f" {word}": math.log(weights[word] / total) for word in ranked}


def count(text: str) -> int:
    """Tokens of a text: its words."""
    return len(text.split())


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The answer of /v1/completions; a list of prompts has a choice each."""
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    choices = [_choice(index, prompt, body) for index, prompt in enumerate(prompts)]
    return {
        "id": "cmpl-0",
        "object": "text_completion",
        "created": 0,
        "model": body["model"],
        "choices": choices,
        "usage": _usage(sum(map(count, prompts)), body.get("max_tokens", 16) * len(prompts)),
    }


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """The answer of /v1/chat/completions, with one choice."""
    text = " ".join(message["content"] for message in body["messages"])
    n = body.get("max_tokens", body.get("max_completion_tokens", 16))
    words = _continue(text, n)
    told = [_chat_token(word, tops, body.get("top_logprobs", 0)) for word, tops in words]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(word for word, _ in words)},
        "finish_reason": "length",
        "logprobs": {"content": told} if body.get("logprobs") else None,
    }
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": _usage(count(text), n),
    }


def with_every_number(tree: Any, below: str, number: float, inside: bool = False) -> Any:
    """The tree with every float below the field of that name replaced."""
    if isinstance(tree, dict):
        return {
            name: with_every_number(value, below, number, inside or name == below)
            for name, value in tree.items()
        }
    if isinstance(tree, list):
        return [with_every_number(value, below, number, inside) for value in tree]
    return number if inside and isinstance(tree, float) else tree


def _choice(index: int, prompt: str, body: dict[str, Any]) -> dict[str, Any]:
    written = _continue(prompt, body.get("max_tokens", 16))
    tokens = [(word, tops[word], tops) for word, tops in written]
    if body.get("echo"):
        tokens = [*_read(prompt), *tokens]
    k = body.get("logprobs")
    return {
        "index": index,
        "text": "".join(token for token, _, _ in tokens),
        "finish_reason": "length",
        "logprobs": None
        if k is None
        else {
            "tokens": [token for token, _, _ in tokens],
            "token_logprobs": [logprob for _, logprob, _ in tokens],
            "top_logprobs": [dict(list(tops.items())[:k]) for _, _, tops in tokens],
        },
    }


def _read(prompt: str) -> list[tuple[str, float | None, dict[str, float]]]:
    """The prompt's own words, each after those before it; the first after nothing has none."""
    words, read = [], ""
    for number, word in enumerate(prompt.split()):
        token = f" {word}" if number else word
        tops = logprobs(read) if number else {}
        words.append((token, tops.get(token, -20.0) if number else None, tops))
        read += token
    return words


def _continue(text: str, n: int) -> list[tuple[str, dict[str, float]]]:
    written = []
    for _ in range(n):
        tops = logprobs(text)
        written.append((next(iter(tops)), tops))
        text += written[-1][0]
    return written


def _chat_token(word: str, tops: dict[str, float], k: int) -> dict[str, Any]:
    likeliest = list(tops.items())[:k]
    return {
        "token": word,
        "logprob": tops[word],
        "top_logprobs": [{"token": token, "logprob": logprob} for token, logprob in likeliest],
    }


def _usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
