"""What a job will take, told before it starts, and what it cannot show. Asks no model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from jobs.admission import Refused, check_budget
from jobs.catalog import Catalog
from jobs.endpoints import is_priced
from jobs.models import DatasetRow, EndpointRow
from jobs.rates import Range, Rates, rates
from jobs.report import SIGNIFICANT
from jobs.significance import mcnemar, wilson
from jobs.spec import JobSpec
from jobs.store import JobStore

POINTS = 10.0  # hundredths of accuracy: an effect that most people would want to see
FEW = 10  # generations in which hardly any method learns


@dataclass(frozen=True)
class Effect:
    """The smallest difference that a split can tell from chance."""

    rows: int
    points: float  # hundredths of accuracy
    by: str  # how it is judged


@dataclass(frozen=True)
class Caution:
    """A reason to think again."""

    code: str
    message: str


@dataclass(frozen=True)
class Estimate:
    """What is to be expected of a job; None: nobody knows."""

    queries: Range  # on train and dev, as the budget counts them
    report_queries: int  # on test, beside the budget
    generations: int  # that fit in the budget if each takes the most it can
    tokens: Range | None  # of an API, the report's too
    cost: Range | None  # in `currency`, the report's too
    currency: str | None  # of all that the job pays; None: nothing that it asks has a price
    seconds: Range | None  # of tuning, by one runner
    basis: str | None  # of tokens, cost and seconds: "earlier jobs" or "lengths of texts"
    effects: Mapping[str, Effect]  # of the splits "dev" and "test"
    warnings: Sequence[Caution]


def estimate(
    spec: JobSpec, catalog: Catalog, store: JobStore, *, points: float = POINTS
) -> Estimate:
    """What to expect of a completed spec; a warning where an effect of `points` cannot be seen."""
    endpoint, dataset = catalog.endpoint(spec.endpoint), catalog.dataset(spec.dataset)
    queries, generations = expected_queries(spec, dataset)
    on_test = _n_rows(dataset, "test") * (1 + spec.method.queries_per_input)
    each = rates(spec, endpoint, catalog, store)
    all_ = queries.plus(Range(on_test, on_test, on_test))
    taken = {
        "tokens": each.tokens and each.tokens.times(all_),
        "cost": each.cost and each.cost.times(all_),
        "seconds": each.seconds and each.seconds.times(queries),
    }
    walls: dict[str, float | None] = {name: getattr(spec.budget, name) for name in taken}
    effects = {"dev": _by_wilson(dataset), "test": _by_mcnemar(dataset)}
    return Estimate(
        queries=queries,
        report_queries=on_test,
        generations=generations,
        currency=_currency(spec, endpoint, catalog),
        basis=each.basis,
        effects=effects,
        warnings=[
            *_on_budget(spec, dataset, generations),
            *_on_walls(taken, walls),
            *_on_effects(effects, points),
            *_on_writer(spec, each),
        ],
        **{name: known and known.within(walls[name]) for name, known in taken.items()},
    )


def _currency(spec: JobSpec, endpoint: EndpointRow, catalog: Catalog) -> str | None:
    """The endpoint's; where it has no prices, its writer's."""
    writer = spec.method.writer_endpoint
    for row in (endpoint, *([catalog.endpoint(writer)] if writer else [])):
        if is_priced(row):
            return str(row.options.get("currency", "USD"))
    return None


def _n_rows(dataset: DatasetRow, split: str) -> int:
    return sum(dataset.counts[split].values())


def expected_queries(spec: JobSpec, dataset: DatasetRow) -> tuple[Range, int]:
    """From what a method needs at least to the budget, and how many generations fit in it."""
    n_train, n_dev = _n_rows(dataset, "train"), _n_rows(dataset, "dev")
    budget = spec.budget.queries
    baseline, generation = n_train + n_dev, spec.method.generation_queries(n_train, n_dev)
    least = baseline + spec.method.least_queries(n_train, n_dev)
    if budget < least:
        return Range(min(baseline, budget), budget, budget), 0
    left = (budget - least) % generation  # too little for one more
    return Range(least, budget - left, budget), (budget - baseline) // generation


def _by_mcnemar(dataset: DatasetRow) -> Effect:
    """As many rows fixed as the test needs at least, if none is broken."""
    n = _n_rows(dataset, "test")
    fixed = next(k for k in count(1) if mcnemar(k, 0) < SIGNIFICANT)
    return Effect(n, min(100.0, 100 * fixed / n), f"exact McNemar: {fixed} rows fixed, none broken")


def _by_wilson(dataset: DatasetRow) -> Effect:
    """Prompts nearer to each other than an interval is wide are picked by chance."""
    n = _n_rows(dataset, "dev")
    low, high = wilson(n // 2, n)
    return Effect(n, 50 * (high - low), "half of Wilson's 95 % interval at one half right")


def _on_budget(spec: JobSpec, dataset: DatasetRow, generations: int) -> Iterator[Caution]:
    try:
        check_budget(spec, dataset)
    except Refused as refused:
        yield Caution(refused.code, f"{refused}; such a job is refused")
        return
    if generations < FEW:
        yield Caution(
            "few_generations",
            f"{spec.budget.queries:,} queries may last for {generations} generations only; "
            f"wanted some dozens to learn: raise budget.queries, or take a smaller population",
        )


def _on_walls(
    taken: Mapping[str, Range | None], walls: Mapping[str, float | None]
) -> Iterator[Caution]:
    for name, known in taken.items():
        wall = walls[name]
        if known is not None and wall is not None and known.ceiling > wall:
            yield Caution(
                "wall_first",
                f"the wall of {name} may end the job before its queries are spent: they may take "
                f"{known.typical:,.3g} to {known.ceiling:,.3g}, and budget.{name} is {wall:,g}",
            )


def _on_effects(effects: Mapping[str, Effect], points: float) -> Iterator[Caution]:
    uses = {"dev": "picks the best prompt", "test": "judges it"}
    for split, effect in effects.items():
        if effect.points > points:
            yield Caution(
                f"{split}_too_small",
                f"the {split} split {uses[split]}, and its {effect.rows} rows cannot tell an "
                f"effect of {points:g} points from chance; the smallest is {effect.points:.1f} "
                f"points ({effect.by}). Add rows to {split}, or expect to see larger effects only",
            )


def _on_writer(spec: JobSpec, each: Rates) -> Iterator[Caution]:
    if spec.method.writer_endpoint and each.basis == "lengths of texts":
        yield Caution(
            "writer_not_counted",
            f"what {spec.method.writer_endpoint!r} reads and writes is not in this estimate: there "
            "is no earlier job to judge it by",
        )
