"""The thing being tuned, and at the end the thing being served. No search, no model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

Kind: TypeAlias = Literal["text", "soft", "pixels", "ensemble"]


@dataclass(frozen=True)
class TextPrompt:
    """Words in the template's `{prompt}` slot; no words is the empty prompt."""

    text: str


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """Vectors that the model reads as if they were embedded words, or patches of an image."""

    vectors: NDArray[np.float32]  # shape (n_layers, n_tokens, hidden); no tokens: nothing is put in
    visual: NDArray[np.float32] | None = None  # beside the patches, (n_layers, n_tokens, hidden)


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


Prompt: TypeAlias = TextPrompt | SoftPrompt | PixelPrompt | EnsemblePrompt


KINDS: Mapping[type[Prompt], Kind] = {
    TextPrompt: "text",
    SoftPrompt: "soft",
    PixelPrompt: "pixels",
    EnsemblePrompt: "ensemble",
}


def kind_of(prompt: Prompt) -> Kind:
    return KINDS[type(prompt)]


def dumps(prompt: Prompt) -> bytes:
    """The prompt as a file: UTF-8 text, safetensors, or JSON.

    The tensors are `prompt` and, of a soft prompt beside an image's patches, `visual`; of a pixel
    prompt it is `pixels`.
    """
    if isinstance(prompt, TextPrompt):
        return prompt.text.encode()
    if isinstance(prompt, EnsemblePrompt):
        return json.dumps(asdict(prompt)).encode()
    if isinstance(prompt, PixelPrompt):
        return _save(pixels=prompt.values)
    return _save(prompt=prompt.vectors, visual=prompt.visual)


def loads(kind: Kind, data: bytes) -> Prompt:
    """The prompt that `dumps` was given, bit for bit."""
    if kind == "text":
        return TextPrompt(data.decode())
    if kind == "ensemble":
        members = json.loads(data)["members"]
        return EnsemblePrompt(
            tuple(Member(m["template"], tuple(m["words"]), m["weight"]) for m in members)
        )
    tensors = safetensors.numpy.load(data)
    if kind == "pixels":
        return PixelPrompt(tensors["pixels"])
    return SoftPrompt(tensors["prompt"], tensors.get("visual"))


def _save(**tensors: NDArray[np.float32] | None) -> bytes:
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(each) for name, each in tensors.items() if each is not None}
    )
