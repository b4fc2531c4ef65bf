"""Files that take a tuned prompt elsewhere, each with all that is needed to apply it there."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files as packaged
from typing import Any, Literal, TypeAlias, get_args

import safetensors.numpy

from backends.base import Thinking
from jobs import peft_adapter, prompts
from jobs.models import EndpointRow
from jobs.prompts import EnsemblePrompt, Kind, PixelPrompt, Prompt, SoftPrompt, kind_of
from jobs.task import Task

Format: TypeAlias = Literal["json", "text", "safetensors", "peft", "vllm"]
FileFormat: TypeAlias = Literal["text", "safetensors", "peft", "vllm"]

HOLDS: Mapping[Format, tuple[Kind, ...]] = {
    "json": get_args(Kind),
    "text": ("text",),
    "safetensors": ("soft", "pixels"),
    "peft": ("soft",),
    "vllm": ("soft",),
}
READ_BY: Mapping[Format, tuple[str, ...]] = {  # kinds of endpoint
    "peft": tuple(peft_adapter.FAMILIES),
    "vllm": ("causal", "openai"),
}
# options of an endpoint that change how a prompt is read
_APPLIED_BY = ("dtype", "gap", "n_tokens", "reader", "scale", "soft_position", "source")


class Unfit(ValueError):
    """The format cannot hold the prompt; the message says why, and which can."""


@dataclass(frozen=True)
class Tuned:
    """A prompt and what it was tuned for."""

    prompt: Prompt
    task: Task
    endpoint: EndpointRow | None  # None: it was deleted since

    def facts(self) -> dict[str, Any]:
        """All that one must know to apply the prompt, but for its own numbers and words."""
        row, prompt = self.endpoint, self.prompt
        known = row.options if row else {}
        return {
            "kind": kind_of(prompt),
            "endpoint_kind": row.kind if row else None,
            "model": row.model if row else None,
            "options": {name: known[name] for name in _APPLIED_BY if name in known},
            "template": self.task.template,
            "verbalizer": dict(self.task.verbalizer),
            "label_words": self._label_words(),
            "metric": self.task.measure,
            "max_tokens": self.task.max_tokens if self.task.metric else None,
            "position": _position(prompt, row),
            "layers": len(prompt.vectors) if isinstance(prompt, SoftPrompt) else None,
            "members": asdict(prompt)["members"] if isinstance(prompt, EnsemblePrompt) else None,
            "thinking": asdict(prompt) if isinstance(prompt, Thinking) else None,
        }

    def _label_words(self) -> dict[str, list[str]] | None:
        """Words of the prompt's own, whose mean score is a label's; None: it has none."""
        if not isinstance(self.prompt, SoftPrompt) or not self.prompt.words:
            return None
        return dict(zip(self.task.labels, map(list, self.prompt.words), strict=True))


@dataclass(frozen=True)
class File:
    ending: str  # of its name
    media_type: str
    content: bytes


def export(tuned: Tuned, format: FileFormat) -> File:
    """The prompt in a format that libraries of others read.

    Raises:
        Unfit: the format cannot hold it.
        BackendRefused: the model must be read for it, and cannot be.
    """
    if reason := _lacking(tuned, format):
        raise _unfit(tuned, format, reason)
    if format == "text":
        return File(".txt", "text/plain; charset=utf-8", prompts.dumps(tuned.prompt))
    if format == "safetensors":
        return File(".safetensors", "application/octet-stream", _tensors(tuned))
    files = _for_peft(tuned) if format == "peft" else _for_vllm(tuned)
    return File(f"-{format}.zip", "application/zip", _zipped(files))


def _lacking(tuned: Tuned, format: Format) -> str:
    """Why the format cannot hold the prompt; empty: it can."""
    kind = kind_of(tuned.prompt)
    if kind not in HOLDS[format]:
        return f"{format} holds {' and '.join(HOLDS[format])} prompts, not {kind} prompts"
    if format not in READ_BY:
        return ""
    if tuned.endpoint is None:
        return "the endpoint that it was tuned for has been deleted"
    if tuned.endpoint.kind not in READ_BY[format]:
        kinds = ", ".join(READ_BY[format])
        return f"{format} is for endpoints of kind {kinds}, and this was {tuned.endpoint.kind}"
    assert isinstance(tuned.prompt, SoftPrompt)
    layers, tokens, _ = tuned.prompt.vectors.shape
    if layers > 1:
        return f"{format} has vectors at the input alone, and this prompt stands at {layers} layers"
    return "" if tokens else "it is the empty prompt, without any vectors"


def _unfit(tuned: Tuned, format: Format, reason: str) -> Unfit:
    fit = [one for one in HOLDS if one != format and not _lacking(tuned, one)]
    return Unfit(f"this prompt cannot be written as {format}: {reason}; try {' or '.join(fit)}")


def _tensors(tuned: Tuned) -> bytes:
    """As `prompts.dumps`, and the facts as metadata: JSON where they are no texts."""
    told = {name: fact for name, fact in tuned.facts().items() if fact is not None}
    metadata = {
        name: fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False)
        for name, fact in told.items()
    }
    tensors = safetensors.numpy.load(prompts.dumps(tuned.prompt))
    return safetensors.numpy.save(tensors, metadata)


def _for_peft(tuned: Tuned) -> dict[str, bytes]:
    assert isinstance(tuned.prompt, SoftPrompt) and tuned.endpoint is not None
    try:
        files = peft_adapter.adapter(tuned.prompt.vectors[0], tuned.endpoint)
    except peft_adapter.ReadTwice as error:
        raise _unfit(tuned, "peft", str(error)) from None
    facts = json.dumps(tuned.facts(), indent=2, ensure_ascii=False)
    return {**files, "gradless.json": facts.encode()}


def _for_vllm(tuned: Tuned) -> dict[str, bytes]:
    return {
        "soft_prompt.safetensors": _tensors(tuned),
        "splice.py": (packaged("jobs") / "splice.py").read_bytes(),
    }


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _position(prompt: Prompt, endpoint: EndpointRow | None) -> str:
    """Where the prompt stands, in words."""
    if isinstance(prompt, PixelPrompt):
        return "added to every image before a model sees it, stretched to the image's size"
    if isinstance(prompt, EnsemblePrompt):
        return (
            "the templates of the members stand for the one here; their answers are put to the vote"
        )
    if isinstance(prompt, Thinking):
        return "before all texts: their keys and values, moved by passes over the demonstrations"
    if not isinstance(prompt, SoftPrompt):
        return "in the template's slot {prompt}"
    if endpoint and endpoint.kind == "bridge":
        return "between two models: rows of a matrix for an image's features, and last the bias"
    place = "right after the special tokens that the tokenizer puts before a text"
    if endpoint and endpoint.options.get("soft_position") == "label":
        place = "right before the label"
    beside = "; visual: behind the patches of the image" if prompt.visual is not None else ""
    return f"{place}: row 0 in place of word vectors, row i added to what layer i reads{beside}"
