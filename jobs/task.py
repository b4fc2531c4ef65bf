"""What a prompt is tuned for: examples, how they are shown, what an answer is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.base import Query, Thinking
from jobs.metrics import Metric
from jobs.pictures import NO_PICTURES, Pictures, painted
from jobs.prompts import PixelPrompt, Prompt, SoftPrompt, TextPrompt

SLOT = re.compile(r"\{(\w+)\}")
NO_VECTORS = SoftPrompt(np.empty((1, 0, 0), np.float32))


@dataclass(frozen=True)
class Example:
    """One input and its right answer."""

    inputs: Mapping[str, str]  # column -> text, or the name of a picture
    label: str  # in a task with a metric: the target, the text that answers are held against


@dataclass(frozen=True)
class Split:
    """Train moves the optimizer, dev picks the incumbent, test is reported once."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]


def slots(template: str) -> list[str]:
    """The names between braces, in order: `["prompt", "text"]`."""
    return SLOT.findall(template)


def without(slot: str, template: str) -> str:
    """The template with a slot left empty: what is absent takes the space behind it along."""
    return re.sub(rf"\{{{slot}\}}\s*", "", template)


@dataclass(frozen=True)
class Task:
    """A template, and one word for each label or a metric for texts of the model's own.

    Slots are filled in one pass, so braces inside a user's text stay as they are.

    >>> task = Task("{prompt} {text} It was {label}.", {"neg": "bad", "pos": "great"})
    >>> query = task.query(TextPrompt("Be honest:"), {"text": "{label}?"})
    >>> query.before, query.after
    ('Be honest: {label}? It was ', '.')
    """

    template: str  # slots: the input columns, {prompt}, and {label} at most once
    verbalizer: Mapping[str, str]  # label -> label word; empty where there is a metric
    metric: Metric | None = None  # None: the answer is one of the labels
    max_tokens: int = 0  # most tokens of one answer, where there is a metric
    pictures: Pictures = NO_PICTURES  # what the image column's values name

    def query(self, prompt: Prompt, inputs: Mapping[str, str]) -> Query:
        """The prompt shown with one input; prompts without words leave `{prompt}` empty.

        So does an image its slot: it goes beside the words, changed by a pixel prompt.
        """
        words = prompt.text if isinstance(prompt, TextPrompt) else ""
        soft = prompt if isinstance(prompt, SoftPrompt) else NO_VECTORS
        template = self.template if words else without("prompt", self.template)
        if column := self.pictures.column:
            template = without(column, template)
        before, _, after = template.partition("{label}")
        fills = {**inputs, "prompt": words}
        return Query(
            _fill(before, fills),
            _fill(after, fills),
            soft.vectors if soft.vectors.size else None,
            self._image(prompt, inputs),
            soft.visual,
            prompt if isinstance(prompt, Thinking) else None,
        )

    def _image(self, prompt: Prompt, inputs: Mapping[str, str]) -> bytes:
        column = self.pictures.column
        if not column or column not in slots(self.template):
            return b""
        image = self.pictures.files[inputs[column]]
        return painted(image, prompt.values) if isinstance(prompt, PixelPrompt) else image

    def texts(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """The columns of words among an example's inputs."""
        return {name: text for name, text in inputs.items() if name != self.pictures.column}

    @property
    def measure(self) -> str:
        """What `accuracy` is here: the share of right answers, or the mean by this metric."""
        return self.metric.name if self.metric is not None else "accuracy"

    @property
    def labels(self) -> list[str]:
        return list(self.verbalizer)

    @property
    def words(self) -> list[str]:
        return list(self.verbalizer.values())


def _fill(template: str, fills: Mapping[str, str]) -> str:
    return SLOT.sub(lambda slot: fills[slot[1]], template)
