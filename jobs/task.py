"""What a prompt is tuned for: examples, how they are shown, what an answer is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from backends.base import Query
from jobs.metrics import Metric
from jobs.prompts import Prompt, SoftPrompt, TextPrompt

SLOT = re.compile(r"\{(\w+)\}")
EMPTY_PROMPT = re.compile(r"\{prompt\}\s*")  # an absent prompt takes the space behind it along


@dataclass(frozen=True)
class Example:
    """One input and its right answer."""

    inputs: Mapping[str, str]  # column -> text
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


@dataclass(frozen=True)
class Task:
    """A template, and one word for each label or a metric for texts of the model's own.

    Slots are filled in one pass, so braces inside a user's text stay as they are.

    >>> task = Task("{prompt} {text} It was {label}.", {"neg": "bad", "pos": "great"})
    >>> task.query(TextPrompt("Be honest:"), {"text": "{label}?"})
    Query(before='Be honest: {label}? It was ', after='.', soft=None)
    """

    template: str  # slots: the input columns, {prompt}, and {label} at most once
    verbalizer: Mapping[str, str]  # label -> label word; empty where there is a metric
    metric: Metric | None = None  # None: the answer is one of the labels
    max_tokens: int = 0  # most tokens of one answer, where there is a metric

    def query(self, prompt: Prompt, inputs: Mapping[str, str]) -> Query:
        """The prompt shown with one input; a soft prompt leaves the `{prompt}` slot empty."""
        words = prompt.text if isinstance(prompt, TextPrompt) else ""
        soft = prompt.vectors if isinstance(prompt, SoftPrompt) else None
        template = self.template if words else EMPTY_PROMPT.sub("", self.template)
        before, _, after = template.partition("{label}")
        fills = {**inputs, "prompt": words}
        return Query(_fill(before, fills), _fill(after, fills), soft)

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
