"""Jobs on an API in a real browser: what they spend, why they pause, and how they are started."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import endpoint_samples, samples
from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.test_dashboard import open_form
from tests.web.test_job_page import fact, visit, visit_live

pytestmark = pytest.mark.browser


@pytest.fixture
def hosted(site: Site) -> samples.Object:
    site.api.endpoints["hosted"] = endpoint_samples.hosted()
    return site.api.endpoints["hosted"]


def running(site: Site, **more: object) -> str:
    job_id = site.api.add(samples.job("job_api", "running", **{**samples.on_api(), **more}))
    site.api.begin(job_id)
    site.api.advance(job_id, 2, "text")
    return job_id


@pytest.mark.usefixtures("hosted")
def test_what_was_spent_is_told_with_units(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    fact(page, "usage.requests").to_have_text("5,321")
    fact(page, "usage.recalled").to_have_text("919")
    fact(page, "tokens").to_have_text("417,666 of 900,000")
    fact(page, "cost").to_have_text("0.0434 of 1.50 EUR")
    expect(page.locator("#spent")).to_contain_text("412,345 read, 5,321 written")
    expect(page.locator("#spent")).to_contain_text("log-probabilities among the likeliest tokens")
    site.api.jobs[job_id]["usage"] |= {"cost": 12.3456, "tokens_in": 500_000}
    site.api.advance(job_id)
    fact(page, "cost").to_have_text("12.35 of 1.50 EUR")
    fact(page, "tokens").to_have_text("505,321 of 900,000")


def test_a_job_without_an_api_has_spent_nothing_to_tell(page: Page, site: Site) -> None:
    job_id = site.api.add(samples.job("job_live", "running"))
    site.api.begin(job_id)
    visit(page, site, job_id)
    expect(page.locator("#spent")).to_be_hidden()
    expect(page.locator("#pause")).to_be_hidden()


def test_without_prices_or_endpoint_the_cost_says_so(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 404")
    usage = samples.on_api()["usage"]
    visit(page, site, running(site, usage={**usage, "cost": 0.0}))
    fact(page, "cost").to_have_text("no prices known")
    visit(page, site, running(site))  # its endpoint is gone, and with it the currency
    fact(page, "cost").to_have_text("0.0434 of 1.50 ")


@pytest.mark.usefixtures("hosted")
def test_a_paused_job_says_why_and_until_when_and_is_resumed(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    site.api.pause(job_id)
    pause = page.locator("#pause")
    at = page.evaluate("new Date('2026-11-21T14:05:10Z').toLocaleTimeString('en-GB')")
    expect(pause).to_contain_text(f"Paused until {at}: the endpoint does not answer")
    expect(pause).to_contain_text("nobody answers at http://127.0.0.1:8080/v1")
    expect(page.locator("#status")).to_have_text("paused")
    page.locator("#resume").focus()
    page.keyboard.press("Enter")
    expect(pause).to_be_hidden()
    fact(page, "phase").to_have_text("Waiting for a runner")
    assert site.api.jobs[job_id]["status"] == "queued"


@pytest.mark.usefixtures("hosted")
def test_a_refused_resume_is_told(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 409")
    job_id = running(site)
    site.api.pause(job_id)
    visit_live(page, site, job_id)
    site.api.jobs[job_id]["status"] = "running"
    page.get_by_role("button", name="Resume now").click()
    expect(page.locator("#problem")).to_contain_text("Only a paused job can be resumed.")


@pytest.mark.usefixtures("hosted")
def test_a_result_that_was_not_measured_says_why(page: Page, site: Site) -> None:
    job_id = running(site)
    site.api.finish(job_id, "not_measured")
    visit(page, site, job_id)
    expect(page.locator("#verdict-title")).to_have_text("Not measured")
    expect(page.locator("#verdict")).to_contain_text("the budget of cost left too little for it")
    expect(page.locator("#verdict .facts")).to_be_hidden()
    expect(page.locator("#report")).to_be_hidden()
    page.goto(site.url, wait_until="domcontentloaded")
    expect(page.locator(f"[data-item={job_id}]")).to_contain_text("not measured")


@pytest.mark.usefixtures("hosted")
def test_budgets_of_tokens_and_money_only_for_an_api_with_prices(page: Page, site: Site) -> None:
    site.api.endpoints["free"] = endpoint_samples.hosted("free", output_price=None)
    open_form(page, site)
    tokens, money = page.locator("#tokens"), page.locator("#cost")
    expect(tokens).to_be_hidden()
    expect(money).to_be_hidden()
    page.get_by_label("Endpoint").select_option("free")
    expect(tokens).to_be_visible()
    expect(money).to_be_hidden()
    page.get_by_label("Endpoint").select_option("hosted")
    page.get_by_label("Method").select_option("grips")
    page.get_by_label("Budget (EUR, optional)").fill("1.5")
    tokens.fill("100000")
    page.get_by_label("Answers asked before").select_option("refresh")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    body = site.api.posted[0]
    assert body["budget"] == {"queries": 40000, "tokens": 100_000, "cost": 1.5}
    assert (body["cache"], body["method"]) == ("refresh", {"name": "grips", "preset": "paper"})
    assert "template" not in body["task"]  # the service knows the usual one of the endpoint


@pytest.mark.usefixtures("hosted")
def test_walls_that_are_hidden_are_not_sent(page: Page, site: Site) -> None:
    open_form(page, site)
    page.get_by_label("Endpoint").select_option("hosted")
    page.locator("#cost").fill("1.5")
    page.get_by_label("Endpoint").select_option("minilm")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    assert site.api.posted[0]["budget"] == {"queries": 40000}


@pytest.mark.usefixtures("hosted")
def test_a_job_is_repeated_with_all_that_it_was_asked(page: Page, site: Site) -> None:
    method = {"name": "bbt", "preset": "fast", "population_size": 20, "intrinsic_dim": 7}
    spec = {**samples.on_api()["spec"], "endpoint": "minilm", "method": method}
    spec["task"] |= {"template": "{prompt}\n\n{text}", "baseline": "Which?"}
    spec["task"]["verbalizer"] |= {"Login": "sign in"}
    job_id = site.api.add(samples.job("job_old", "cancelled", spec=spec))
    page.goto(f"{site.url}/jobs/new?from={job_id}", wait_until="domcontentloaded")
    expect(page.get_by_label("Preset")).to_have_value("fast")
    expect(page.locator("#setting-intrinsic_dim")).to_have_value("7")
    expect(page.locator("#setting-population_size")).to_have_value("")  # as the preset has it
    expect(page.get_by_label("Login")).to_have_value("sign in")
    expect(page.locator("#cache")).to_have_value("")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_001", wait_until="commit")
    body = site.api.posted[0]
    assert body["method"] == {"name": "bbt", "preset": "fast", "intrinsic_dim": 7}
    assert body["task"] == spec["task"]
