"""Answers as OpenAI's clients read them, whole and in chunks: every field is there, null or not."""

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

from app.openai.asked import ChatBody, CompletionBody
from jobs.forwarding import Part, Piece

IMPOSSIBLE = -9999.0  # nats: what OpenAI says of a token that is too unlikely to tell


class TopLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    content: list[TokenLogprob]
    refusal: None = None


class ChatMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: str


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: dict[str, Any] | None
    system_fingerprint: None = None
    service_tier: None = None


class TextLogprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(BaseModel):
    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: str | None


class TextCompletion(BaseModel):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: dict[str, Any] | None
    system_fingerprint: None = None


Whole = TypeVar("Whole", covariant=True)


class Form(Protocol[Whole]):
    """One of the two ways to tell an answer."""

    def whole(self, part: Part) -> Whole: ...

    def start(self) -> list[dict[str, Any]]:
        """Chunks before the first word."""
        ...

    def chunk(
        self, pieces: Sequence[Piece], usage: Mapping[str, Any] | None = None
    ) -> dict[str, Any]: ...


class _Answer:
    """What is told alike in an answer and all its chunks."""

    prefix = ""

    def __init__(self, model: str) -> None:
        id_ = f"{self.prefix}-{secrets.token_hex(12)}"
        self.head: dict[str, Any] = {"id": id_, "created": int(time.time()), "model": model}


class ChatForm(_Answer):
    """Of chat/completions."""

    prefix = "chatcmpl"

    def __init__(self, body: ChatBody) -> None:
        super().__init__(body.model)
        self._top = (body.top_logprobs or 0) if body.wants_logprobs else None

    def whole(self, part: Part) -> ChatCompletion:
        choices = [
            ChatChoice(
                index=piece.index,
                message=ChatMessage(content=piece.text),
                logprobs=self._logprobs(piece),
                finish_reason=piece.finish or "stop",
            )
            for piece in part.pieces
        ]
        return ChatCompletion(**self.head, choices=choices, usage=_plain(part.usage))

    def start(self) -> list[dict[str, Any]]:
        return [self._chunk([_delta(0, {"role": "assistant", "content": "", "refusal": None})])]

    def chunk(
        self, pieces: Sequence[Piece], usage: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        choices = [
            _delta(
                piece.index,
                {"content": piece.text} if piece.text else {},
                self._logprobs(piece),
                piece.finish,
            )
            for piece in pieces
        ]
        return self._chunk(choices, usage)

    def _chunk(self, choices: list[Any], usage: Mapping[str, Any] | None = None) -> dict[str, Any]:
        kind = {"object": "chat.completion.chunk", "choices": choices, "usage": _plain(usage)}
        return {**self.head, **kind, "system_fingerprint": None, "service_tier": None}

    def _logprobs(self, piece: Piece) -> ChatLogprobs | None:
        if piece.nats is None or self._top is None:
            return None
        likeliest = [_token(word, nats) for word, nats in _ranked(piece.nats)[: self._top]]
        said = _token(piece.text, piece.nats[piece.text])
        return ChatLogprobs(content=[TokenLogprob(**vars(said), top_logprobs=likeliest)])


class TextForm(_Answer):
    """Of completions, where chunks have the shape of the whole."""

    prefix = "cmpl"

    def __init__(self, body: CompletionBody) -> None:
        super().__init__(body.model)
        self._top = body.logprobs

    def whole(self, part: Part) -> TextCompletion:
        choices = [self._choice(piece, piece.finish or "stop") for piece in part.pieces]
        return TextCompletion(**self.head, choices=choices, usage=_plain(part.usage))

    def start(self) -> list[dict[str, Any]]:
        return []

    def chunk(
        self, pieces: Sequence[Piece], usage: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        choices = [self._choice(piece, piece.finish) for piece in pieces]
        told = TextCompletion(**self.head, choices=choices, usage=_plain(usage))
        return told.model_dump(mode="json")

    def _choice(self, piece: Piece, finish: str | None) -> TextChoice:
        logprobs = None
        if piece.nats is not None and self._top is not None:
            logprobs = TextLogprobs(
                tokens=[piece.text],
                token_logprobs=[_told(piece.nats[piece.text])],
                top_logprobs=[{w: _told(x) for w, x in _ranked(piece.nats)[: self._top]}],
                text_offset=[0],
            )
        return TextChoice(
            index=piece.index, text=piece.text, logprobs=logprobs, finish_reason=finish
        )


def _delta(
    index: int,
    delta: dict[str, Any],
    logprobs: ChatLogprobs | None = None,
    finish: str | None = None,
) -> dict[str, Any]:
    told = logprobs.model_dump() if logprobs is not None else None
    return {"index": index, "delta": delta, "logprobs": told, "finish_reason": finish}


def _token(word: str, nats: float) -> TopLogprob:
    return TopLogprob(token=word, logprob=_told(nats), bytes=list(word.encode()))


def _ranked(nats: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(nats.items(), key=lambda pair: -pair[1])


def _told(nats: float) -> float:
    return nats if math.isfinite(nats) else IMPOSSIBLE


def _plain(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(usage) if usage is not None else None
