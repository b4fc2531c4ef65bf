"""Prometheus's text format, version 0.0.4: families of samples to text. Measures nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass
class Family:
    """One metric with its samples; a counter's name ends in _total, a unit stands in the name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: list[str] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", **labels: str) -> "Family":
        inner = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
        braces = f"{{{inner}}}" if inner else ""
        self.samples.append(f"{self.name}{suffix}{braces} {float(value)!r}")
        return self

    def by(self, label: str, values: Mapping[str, float]) -> "Family":
        """A sample for each value of one label."""
        for name, value in values.items():
            self.add(value, **{label: name})
        return self


def exposition(families: Iterable[Family]) -> str:
    lines: list[str] = []
    for family in families:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        lines += family.samples
    return "\n".join(lines) + "\n"
