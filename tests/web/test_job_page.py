"""The page of one job in a real browser: live numbers, lost connections, every state."""

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import eventually
from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import Site
from tests.web.steps import DROPPED, HIDE, fact, running, visit, visit_live

pytestmark = pytest.mark.browser
with_plotly = pytest.mark.usefixtures("real_plotly")

NBSP = "\N{NO-BREAK SPACE}"


@with_plotly
def test_numbers_and_curves_move_without_a_reload(page: Page, site: Site) -> None:
    job_id = running(site)
    visit(page, site, job_id)
    page.evaluate("window.notReloaded = true")
    expect(fact(page, "generation")).to_have_text("3")
    expect(fact(page, "queries")).to_have_text("5,088 of 40,000")
    expect(fact(page, "speed")).to_have_text(f"395{NBSP}queries/s")
    page.wait_for_selector("#figure-accuracy .main-svg")
    site.stage.advance(job_id, 2)
    expect(fact(page, "generation")).to_have_text("5")
    expect(fact(page, "incumbent")).to_have_text(re.compile(r"^\d\d\.\d\s%$"))
    points = "document.querySelector('#figure-loss .plot').data[0].x.length"
    page.wait_for_function(f"() => {points} === 5")
    assert page.evaluate("window.notReloaded")
    assert page.title().startswith(f"20.9{NBSP}% job_")


def test_what_a_reader_has_opened_and_typed_stays(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    page.get_by_text("Specification (JSON)").click()
    page.get_by_label("text", exact=True).fill("half a question")
    site.stage.advance(job_id)
    expect(fact(page, "generation")).to_have_text("4")
    expect(page.locator("#specification pre")).to_be_visible()
    expect(page.get_by_label("text", exact=True)).to_have_value("half a question")
    expect(page.get_by_label("text", exact=True)).to_be_focused()


def test_one_event_source_closed_while_hidden(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    assert site.wire.streams == 1
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.evaluate(HIDE, True)
    site.stage.advance(job_id)
    page.evaluate(HIDE, False)
    expect(fact(page, "generation")).to_have_text("4")
    eventually(lambda: site.wire.streams == 1)
    assert len(site.wire.opened) == 2


def test_nothing_that_the_page_shows_is_streamed_again(page: Page, site: Site) -> None:
    job_id = running(site)
    last = site.stage.get(f"/api/jobs/{job_id}/log")["data"][-1]["id"]
    visit_live(page, site, job_id)
    assert site.wire.opened == [last]


def test_however_fast_events_come_the_page_is_written_twice_a_second(
    page: Page, site: Site
) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    begun, first = time.monotonic(), len(site.wire.asked)
    for _ in range(30):
        site.stage.advance(job_id)
        page.wait_for_timeout(100)
    expect(fact(page, "generation")).to_have_text("33")
    looks = site.wire.asked[first:].count(f"GET /jobs/{job_id}")
    seconds = time.monotonic() - begun
    assert looks <= 2 + seconds / 0.5 + seconds / 5, "and every 5 seconds in any case"


def test_a_dropped_stream_is_resumed_after_its_last_event(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += DROPPED
    job_id = running(site)
    visit_live(page, site, job_id)
    with page.expect_response(lambda answer: answer.url.endswith(job_id)):
        site.stage.advance(job_id)
    site.wire.refuse_streams = True
    site.wire.drop_streams()
    expect(page.get_by_text("Connection lost: reconnecting…")).to_be_visible()
    site.wire.refuse_streams = False
    expect(page.get_by_text("Connection lost")).to_be_hidden()
    site.stage.advance(job_id)
    expect(fact(page, "generation")).to_have_text("5")
    first, *_, last = site.wire.opened
    assert last == first + 1, "the one event that it had been told"


def test_without_a_stream_the_page_polls_and_sees_the_end(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += DROPPED
    site.wire.refuse_streams = True
    job_id = running(site)
    visit(page, site, job_id)
    expect(page.get_by_text("asking every 2 seconds")).to_be_visible()
    site.stage.advance(job_id)
    expect(fact(page, "generation")).to_have_text("4")
    site.stage.finish(job_id)
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.get_by_text("asking every 2 seconds")).to_be_hidden()


def test_while_the_service_is_away_the_page_stays_and_then_goes_on(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += DROPPED
    job_id = running(site)
    visit_live(page, site, job_id)
    site.wire.away = True
    site.wire.drop_streams()
    expect(page.get_by_text("Connection lost: reconnecting…")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#problem")).to_have_text("The service is away.")
    expect(page.locator("#away")).to_contain_text("The service does not answer", timeout=10_000)
    expect(fact(page, "generation")).to_have_text("3")
    site.wire.away = False
    site.stage.advance(job_id)
    expect(fact(page, "generation")).to_have_text("4", timeout=10_000)
    expect(page.get_by_text("Connection lost")).to_be_hidden()
    expect(page.locator("#away")).to_be_hidden()


def test_queued_then_baseline_then_first_generation(page: Page, site: Site) -> None:
    job_id = site.stage.job()
    visit_live(page, site, job_id)
    phase = page.locator("#phase")
    expect(phase).to_have_text("Waiting for a runner")
    expect(fact(page, "incumbent")).to_have_text("–")
    expect(page.locator("#try-button")).to_be_disabled()
    expect(page.get_by_text("Give it a name")).to_be_hidden()
    site.stage.begin(job_id)
    expect(fact(page, "baseline")).to_have_text(f"72.9{NBSP}%")
    expect(phase).to_have_text("In the first generation")
    site.stage.advance(job_id)
    expect(phase).to_have_text("Searching")
    expect(page.locator("#try-button")).to_be_enabled()


def test_without_a_runner_the_page_says_so_until_one_lives(page: Page, site: Site) -> None:
    site.stage.runner_alive = False
    page.clock.install()
    visit(page, site, site.stage.job())
    expect(page.locator("#alone")).to_contain_text("No runner is alive")
    site.stage.runner_alive = True
    page.clock.run_for(5000)
    expect(page.locator("#alone")).to_have_count(0)


@with_plotly
def test_the_end_shows_the_report_and_closes_the_stream(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    site.stage.finish(job_id)
    expect(page.locator("#verdict-title")).to_have_text("Improved")
    expect(page.locator("#verdict")).to_contain_text(f"+14.7{NBSP}points")
    expect(page.locator("#verdict")).to_contain_text("< 0.001")
    expect(page.locator("#scores")).to_contain_text(f"83.7 to 90.5{NBSP}%")
    report = site.stage.get(f"/api/jobs/{job_id}/report")
    rows = page.locator("#changed tbody tr")
    expect(rows).to_have_count(10 + len(report["kept"]))
    expect(page.get_by_role("link", name="Show all")).to_be_visible()
    for side, other in (("tuned", "baseline"), ("baseline", "tuned")):
        page.get_by_label(side.capitalize(), exact=True).check(force=True)
        expect(page.locator(f"[data-side={other}]")).to_be_hidden()
        first = page.locator(f"[data-side={side}] tbody td").first
        expect(first).to_have_text(str(report[side]["confusion"][0][0]))
    page.wait_for_selector("#figure-comparison .main-svg")
    eventually(lambda: site.wire.streams == 0)
    assert len(site.wire.opened) == 1
    expect(page).to_have_title(re.compile("^improved: job_"))


def test_no_improvement_is_said_out_loud(page: Page, site: Site) -> None:
    job_id = running(site)
    site.stage.finish(job_id, "no_improvement")
    visit(page, site, job_id)
    expect(page.locator("#verdict-title")).to_have_text("No improvement")
    expect(page.locator("#verdict")).to_contain_text("could not be chance")
    assert site.wire.opened == []


def test_a_failed_job_says_why_and_what_to_do(page: Page, site: Site) -> None:
    job_id = running(site)
    site.stage.fail(job_id)
    visit(page, site, job_id)
    expect(page.locator("#failure")).to_contain_text("gave no number for 3 of 96 rows")
    expect(page.locator("#failure")).to_contain_text("Run again")
    page.get_by_role("link", name="Run again…").click()
    expect(page.locator("#queries")).to_have_value("40000")


def test_cancel_asks_first_and_works_by_keyboard(page: Page, site: Site) -> None:
    job_id = running(site)
    visit_live(page, site, job_id)
    page.locator("#cancel").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # "Keep it" has the focus
    expect(page.locator("#confirm-cancel")).to_be_hidden()
    assert not [asked for asked in site.wire.asked if asked.endswith("/cancel")]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    with page.expect_response("**/cancel"):
        page.keyboard.press("Enter")
    site.stage.heed(job_id)
    expect(page.locator("#status")).to_have_text("cancelled")
    expect(page.locator("#phase")).to_contain_text("best prompt so far is kept")


def test_pause_resume_and_delete(page: Page, site: Site) -> None:
    job_id = site.stage.job()
    visit_live(page, site, job_id)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#paused-title")).to_have_text("Paused until somebody resumes it")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#status")).to_have_text("queued")
    site.stage.end(job_id, "cancelled")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete job").click()
    page.wait_for_url("**/jobs", wait_until="domcontentloaded")
    assert site.stage.get("/api/jobs")["data"] == []


def test_an_unknown_job_shows_the_apis_message(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 404")
    page.goto(f"{site.url}/jobs/nope", wait_until="domcontentloaded")
    expect(page.locator("main")).to_contain_text("no job 'nope'")


@pytest.mark.parametrize("outcome", ["improved", "not_measured"])
def test_a_small_screen_and_no_script(chromium: Browser, site: Site, outcome: str) -> None:
    job_id = running(site, 3, "text", "word" * 25)
    site.stage.finish(job_id, outcome)
    for script in (True, False):
        page = chromium.new_page(java_script_enabled=script, viewport={"width": 390, "height": 844})
        for path in ("", "/report") if outcome == "improved" else ("",):
            page.goto(f"{site.url}/jobs/{job_id}{path}", wait_until="domcontentloaded")
            expect(page.locator("#figure-loss")).to_be_visible()
            assert width_of(page) <= 390
        close(page.context)
    assert [asked for asked in site.wire.asked if "loss?format=svg" in asked]
