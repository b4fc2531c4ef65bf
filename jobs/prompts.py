"""The thing being tuned, and at the end the thing being served. No search, no model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from backends.base import Thinking

Kind: TypeAlias = Literal["text", "soft", "pixels", "ensemble", "thinking"]
LabelWords: TypeAlias = tuple[tuple[str, ...], ...]  # for each label one word or more


@dataclass(frozen=True)
class TextPrompt:
    """Words in the template's `{prompt}` slot; no words is the empty prompt."""

    text: str


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Vectors that the model reads as if they were embedded words, or patches of an image."""

    vectors: NDArray[np.float32]  # shape (n_layers, n_tokens, hidden); no tokens: nothing is put in
    visual: NDArray[np.float32] | None = None  # beside the patches, (n_layers, n_tokens, hidden)
    words: LabelWords = ()  # whose mean score is a label's, in the labels' order; (): the task's


@dataclass(frozen=True, eq=False)
class PixelPrompt:
    """What is added to every image before a model sees it, stretched to the image's size."""

    values: NDArray[np.float32]  # shape (height, width, 3), in units of full brightness


@dataclass(frozen=True)
class Member:
    """One voter of an ensemble: a template and label words of its own."""

    template: str  # slots: the input columns, and {label} at most once
    words: tuple[str, ...]  # one for each label, in the labels' order
    weight: float  # above 0


@dataclass(frozen=True)
class EnsemblePrompt:
    """Templates with their own label words, whose answers are put to a weighted vote."""

    members: tuple[Member, ...]  # at least one

    @property
    def templates(self) -> tuple[str, ...]:
        """The different templates, in order: what one input costs in queries is their number."""
        return tuple(dict.fromkeys(member.template for member in self.members))


Prompt: TypeAlias = TextPrompt | SoftPrompt | PixelPrompt | EnsemblePrompt | Thinking


KINDS: Mapping[type[Prompt], Kind] = {
    TextPrompt: "text",
    SoftPrompt: "soft",
    PixelPrompt: "pixels",
    EnsemblePrompt: "ensemble",
    Thinking: "thinking",
}


def kind_of(prompt: Prompt) -> Kind:
    return KINDS[type(prompt)]


def words_of(prompt: Prompt) -> str | None:
    """What people read of it; None: it is no text."""
    return prompt.text if isinstance(prompt, TextPrompt) else None


def dumps(prompt: Prompt) -> bytes:
    """The prompt as a file: UTF-8 text, safetensors, or JSON.

    The tensors are `prompt` and, of a soft prompt beside an image's patches, `visual`, and of one
    with label words of its own `words`, JSON in bytes; of a pixel prompt it is `pixels`.
    """
    if isinstance(prompt, TextPrompt):
        return prompt.text.encode()
    if isinstance(prompt, EnsemblePrompt | Thinking):
        return json.dumps(asdict(prompt)).encode()
    if isinstance(prompt, PixelPrompt):
        return _save(pixels=prompt.values)
    words = np.frombuffer(json.dumps(prompt.words).encode(), np.uint8) if prompt.words else None
    return _save(prompt=prompt.vectors, visual=prompt.visual, words=words)


def loads(kind: Kind, data: bytes) -> Prompt:
    """The prompt that `dumps` was given, bit for bit."""
    if kind == "text":
        return TextPrompt(data.decode())
    if kind == "ensemble":
        members = json.loads(data)["members"]
        return EnsemblePrompt(
            tuple(Member(m["template"], tuple(m["words"]), m["weight"]) for m in members)
        )
    if kind == "thinking":
        return Thinking(**json.loads(data))
    tensors = safetensors.numpy.load(data)
    if kind == "pixels":
        return PixelPrompt(tensors["pixels"])
    words = json.loads(tensors["words"].tobytes()) if "words" in tensors else ()
    return SoftPrompt(tensors["prompt"], tensors.get("visual"), tuple(map(tuple, words)))


def _save(**tensors: NDArray[Any] | None) -> bytes:
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(each) for name, each in tensors.items() if each is not None}
    )
