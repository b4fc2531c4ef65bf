"""What one query of a job takes, in seconds, tokens and money: of earlier jobs, or by its texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from jobs.catalog import Catalog
from jobs.endpoints import is_priced
from jobs.ledger import PICO
from jobs.models import EndpointRow
from jobs.prompts import TextPrompt
from jobs.spec import JobSpec
from jobs.spent import Spent
from jobs.store import JobStore

MILLION = 10**6  # tokens that a price is for
SPARE = 64  # tokens at most that a server puts around a text
DRAWS = 16  # of the rung `samples`, where the endpoint does not say


@dataclass(frozen=True)
class Range:
    """How much it may be. The ceiling is what a careful person would reckon with."""

    low: float
    typical: float
    ceiling: float

    def times(self, other: "Range | float") -> "Range":
        by = other if isinstance(other, Range) else Range(other, other, other)
        return Range(self.low * by.low, self.typical * by.typical, self.ceiling * by.ceiling)

    def plus(self, other: "Range") -> "Range":
        return Range(
            self.low + other.low, self.typical + other.typical, self.ceiling + other.ceiling
        )

    def within(self, wall: float | None) -> "Range":
        """What is left of it where more than the wall is never taken."""
        most = self.ceiling if wall is None else wall
        return Range(min(self.low, most), min(self.typical, most), min(self.ceiling, most))


@dataclass(frozen=True)
class Rates:
    """What one query takes; None: nobody knows."""

    seconds: Range | None = None
    tokens: Range | None = None  # of an API, read and written
    cost: Range | None = None  # in the endpoint's currency
    basis: str | None = None  # "earlier jobs" or "lengths of texts"


def rates(spec: JobSpec, endpoint: EndpointRow, catalog: Catalog, store: JobStore) -> Rates:
    """Of the latest jobs on the endpoint, of those on the same dataset if there are any.

    Without such jobs, the tokens of an API by the lengths of the rows. What a tuned prompt adds
    to them, and what a writer reads and writes, nobody knows before.
    """
    past = store.spent_on(endpoint.id)
    past = [job for job in past if job.dataset == spec.dataset] or past
    if not past:
        return _by_length(spec, endpoint, catalog)
    return Rates(
        _range([job.seconds / job.timed_queries for job in past]),
        _range([_each(job, job.tokens) for job in past]),
        _range([_each(job, job.cost / PICO) for job in past]) if is_priced(endpoint) else None,
        "earlier jobs",
    )


def _each(job: Spent, amount: float) -> float | None:
    """Of one query if none of its requests is remembered; None: the job sent none."""
    asked = job.sent + job.recalled
    return amount / job.sent * asked / job.queries if job.sent else None


def _range(found: Sequence[float | None]) -> Range | None:
    known = [each for each in found if each is not None]
    return Range(min(known), median(known), max(known)) if known else None


def _by_length(spec: JobSpec, endpoint: EndpointRow, catalog: Catalog) -> Rates:
    """A token has four letters or so, and at least a byte."""
    if endpoint.probed is None or catalog.dataset(spec.dataset).image_column:
        return Rates()
    texts = _texts(spec, catalog)
    letters, most = sum(map(len, texts)) / len(texts), max(len(text.encode()) for text in texts)
    requests = _requests(spec, endpoint)
    reads = Range(letters / 6, letters / 4, most + SPARE).times(requests)
    longest = spec.task.max_tokens if spec.task.metric is not None else 1
    writes = Range(1, (1 + longest) / 2, longest).times(requests)
    cost = None
    if is_priced(endpoint):
        price_in, price_out = (
            float(endpoint.options[name]) / MILLION for name in ("input_price", "output_price")
        )
        cost = reads.times(price_in).plus(writes.times(price_out))
    return Rates(None, reads.plus(writes), cost, "lengths of texts")


def _texts(spec: JobSpec, catalog: Catalog) -> list[str]:
    """The rows of train and dev as the baseline shows them."""
    task, prompt = spec.task.made(), TextPrompt(spec.task.baseline)
    split = catalog.split(spec.dataset)
    shown = [task.query(prompt, row.inputs) for row in (*split.train, *split.dev)]
    return [query.before + query.after for query in shown]


def _requests(spec: JobSpec, endpoint: EndpointRow) -> int:
    """How often an API is asked for the label scores of one query."""
    assert endpoint.probed is not None and spec.task.verbalizer is not None
    rung = None if spec.task.metric is not None else endpoint.probed.get("rung")
    asked = {
        "sequence": len(spec.task.verbalizer),
        "samples": int(endpoint.options.get("samples", DRAWS)),
    }
    return asked.get(str(rung), 1)
