"""The page of one job in a real browser: live numbers, lost connections, every state."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web import samples
from tests.web.browser import Complaints
from tests.web.conftest import Site

pytestmark = pytest.mark.browser
with_plotly = pytest.mark.usefixtures("real_plotly")

HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
DROPPED = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "status of 503"]


def running(site: Site, n: int = 3, kind: str = "soft", **more: object) -> str:
    job_id = site.api.add(samples.job("job_live", "running", **more))
    site.api.begin(job_id)
    site.api.advance(job_id, n, kind)
    return job_id


def visit(page: Page, site: Site, job_id: str) -> None:
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("#body")).to_be_visible()


def visit_live(page: Page, site: Site, job_id: str) -> None:
    visit(page, site, job_id)
    expect(page.locator("#job[data-connection=live]")).to_be_visible()
    assert site.api.caught_up.wait(5)


def fact(page: Page, name: str) -> object:
    return expect(page.locator(f"[data-field='{name}']").first)


def curve_points(page: Page) -> int:
    return int(page.evaluate("document.getElementById('figure-loss').data[0].x.length"))


@with_plotly
def test_numbers_and_curves_move_without_a_reload(page: Page, site: Site) -> None:
    job_id = running(site)
    visit(page, site, job_id)
    page.evaluate("window.notReloaded = true")
    fact(page, "generation").to_have_text("3")
    fact(page, "queries").to_have_text("6,240 of 40,000")
    fact(page, "progress.queries_per_second").to_have_text("395 queries/s")
    page.wait_for_selector("#figure-accuracy .main-svg")
    site.api.advance(job_id, 2)
    fact(page, "generation").to_have_text("5")
    fact(page, "incumbent.dev_accuracy").to_have_text(re.compile(r"^\d\d\.\d\s%$"))
    page.wait_for_function("() => document.getElementById('figure-loss').data[0].x.length === 5")
    assert page.evaluate("window.notReloaded")
    assert curve_points(page) == 5


def test_one_event_source_closed_while_hidden(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    assert site.api.streams == 1
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.evaluate(HIDE, True)
    site.api.advance(job_id)
    with page.expect_response(lambda answer: "/events?after=5" in answer.url):
        page.evaluate(HIDE, False)
    fact(page, "generation").to_have_text("4")
    assert len(site.api.opened) == 2
    assert site.api.streams == 1


def test_a_dropped_stream_is_resumed_after_its_last_event(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += DROPPED
    job_id = running(site)
    visit_live(page, site, job_id)
    site.api.refuse_streams = True
    site.api.drop_streams()
    expect(page.get_by_text("Connection lost: reconnecting…")).to_be_visible()
    site.api.refuse_streams = False
    expect(page.get_by_text("Connection lost")).to_be_hidden()
    site.api.advance(job_id)
    fact(page, "generation").to_have_text("4")
    expect(page.get_by_text("champion of generation 4")).to_be_visible()
    assert site.api.opened == [0, 5]


def test_without_a_stream_the_page_polls_and_sees_the_end(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += DROPPED
    site.api.refuse_streams = True
    job_id = running(site)
    visit(page, site, job_id)
    expect(page.get_by_text("asking every 2 seconds")).to_be_visible()
    site.api.advance(job_id)
    fact(page, "generation").to_have_text("4")
    site.api.finish(job_id)
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.get_by_text("asking every 2 seconds")).to_be_hidden()


def test_queued_then_baseline_then_first_generation(page: Page, site: Site) -> None:
    job_id = site.api.add(samples.job("job_live"))
    visit(page, site, job_id)
    fact(page, "phase").to_have_text("Waiting for a runner")
    fact(page, "incumbent.dev_accuracy").to_have_text("–")
    expect(page.locator("#try-button")).to_be_disabled()
    site.api.jobs[job_id]["status"] = "running"
    site.api.events[job_id].append(("status", {"status": "running", "job": site.api.jobs[job_id]}))
    fact(page, "phase").to_have_text("Measuring the baseline first")
    site.api.begin(job_id)
    fact(page, "baseline.dev_accuracy").to_have_text("72.9\u00a0%")
    site.api.advance(job_id)
    fact(page, "phase").to_have_text("Searching")
    expect(page.locator("#try-button")).to_be_enabled()


@with_plotly
def test_the_end_shows_the_report_and_closes_the_stream(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    site.api.finish(job_id)
    expect(page.locator("#verdict-title")).to_have_text("Improved")
    fact(page, "difference").to_have_text("+14.7\u00a0points")
    fact(page, "result.p_value").to_have_text("< 0.001")
    expect(page.locator("#scores")).to_contain_text("83.7 to 90.5\u00a0%")
    expect(page.locator("#changed tbody tr")).to_have_count(10)
    expect(page.get_by_role("link", name="Show all\u00a024")).to_be_visible()
    expect(page.locator("#confusion tbody td").first).to_have_text("54")
    page.get_by_label("Baseline", exact=True).check(force=True)
    expect(page.locator("#confusion tbody td").first).to_have_text("44")
    page.wait_for_selector("#figure-comparison .main-svg")
    expect(page.locator("#changed tbody th").first).to_have_text(samples.SCRIPT)
    assert site.api.streams == 0
    assert len(site.api.opened) == 1


def test_no_improvement_is_said_out_loud(page: Page, site: Site) -> None:
    job_id = running(site)
    site.api.finish(job_id, "no_improvement")
    visit(page, site, job_id)
    expect(page.locator("#verdict-title")).to_have_text("No improvement")
    expect(page.locator("#verdict")).to_contain_text("chance alone explains")
    assert site.api.opened == []


def test_a_failed_job_says_why_and_what_to_do(page: Page, site: Site) -> None:
    job_id = running(site)
    site.api.fail(job_id)
    visit(page, site, job_id)
    expect(page.locator("#failure")).to_contain_text("gave no number for 3 of 96 rows")
    expect(page.locator("#failure")).to_contain_text("Run again")
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_label("Budget (queries)")).to_have_value("40000")


def test_cancel_asks_first_and_works_by_keyboard(page: Page, site: Site) -> None:
    job_id = running(site)
    visit(page, site, job_id)
    page.locator("#cancel").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # "Keep running" has the focus
    expect(page.locator("#confirm")).to_be_hidden()
    assert site.api.jobs[job_id]["status"] == "running"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("cancelled")
    fact(page, "phase").to_contain_text("best prompt so far is kept")


def test_an_unknown_job_shows_the_apis_message(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 404")
    page.goto(f"{site.url}/jobs/nope", wait_until="domcontentloaded")
    expect(page.locator("#missing")).to_contain_text("There is no job nope.")
    expect(page.locator("#missing")).to_contain_text("req_0042")


def test_a_soft_prompt_is_marked_as_vectors_and_a_text_prompt_is_text(
    page: Page, site: Site
) -> None:
    job_id = running(site)
    visit(page, site, job_id)
    expect(page.locator("#words li").first).to_have_text("refund0.41")
    expect(page.get_by_text("the model reads vectors, not these words")).to_be_visible()
    expect(page.get_by_role("link", name="Prompt (safetensors)")).to_be_visible()
    site.api.advance(job_id, 1, "text")
    expect(page.locator("#prompt-text")).to_have_text(
        "Which team should answer this support ticket?"
    )
    expect(page.get_by_role("link", name="Prompt (safetensors)")).to_be_hidden()


def test_trying_a_text_on_both_prompts(page: Page, site: Site) -> None:
    visit(page, site, running(site))
    page.get_by_label("text", exact=True).fill("Where is my refund?")
    page.get_by_role("button", name="Ask both prompts").click()
    expect(page.locator("#answers .answer")).to_have_text(["Billing", "Bug report"])
    expect(page.locator("#answers")).to_contain_text("91.0\u00a0%")
    assert site.api.predicted == [{"inputs": [{"text": "Where is my refund?"}], "baseline": True}]


def test_spec_and_curl_are_complete_and_inert(page: Page, site: Site) -> None:
    visit(page, site, running(site, name=f"it's {samples.SCRIPT}"))
    expect(page.locator("#job h1")).to_contain_text(samples.SCRIPT)
    page.get_by_text("The same job with curl").click()
    expect(page.locator("#curl")).to_contain_text(f"curl -X POST {site.url}/api/jobs")
    expect(page.locator("#curl")).to_contain_text(r"it'\''s <script>")


def test_eight_tabs_stay_alive_when_seven_are_hidden(page: Page, site: Site) -> None:
    job_id = running(site)
    tabs = [page.context.new_page() for _ in range(8)]
    for tab in tabs:
        visit(tab, site, job_id)
        expect(tab.locator("[data-field=generation]")).to_have_text("3")
        if tab is not tabs[-1]:
            tab.evaluate(HIDE, True)
    site.api.advance(job_id)
    expect(tabs[-1].locator("[data-field=generation]")).to_have_text("4")
