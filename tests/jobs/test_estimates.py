"""What a job is expected to take, on a stored catalog and with jobs that were never run."""

import pytest

from jobs.admission import complete
from jobs.estimates import POINTS, estimate
from jobs.ledger import PICO
from jobs.models import EndpointRow, JobRow, ReportRow, UsageRow
from jobs.rates import Range
from jobs.significance import mcnemar
from jobs.spec import JobSpec
from jobs.store import Ending
from tests.jobs.conftest import COLORS, COLORS_CSV

BASELINE, GENERATION = 16, 4 * 8 + 8  # queries of COLORS
TEST = 20  # rows
ROWS = [line.split(",") for line in COLORS_CSV.splitlines()[1:]]
LETTERS = [len(text) for text, _, split in ROWS if split != "test"]


@pytest.fixture
def told(catalog, store):
    def tell(points=POINTS, **changes):
        spec = complete(JobSpec.model_validate(COLORS | changes), catalog)
        return estimate(spec, catalog, store, points=points)

    return tell


@pytest.fixture
def past(database):
    """Puts a job that has ended into the database."""

    def put(number, *, queries=1000, seconds=10.0, endpoint="minilm", dataset="colors", **usage):
        spec = COLORS | {"endpoint": endpoint, "dataset": dataset}
        row = JobRow(id=f"job_{number}", spec=spec, queries=queries, seconds=seconds)
        with database.writing() as session:
            session.add(row)
            session.flush()
            session.add(ReportRow(job_id=row.id, body={"usage": {"report_queries": TEST * 2}}))
            if usage:
                session.add(UsageRow(job_id=row.id, **usage))

    return put


@pytest.fixture
def hosted(database):
    """An API with prices."""

    def put(rung="top", **options):
        facts = {"capabilities": ["soft_prompts", "text_prompts"], "rung": rung}
        row = EndpointRow(id="hosted", kind="openai", model="m", options=options, probed=facts)
        with database.writing() as session:
            session.merge(row)

    put(input_price=2.0, output_price=8.0, currency="EUR")
    return put


def codes(found):
    return [caution.code for caution in found.warnings]


def test_queries_go_from_one_generation_to_the_budget(told):
    found = told(budget={"queries": BASELINE + 6 * GENERATION + 7})
    least, most = BASELINE + GENERATION, BASELINE + 6 * GENERATION
    assert found.queries == Range(least, most, most + 7)
    assert (found.generations, found.report_queries) == (6, 2 * TEST)


@pytest.mark.parametrize(
    ("queries", "generations", "code"),
    [
        (BASELINE + GENERATION - 1, 0, "budget_too_small"),
        (BASELINE + GENERATION, 1, "few_generations"),
        (BASELINE + 10 * GENERATION - 1, 9, "few_generations"),
        (BASELINE + 10 * GENERATION, 10, None),
    ],
)
def test_a_budget_too_small_to_matter(queries, generations, code, told):
    found = told(points=100, budget={"queries": queries})
    assert (found.generations, codes(found)) == (generations, [code] if code else [])
    if code == "budget_too_small":
        assert f"wanted at least {BASELINE + GENERATION}" in found.warnings[0].message
        assert found.queries.ceiling == queries


def test_the_smallest_effects(told):
    effects = told().effects
    assert (effects["test"].rows, effects["dev"].rows) == (TEST, 8)
    assert effects["test"].points == pytest.approx(100 * 6 / TEST)
    assert mcnemar(6, 0) < 0.05 < mcnemar(5, 0)
    assert effects["dev"].points == pytest.approx(28.5, abs=0.1)  # Wilson's, of 4 in 8


def test_splits_too_small_for_the_effect_that_is_wanted(told):
    budget = {"queries": 10_000}
    assert codes(told(points=31, budget=budget)) == []
    assert codes(told(points=29, budget=budget)) == ["test_too_small"]
    found = told(points=5, budget=budget)
    assert codes(found) == ["dev_too_small", "test_too_small"]
    assert "8 rows cannot tell an effect of 5 points from chance" in found.warnings[0].message
    assert "the smallest is 30.0 points" in found.warnings[1].message


def test_nobody_knows_before_any_job(told):
    found = told()
    assert (found.seconds, found.tokens, found.cost, found.basis) == (None,) * 4
    assert found.currency is None


def test_seconds_are_those_of_earlier_jobs_on_the_endpoint(told, past):
    for number, seconds in enumerate((5.0, 10.0, 40.0)):
        past(number, seconds=seconds)
    past(9, seconds=9_000.0, endpoint="digits-clip")
    found = told()
    each = Range(0.005, 0.01, 0.04)
    assert found.seconds == each.times(found.queries)
    assert (found.basis, found.tokens) == ("earlier jobs", None)


def test_jobs_on_the_same_dataset_are_better_witnesses(told, past):
    past(1, seconds=1.0, dataset="tickets")
    assert told().seconds.typical == pytest.approx(0.001 * told().queries.typical)
    past(2, seconds=3.0)
    assert told().seconds.typical == pytest.approx(0.003 * told().queries.typical)


def test_jobs_that_have_not_begun_tell_nothing(told, past):
    past(1, queries=0, seconds=0.0)
    assert told().basis is None


def test_the_newest_jobs_tell(store, past):
    for number in range(10, 40):
        past(number, queries=number)
    assert [spent.timed_queries for spent in store.spent_on("minilm")] == list(range(39, 19, -1))


def test_tokens_and_cost_of_earlier_jobs(told, past, hosted):
    """Remembered answers are reckoned as if they had been paid for; the report's queries count."""
    past(
        1,
        endpoint="hosted",
        queries=960,
        requests=750,
        recalled=250,
        tokens_in=60_000,
        tokens_out=15_000,
        cost=round(0.3 * PICO),
    )
    found = told(endpoint="hosted")
    of_all = found.queries.plus(Range(2 * TEST, 2 * TEST, 2 * TEST))
    assert found.tokens.typical == pytest.approx(100 * of_all.typical)
    assert found.cost.ceiling == pytest.approx(0.0004 * of_all.ceiling)
    assert (found.currency, found.basis) == ("EUR", "earlier jobs")


def test_a_job_all_of_whose_answers_were_remembered_has_no_price(told, past, hosted):
    past(1, endpoint="hosted", requests=0, recalled=900)
    found = told(endpoint="hosted")
    assert (found.tokens, found.cost, found.basis) == (None, None, "earlier jobs")
    assert found.seconds is not None


@pytest.mark.parametrize(("rung", "requests"), [("top", 1), ("sequence", 2), ("samples", 3)])
def test_tokens_by_the_lengths_of_texts(rung, requests, told, hosted):
    hosted(rung, input_price=2.0, output_price=8.0, samples=3)
    found = told(endpoint="hosted", task={"template": "{prompt} {text}"})
    n = found.queries.typical + 2 * TEST
    reads = sum(LETTERS) / len(LETTERS) / 4 * requests
    assert found.tokens.typical == pytest.approx(n * (reads + requests))
    assert found.cost.typical == pytest.approx(n * (2e-6 * reads + 8e-6 * requests))
    assert found.tokens.low < found.tokens.typical < found.tokens.ceiling
    most = found.queries.ceiling + 2 * TEST
    assert found.tokens.ceiling == pytest.approx(most * requests * (max(LETTERS) + 64 + 1))
    assert (found.basis, found.seconds) == ("lengths of texts", None)


@pytest.mark.parametrize(
    ("prices", "currency"),
    [({}, None), ({"input_price": 1.0, "output_price": 2.0, "currency": "EUR"}, "EUR")],
)
def test_the_currency_is_the_writer_s_where_it_alone_is_paid(prices, currency, told, database):
    facts = {"capabilities": ["text_prompts", "generation"], "rung": "top"}
    row = EndpointRow(id="writes", kind="openai", model="m", options=prices, probed=facts)
    with database.writing() as session:
        session.add(row)
    asked = {"method": {"name": "llm", "writer": "writes"}, "budget": {"queries": 5000}}
    assert told(**asked).currency == currency


def test_without_prices_there_is_no_cost(told, hosted):
    hosted()
    found = told(endpoint="hosted")
    assert (found.cost, found.currency) == (None, None)
    assert found.tokens is not None


@pytest.mark.parametrize(
    ("wall", "most"), [("tokens", 1_000), ("cost", 0.0001), ("seconds", 0.001)]
)
def test_a_wall_that_may_come_before_the_budget_s_end(wall, most, told, hosted, past):
    past(1, endpoint="hosted", requests=1000, tokens_in=60_000, cost=PICO)
    budget = {"queries": 10_000}
    free = told(endpoint="hosted", budget=budget)
    walled = told(endpoint="hosted", budget=budget | {wall: most})
    assert "wall_first" not in codes(free)
    assert "wall_first" in codes(walled)
    assert f"wall of {wall}" in walled.warnings[0].message
    assert getattr(free, wall).ceiling > most == getattr(walled, wall).ceiling
    assert "wall_first" not in codes(told(endpoint="hosted", budget=budget | {wall: 10**6}))


def test_a_writer_that_is_not_in_the_estimate_is_named(told, past, hosted, database):
    with database.writing() as session:
        row = session.get(EndpointRow, ("default", "hosted"))
        row.probed = row.probed | {"capabilities": ["generation", "text_prompts"]}
        session.add(row)
    changes = {"endpoint": "hosted", "method": {"name": "llm", "writer": "hosted"}}
    assert "writer_not_counted" in codes(told(**changes))
    past(1, endpoint="hosted", requests=10, tokens_in=10)
    assert "writer_not_counted" not in codes(told(**changes))


def test_the_estimate_is_kept_with_the_job_and_in_its_report(store, queue, catalog):
    spec = complete(JobSpec.model_validate(COLORS), catalog)
    job = store.enqueue(spec, estimate={"queries": 5})
    assert store.job(job.id).estimate == {"queries": 5}
    queue.finish(queue.claim("a"), Ending("succeeded", "budget_spent", report={"p_value": 1.0}))
    assert store.report(job.id).body == {"p_value": 1.0, "estimate": {"queries": 5}}
