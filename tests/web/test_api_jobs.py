"""Jobs on an API in a real browser: what they spend, why they pause, and how they are started."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.forms import choose, open_form, start
from tests.web.steps import fact, visit, visit_live

pytestmark = pytest.mark.browser

GRIPS = {"name": "grips", "preset": "paper"}
WALLS = {"queries": 40_000, "tokens": 900_000, "cost": 1.5}
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def hosted(site: Site) -> str:
    return site.stage.endpoint("hosted")


def running(site: Site, **spec: Any) -> str:
    job_id = site.stage.job(**{"endpoint": "hosted", "method": GRIPS, "budget": WALLS, **spec})
    site.stage.begin(job_id)
    site.stage.advance(job_id, 2, "text")
    return job_id


@pytest.mark.usefixtures("hosted")
def test_what_was_spent_is_told_with_units(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    usage = site.stage.get(f"/api/jobs/{job_id}")["usage"]
    tokens = usage["tokens_in"] + usage["tokens_out"]
    expect(fact(page, "tokens")).to_have_text(f"{tokens:,} of 900,000")
    expect(fact(page, "cost")).to_have_text(f"{usage['cost']:.5f} of 1.50 EUR")
    spent = page.locator("#spent")
    expect(spent.locator("[data-item='Requests']")).to_contain_text(f"{usage['requests']:,}")
    expect(spent).to_contain_text(
        f"{usage['tokens_in']:,} were read and {usage['tokens_out']:,} written"
    )
    expect(spent).to_contain_text("log-probabilities among the likeliest tokens")
    site.stage.advance(job_id, 1, "text")
    later = site.stage.get(f"/api/jobs/{job_id}")["usage"]
    assert later["tokens_in"] > usage["tokens_in"]
    tokens = later["tokens_in"] + later["tokens_out"]
    expect(fact(page, "tokens")).to_have_text(f"{tokens:,} of 900,000")


@pytest.mark.usefixtures("hosted")
def test_the_estimate_stands_beside_what_was_spent(page: Page, site: Site) -> None:
    job_id = running(site)
    visit(page, site, job_id)
    expected = site.stage.get(f"/api/jobs/{job_id}")["estimate"]
    cells = page.locator("#spent [data-item='Queries on train and dev'] td")
    figures = [f"{expected['queries'][part]:,.0f}" for part in ("low", "typical", "ceiling")]
    expect(cells).to_have_text([fact(page, "queries").inner_text()[:5], *figures, "40,000"])


def test_a_job_without_an_api_has_paid_for_nothing(page: Page, site: Site) -> None:
    job_id = site.stage.job()
    site.stage.begin(job_id)
    visit(page, site, job_id)
    expect(fact(page, "cost")).to_have_count(0)
    expect(page.locator("#spent [data-item='Tokens']")).to_have_count(0)
    expect(page.locator("#paused")).to_have_count(0)


def test_without_prices_the_cost_says_so(page: Page, site: Site) -> None:
    site.stage.endpoint("free", input_price=None, output_price=None)
    visit(page, site, running(site, endpoint="free", budget={"queries": 9000}))
    expect(fact(page, "cost")).to_have_text("no prices known")


@pytest.mark.usefixtures("hosted")
def test_a_deleted_endpoint_is_told_and_its_currency_kept(page: Page, site: Site) -> None:
    job_id = running(site)
    site.stage.end(job_id, "cancelled")
    site.stage.delete("/api/endpoints/hosted")
    visit(page, site, job_id)
    expect(page.locator(".meta").first).to_contain_text("hosted (deleted)")
    expect(fact(page, "cost")).to_contain_text("EUR")


@pytest.mark.usefixtures("hosted")
def test_a_paused_job_says_why_and_until_when_and_is_resumed(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    site.stage.pause(job_id)
    until = site.stage.get(f"/api/jobs/{job_id}")["retry_at"][11:19]
    pause = page.locator("#paused")
    expect(pause).to_contain_text(f"{until} UTC: the endpoint does not answer")
    expect(pause).to_contain_text("nobody answers at http://127.0.0.1:8080/v1")
    expect(page.locator("#status")).to_have_text("paused")
    expect(page).to_have_title(f"paused: {job_id} · Gradless")
    page.locator("#resume").focus()
    page.keyboard.press("Enter")
    expect(pause).to_have_count(0)
    expect(page.locator("#phase")).to_have_text("Waiting for a runner to go on")


@pytest.mark.usefixtures("hosted")
def test_a_refused_resume_is_told(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 409")
    job_id = running(site)
    site.stage.pause(job_id)
    visit(page, site, job_id)
    page.evaluate("document.querySelector('main').removeAttribute('data-refresh')")
    page.route(f"**/jobs/{job_id}", lambda route: route.abort())  # the page has not heard of it
    complaints.expected.append("net::ERR_FAILED")
    site.stage.post(f"/api/jobs/{job_id}/resume")
    page.get_by_role("button", name="Resume now").click()
    expect(page.locator("#problem")).to_contain_text("only a paused job can be resumed")


@pytest.mark.usefixtures("hosted")
def test_a_result_that_was_not_measured_says_why(page: Page, site: Site) -> None:
    job_id = running(site)
    site.stage.finish(job_id, "not_measured")
    visit(page, site, job_id)
    message = site.stage.get(f"/api/jobs/{job_id}")["result"]["message"]
    expect(page.locator("#verdict-title")).to_have_text("Not measured")
    expect(page.locator("#verdict")).to_contain_text(message)
    expect(page.locator("#verdict .facts")).to_have_count(0)
    expect(page.locator("#report")).to_have_count(0)


@pytest.mark.usefixtures("hosted")
def test_budgets_of_tokens_and_money_only_for_an_api_with_prices(page: Page, site: Site) -> None:
    site.stage.endpoint("free", input_price=None, output_price=None)
    open_form(page, site.url, "?dataset=tickets&endpoint=minilm")
    tokens, money = page.locator("#tokens"), page.locator("#cost")
    expect(tokens).to_be_hidden()
    expect(money).to_be_hidden()
    choose(page, "Endpoint", "free")
    expect(tokens).to_be_visible()
    expect(money).to_be_hidden()
    choose(page, "Endpoint", "hosted")
    money.fill("1.5")
    tokens.fill("100000")
    page.locator("#cache").select_option("refresh")
    body = start(page)
    assert body["budget"] == {"queries": 40000, "tokens": 100_000, "cost": 1.5}
    assert (body["cache"], body["endpoint"]) == ("refresh", "hosted")
    assert "template" not in body.get("task", {})  # the service knows the endpoint's usual one


@pytest.mark.usefixtures("hosted")
def test_walls_that_are_hidden_are_not_sent(page: Page, site: Site) -> None:
    open_form(page, site.url, "?dataset=tickets&endpoint=hosted")
    page.locator("#cost").fill("1.5")
    choose(page, "Endpoint", "minilm")
    assert start(page)["budget"] == {"queries": 40000}


@pytest.mark.usefixtures("hosted")
def test_a_job_is_repeated_with_all_that_it_was_asked(page: Page, site: Site) -> None:
    labels = site.stage.get("/api/datasets/tickets")["labels"]
    words = {label: label for label in labels} | {labels[0]: "sign in"}
    task = {"template": "{prompt}\n\n{text}", "baseline": "Which?", "verbalizer": words}
    method = {"name": "bbt", "preset": "fast", "intrinsic_dim": 7}
    old = site.stage.job(endpoint="minilm", method=method, task=task)
    visit(page, site, old)
    page.get_by_role("link", name="Run again…").click()
    expect(page.locator("#setting-intrinsic_dim")).to_have_value("7")
    expect(page.get_by_label(labels[0], exact=True)).to_have_value("sign in")
    expect(page.locator("#python")).to_contain_text("client.tune")
    body = start(page)
    assert body["method"] == method
    first, again = (job["spec"] for job in site.stage.get("/api/jobs")["data"])
    assert first == again
