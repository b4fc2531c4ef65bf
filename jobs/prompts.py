"""The thing being tuned, and at the end the thing being served. No search, no model."""

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

Kind: TypeAlias = Literal["text", "soft", "ensemble"]


@dataclass(frozen=True)
class TextPrompt:
    """Words in the template's `{prompt}` slot; no words is the empty prompt."""

    text: str


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Vectors that the model reads as if they were embedded words."""

    vectors: NDArray[np.float32]  # shape (n_layers, n_tokens, hidden)


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


Prompt: TypeAlias = TextPrompt | SoftPrompt | EnsemblePrompt


def kind_of(prompt: Prompt) -> Kind:
    if isinstance(prompt, EnsemblePrompt):
        return "ensemble"
    return "text" if isinstance(prompt, TextPrompt) else "soft"


def dumps(prompt: Prompt) -> bytes:
    """The prompt as a file: UTF-8 text, safetensors with the one tensor `prompt`, or JSON."""
    if isinstance(prompt, TextPrompt):
        return prompt.text.encode()
    if isinstance(prompt, EnsemblePrompt):
        return json.dumps(asdict(prompt)).encode()
    return safetensors.numpy.save({"prompt": np.ascontiguousarray(prompt.vectors)})


def loads(kind: Kind, data: bytes) -> Prompt:
    """The prompt that `dumps` was given, bit for bit."""
    if kind == "text":
        return TextPrompt(data.decode())
    if kind == "ensemble":
        members = json.loads(data)["members"]
        return EnsemblePrompt(
            tuple(Member(m["template"], tuple(m["words"]), m["weight"]) for m in members)
        )
    return SoftPrompt(safetensors.numpy.load(data)["prompt"])
