"""What a job is expected to take, as the service tells it before and beside the job."""

# ruff: noqa: RUF012 - pydantic copies defaults, and ruff does not see that Record is its own

from __future__ import annotations

from gradless.record import Record


class Range(Record):
    low: float
    typical: float
    ceiling: float


class Effect(Record):
    """The smallest difference that a split can tell from chance, in hundredths of accuracy."""

    rows: int
    points: float
    by: str | None = None


class Caution(Record):
    """A reason to think again."""

    code: str
    message: str

    def __str__(self) -> str:
        return self.message


class Estimate(Record):
    """What is to be expected of a job; `None` is what nobody knows.

    Seconds, tokens and cost are judged by `basis`: "earlier jobs" on the endpoint, or "lengths of
    texts".
    """

    queries: Range | None = None  # on train and dev, as the budget counts them
    report_queries: int | None = None  # on test, beside the budget
    generations: int | None = None  # that fit in the budget
    tokens: Range | None = None  # of an API, the report's too
    cost: Range | None = None  # in `currency`, the report's too
    currency: str | None = None
    seconds: Range | None = None  # of tuning
    basis: str | None = None
    effects: dict[str, Effect] = {}  # of the splits "dev" and "test"
    warnings: list[Caution] = []
