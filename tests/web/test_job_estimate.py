"""Beside the form of a new job: what it will take, the same from a program, one job a click."""

import json
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.forms import TICKETS, open_form, start, told

pytestmark = pytest.mark.browser

Object = dict[str, Any]

PROMPT = 'It\'s “so”: \\ "quoted",\nwith $HOME and ümlauts'
LOST = """() => {  // the service does its work, and its answer gets lost
    window.keys = [];
    window.whole = window.fetch;
    window.fetch = async (address, init) => {
        const answer = await window.whole(address, init);
        if (address !== '/api/jobs') return answer;
        window.keys.push(init.headers['idempotency-key']);
        throw new TypeError('lost');
    };
}"""


def test_the_estimate_follows_what_is_typed_and_is_the_apis_own(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    body = {
        "dataset": "tickets",
        "endpoint": "minilm",
        "method": {"name": "bbt", "preset": "fast"},
        "budget": {"queries": 40_000},
    }
    expected = site.stage.post("/api/jobs/estimate", body)
    typical = f"{expected['queries']['typical']:,.0f}"
    expect(told(page, "queries").locator("b")).to_have_text(typical)
    expect(told(page, "generations").locator("b")).to_have_text(str(expected["generations"]))
    expect(told(page, "seconds")).to_contain_text("not known yet")
    expect(told(page, "tokens")).to_be_hidden()
    expect(told(page, "effect").locator("b")).to_have_text("1.7 points")
    expect(page.locator("#warnings")).to_be_hidden()
    page.get_by_label("Budget (queries)").fill("100")
    expect(page.locator("#warnings li").first).to_contain_text("less than one generation")
    expect(told(page, "generations").locator("b")).to_have_text("0")
    job = site.stage.job()
    site.stage.begin(job)
    site.stage.advance(job, 4)
    site.stage.finish(job)
    page.get_by_label("Budget (queries)").fill("50000")
    expect(told(page, "seconds").locator("b")).to_have_text("about 2 min")
    expect(page.locator("#warnings")).to_be_hidden()


def test_money_and_tokens_of_an_api_are_estimated_in_its_currency(page: Page, site: Site) -> None:
    site.stage.endpoint("hosted")
    open_form(page, site.url, "?dataset=tickets&endpoint=hosted")
    expect(told(page, "cost").locator("b")).to_contain_text("EUR")
    expect(told(page, "tokens")).to_contain_text(" to ")
    page.get_by_label("Budget (EUR, optional)").fill("0.001")
    expect(page.locator("#warnings")).to_contain_text("the wall of cost may end the job")
    expect(told(page, "cost").locator("b")).to_have_text("0.001 EUR")


def test_a_problem_is_told_before_anything_is_sent(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, site.url, TICKETS)
    page.get_by_label("Template").fill("{text} It was")
    expect(page.locator("#spec-problem")).to_contain_text("no {prompt} slot")
    expect(told(page, "queries").locator("b")).to_have_text("–")
    page.get_by_label("Template").fill("{text} {prompt}")
    expect(page.locator("#spec-problem")).to_be_hidden()
    expect(told(page, "queries").locator("b")).not_to_have_text("–")
    assert site.stage.get("/api/jobs")["data"] == []


def test_the_lines_of_python_and_of_a_shell_start_the_same_job(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    page.get_by_label("Baseline prompt").fill(PROMPT)
    page.get_by_label("Budget (seconds, optional)").fill("2.5")
    page.get_by_label("Seed").fill("7")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_label("sigma0").fill("0.5")
    page.get_by_label("Sales", exact=True).fill("shop's")
    python = page.locator("#python").text_content() or ""
    shell = page.locator("#curl").text_content() or ""
    start(page)
    lines = python.replace("print(job.wait().result.message)", "")
    assert lines != python, "there is no runner to wait for"
    assert f'Client("{site.url}")' in python
    named: Object = {}
    exec(lines, named)  # as a person would paste it
    named["client"].close()
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout)["object"] == "job", done.stdout
    first, *others = (job["spec"] for job in site.stage.get("/api/jobs")["data"])
    assert first["task"]["baseline"] == PROMPT
    assert first["budget"] == {"queries": 40000, "tokens": None, "cost": None, "seconds": 2.5}
    assert len(others) == 2 and all(other == first for other in others)


def test_where_a_key_is_wanted_the_lines_of_a_shell_hand_it_on(page: Page, site: Site) -> None:
    made = site.stage.post("/api/keys", {"name": "a writer", "role": "write"})
    open_form(page, site.url, TICKETS)
    expect(page.locator("#curl")).not_to_contain_text("authorization")
    page.set_extra_http_headers({"authorization": f"Bearer {made['key']}"})
    open_form(page, site.url, TICKETS)
    expect(page.locator("#curl")).to_contain_text("Bearer $GRADLESS_API_KEY")
    assert made["key"] not in page.content()


def test_lines_are_copied(page: Page, site: Site) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    open_form(page, site.url, TICKETS)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#python").text_content()


def test_a_retry_makes_no_second_job_and_a_change_makes_one(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    page.evaluate(LOST)
    button = page.get_by_role("button", name="Start job")
    button.click()
    expect(page.locator("#refusal")).to_contain_text("The service does not answer")
    button.click()
    expect(page.locator("#form[aria-busy]")).to_have_count(0)
    assert len(site.stage.get("/api/jobs")["data"]) == 1
    page.get_by_label("Name (optional)").fill("another")
    button.click()
    expect(page.locator("#form[aria-busy]")).to_have_count(0)
    assert len(site.stage.get("/api/jobs")["data"]) == 2
    keys = page.evaluate("window.keys")
    page.evaluate("() => { window.fetch = window.whole; }")
    button.dblclick()
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")
    assert len(site.stage.get("/api/jobs")["data"]) == 2
    assert keys[0] == keys[1] != keys[2]
