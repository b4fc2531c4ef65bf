"""Several jobs beside each other, as typed records. No HTTP, no drawing."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gradless.record import Record
from gradless.types import JobState


class Setting(Record):
    """One setting by its path in the spec; `values` has each job's own, None where it has none."""

    name: str
    values: list[Any] = Field(default=[])
    same: bool = False


class Verdict(Record):
    """Two jobs' tuned prompts on the same test rows, or the `reason` why they cannot be compared.

    `difference` is the second's accuracy minus the first's; the p-value is of this pair alone.
    """

    first: str
    second: str
    p_value: float | None = None
    difference: float | None = None
    test: str | None = None
    n: int | None = None  # test rows
    reason: str | None = None

    def __str__(self) -> str:
        if self.difference is None or self.p_value is None:
            return f"{self.first}, {self.second}: not compared, {self.reason}"
        points = f"{100 * self.difference:+.1f} points"
        return f"{self.first}, {self.second}: {points} on {self.n} rows, p = {self.p_value:.2g}"


class Comparison(Record):
    """How jobs differ: in their settings, and in what their prompts answer."""

    jobs: list[JobState] = Field(default=[])
    settings: list[Setting] = Field(default=[])
    tests: list[Verdict] = Field(default=[])

    @property
    def changed(self) -> list[Setting]:
        """The settings that are not the same in all jobs."""
        return [each for each in self.settings if not each.same]
