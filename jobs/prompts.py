"""The thing being tuned, and at the end the thing being served. No search, no model."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

Kind: TypeAlias = Literal["text", "soft"]


@dataclass(frozen=True)
class TextPrompt:
    """Words in the template's `{prompt}` slot; no words is the empty prompt."""

    text: str


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Vectors that the model reads as if they were embedded words."""

    vectors: NDArray[np.float32]  # shape (n_layers, n_tokens, hidden)


Prompt: TypeAlias = TextPrompt | SoftPrompt


def kind_of(prompt: Prompt) -> Kind:
    return "text" if isinstance(prompt, TextPrompt) else "soft"


def dumps(prompt: Prompt) -> bytes:
    """The prompt as a file: UTF-8 text, or safetensors with the one tensor `prompt`."""
    if isinstance(prompt, TextPrompt):
        return prompt.text.encode()
    return safetensors.numpy.save({"prompt": np.ascontiguousarray(prompt.vectors)})


def loads(kind: Kind, data: bytes) -> Prompt:
    """The prompt that `dumps` was given, bit for bit."""
    if kind == "text":
        return TextPrompt(data.decode())
    return SoftPrompt(safetensors.numpy.load(data)["prompt"])
