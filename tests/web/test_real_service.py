"""The dashboard on the real service: what a newcomer does, in the order in which it is done."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.model_servers import llama_server
from tests.servers import Service
from tests.test_generation_jobs import verdicts_csv
from tests.tiny_llama import tiny_llama
from tests.web.browser import Complaints, close
from tests.web.forms import beside, choose, open_form, tab_to
from tests.web.steps import fact

pytestmark = pytest.mark.browser

TICKETS = 96  # rows in train, and in dev
QUERIES = 2 * TICKETS + 3 * (4 * TICKETS + TICKETS)  # the baseline, and three generations
SOON, LATER = 15_000, 60_000  # ms, on a machine that may be busy
BROKEN = b"text,label\nhello,yes\n,no\n"


@pytest.fixture
def page(chromium: Browser, real: Service, complaints: Complaints) -> Iterator[Page]:
    """A page of the real service that fails its test on any complaint of the browser."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(SOON)
    complaints.listen(page, real.url)
    yield page
    close(page.context)
    assert complaints.unexpected() == []


def type_into(page: Page, name: str, text: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def start_by_keyboard(page: Page, name: str, queries: int) -> None:
    """A job of BBT with the fast preset and the smallest generations, from the empty form."""
    expect(page.locator("#python")).to_contain_text("client.tune")
    expect(page.locator("#method")).to_have_value("shift")
    tab_to(page, "method")
    with page.expect_response("**/jobs/new?*"):
        page.keyboard.press("b")
    expect(page.locator("#setting-population_size")).to_be_attached()
    tab_to(page, "preset")
    page.keyboard.press("Tab")  # to Advanced
    page.keyboard.press("Enter")
    type_into(page, "setting-population_size", "4")
    type_into(page, "baseline", "Which team answers this?")
    type_into(page, "queries", str(queries))
    told = {QUERIES: "3", 1_000_000: "2,082"}[queries]
    expect(page.locator("#estimate [data-told=generations] b")).to_have_text(told)
    type_into(page, "name", name)
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")


def test_a_newcomer_tunes_a_prompt_and_asks_it(page: Page, real: Service) -> None:
    page.goto(real.url, wait_until="domcontentloaded")
    expect(page.get_by_role("button", name="Start a demo job")).to_be_visible()
    page.get_by_role("link", name="Use your own data").click()
    start_by_keyboard(page, "by keyboard", QUERIES)
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LATER)
    expect(page.locator("#status")).to_have_text(re.compile("queued|running"))
    baseline = page.locator("#numbers [data-item=baseline]")
    expect(baseline).to_contain_text("%", timeout=LATER)
    expect(baseline).to_contain_text("your own prompt")
    expect(fact(page, "generation")).to_have_text(re.compile("1|2|3"), timeout=LATER)
    expect(page.locator("#status")).to_have_text("succeeded", timeout=LATER)
    see_the_report(page)
    see_both_answers(page)
    assert page.evaluate("window.notReloaded")
    expect(page.locator("#connection")).to_have_attribute("data-state", "ended")


def see_the_report(page: Page) -> None:
    expect(page.locator("#verdict")).to_contain_text("360 test rows")
    expect(fact(page, "queries")).to_have_text(f"{QUERIES:,} of {QUERIES:,}")
    expect(page.locator("#phase")).to_have_text("Finished: the budget is spent")
    expect(page.locator("#scores tbody tr")).to_have_count(2)
    for name in ("loss", "accuracy", "comparison"):
        expect(page.locator(f"#figure-{name} .main-svg").first).to_be_visible()
    curve = "document.querySelector('#figure-loss .plot').data[0].x.length === 3"
    page.wait_for_function(f"() => {curve}")
    rows = page.locator("#confusion [data-side=tuned] tbody td").all_text_contents()
    assert sum(map(int, rows)) == 360


def see_both_answers(page: Page) -> None:
    page.get_by_label("text", exact=True).fill("Where is my parcel?")
    page.get_by_role("button", name="Ask both prompts").click()
    expect(page.locator("#answers h3")).to_have_text(["Tuned", "Baseline"], timeout=LATER)
    expect(page.locator("#answers .bars li")).to_have_count(2 * 6)


def test_a_broken_file_is_told_at_the_field_and_nothing_typed_is_lost(
    page: Page, real: Service, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, real.url, "?method=bbt")
    page.get_by_label("Baseline prompt").fill("Which team answers this?")
    page.get_by_label("Budget (queries)").fill("2500")
    broken = {"name": "broken.csv", "mimeType": "text/csv", "buffer": BROKEN}
    page.locator("#file").set_input_files(broken)  # type: ignore[arg-type]
    expect(page.locator("#file-error")).to_contain_text("text")
    expect(page.locator("#file-hint")).to_have_text("broken.csv was not taken")
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which team answers this?")
    expect(page.get_by_label("Budget (queries)")).to_have_value("2500")
    expect(page.locator("#dataset")).to_have_value("tickets")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_label("population_size").fill("1")
    page.get_by_role("button", name="Start job").click()
    expect(beside(page, "setting-population_size")).to_contain_text("4")
    expect(page.get_by_label("population_size")).to_be_focused()
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which team answers this?")


def test_a_running_job_is_cancelled_by_the_dialog(page: Page, real: Service) -> None:
    open_form(page, real.url)
    start_by_keyboard(page, "to be cancelled", 1_000_000)
    expect(page.locator("#phase")).to_have_text("Searching", timeout=LATER)
    page.get_by_role("button", name="Cancel job…").click()
    page.get_by_role("button", name="Cancel job", exact=True).click()
    expect(page.locator("#status")).to_have_text("cancelled", timeout=LATER)
    expect(page.locator("#verdict")).to_be_hidden()
    with page.expect_download() as kept:
        page.get_by_role("link", name="safetensors").click()
    assert kept.value.suggested_filename.endswith(".safetensors")
    expect(page.get_by_role("link", name="Run again…")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.locator(".jobs tbody tr").first).to_contain_text("cancelled")


def start_with_texts(page: Page, real: Service) -> None:
    """Rows with verdicts to be written, by a method that needs no labels, judged by F1."""
    open_form(page, real.url)
    page.get_by_label("Target column").fill("verdict")
    rows = {"name": "said.csv", "mimeType": "text/csv", "buffer": verdicts_csv().encode()}
    page.locator("#file").set_input_files(rows)  # type: ignore[arg-type]
    expect(page.locator("#dataset")).to_have_value("said")
    choose(page, "Endpoint", "writer")
    expect(page.locator("#method option[value=promptboosting]")).to_contain_text("needs labels")
    choose(page, "Method", "bdpl")
    choose(page, "Metric", "f1")
    expect(page.locator("#metric-hint")).to_contain_text("Overlap of the words")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_label("sample_size").fill("4")
    page.get_by_label("n_prompt_tokens").fill("2")
    page.get_by_label("Template").fill("{prompt} {text} It was")
    page.get_by_label("Baseline prompt").fill("a stale cast . It was terrible .")
    page.get_by_label("Tokens of an answer").fill("2")
    page.get_by_label("Budget (queries)").fill("132")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")


def test_a_prompt_is_tuned_for_texts(page: Page, real: Service) -> None:
    with llama_server(tiny_llama()) as server:
        options = {"base_url": server.base_url}
        body = {"id": "writer", "kind": "openai", "model": server.model, "options": options}
        assert real.http.post("/api/endpoints", json=body).status_code == 201
        start_with_texts(page, real)
        expect(page.locator("#status")).to_have_text("succeeded", timeout=LATER)
        expect(page.locator("#verdict")).to_contain_text("Tuned F1")
        page.get_by_label("text", exact=True).fill("the plot was great .")
        page.get_by_role("button", name="Ask both prompts").click()
        expect(page.locator("#answers blockquote")).to_have_count(2, timeout=LATER)
    report = real.get(page.url.replace("/jobs/", "/api/jobs/") + "/report")
    page.get_by_role("link", name="Report on one page").click()
    shown = [*report["changed"], *report["kept"]]
    expect(page.locator("#changed tbody tr")).to_have_count(len(shown))
    rows = page.locator("#changed tbody tr").all_text_contents()
    assert report["changed"], "the prompts answer differently"
    for row, told in zip(rows, shown, strict=True):
        assert all(told[side].strip() in row for side in ("label", "baseline", "tuned"))
