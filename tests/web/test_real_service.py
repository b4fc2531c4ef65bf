"""The dashboard on the real service: what a newcomer does, in the order in which it is done."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.model_servers import llama_server
from tests.servers import Service
from tests.test_generation_jobs import verdicts_csv
from tests.tiny_llama import tiny_llama
from tests.web.browser import Complaints
from tests.web.test_dashboard import beside, tab_to

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
    page.context.close()
    assert complaints.unexpected() == []


def type_into(page: Page, name: str, text: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def start_by_keyboard(page: Page, name: str, queries: int) -> None:
    """A job with the fast preset and the smallest generations, from the empty form."""
    expect(page.locator("#form")).to_be_visible()
    tab_to(page, "preset")
    page.keyboard.type("fast")
    page.keyboard.press("Tab")  # to Advanced
    page.keyboard.press("Enter")
    type_into(page, "setting-population_size", "4")
    type_into(page, "baseline", "Which team answers this?")
    type_into(page, "queries", str(queries))
    expect(page.locator("#queries-hint")).to_contain_text("generations of 4 prompts on 96")
    type_into(page, "name", name)
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/job_*", wait_until="commit")


def test_a_newcomer_tunes_a_prompt_and_asks_it(page: Page, real: Service) -> None:
    page.goto(real.url, wait_until="domcontentloaded")
    expect(page.get_by_role("button", name="Start a demo job")).to_be_visible()
    page.get_by_role("link", name="Use your own data").click()
    start_by_keyboard(page, "by keyboard", QUERIES)
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#job[data-connection=live]")).to_be_visible(timeout=LATER)
    expect(page.locator("#status")).to_have_text(re.compile("queued|running"))
    baseline = page.locator("[data-field='baseline.dev_accuracy']")
    expect(baseline).to_contain_text("%", timeout=LATER)
    expect(page.locator("[data-field=baselineHint]")).to_have_text("your own prompt")
    expect(page.locator("[data-field=generation]")).to_have_text("1", timeout=LATER)
    expect(page.locator("#status")).to_have_text("succeeded", timeout=LATER)
    see_the_report(page)
    see_both_answers(page)
    assert page.evaluate("window.notReloaded")
    expect(page.locator("#job[data-connection=ended]")).to_be_visible()


def see_the_report(page: Page) -> None:
    expect(page.locator("#verdict")).to_contain_text("360 test rows")
    expect(page.locator("[data-field=queries]")).to_have_text(f"{QUERIES:,} of {QUERIES:,}")
    expect(page.locator("[data-field=phase]")).to_have_text("Finished: the budget is spent")
    expect(page.locator("#scores tbody tr")).to_have_count(2)
    for name in ("loss", "accuracy", "comparison"):
        expect(page.locator(f"#figure-{name} .main-svg").first).to_be_visible()
    curve = "document.getElementById('figure-loss').data[0].x.length === 3"
    page.wait_for_function(f"() => {curve}")
    rows = page.locator("#confusion tbody td").all_text_contents()
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
    page.goto(f"{real.url}/jobs/new", wait_until="domcontentloaded")
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
    page.goto(f"{real.url}/jobs/new", wait_until="domcontentloaded")
    start_by_keyboard(page, "to be cancelled", 1_000_000)
    expect(page.locator("[data-field=phase]")).to_have_text("Searching", timeout=LATER)
    page.get_by_role("button", name="Cancel job…").click()
    page.get_by_role("button", name="Cancel job", exact=True).click()
    expect(page.locator("#status")).to_have_text("cancelled", timeout=LATER)
    expect(page.locator("#verdict")).to_be_hidden()
    expect(page.get_by_role("link", name="Prompt (safetensors)")).to_be_visible()
    expect(page.get_by_role("link", name="Run again…")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.locator("#rows tr").first).to_contain_text("cancelled")


def test_a_model_server_is_added_asked_again_and_deleted(
    page: Page, real: Service, complaints: Complaints
) -> None:
    complaints.expected += ["status of 422", "status of 503"]
    with llama_server(tiny_llama()) as server:
        page.goto(f"{real.url}/endpoints", wait_until="domcontentloaded")
        type_into(page, "base_url", server.base_url)
        type_into(page, "model", "giant")
        type_into(page, "id", "llama")
        type_into(page, "key_variable", "PATH")
        page.keyboard.press("Enter")
        expect(beside(page, "key_variable")).to_contain_text("_KEY or _TOKEN")
        page.get_by_label("Name of the key variable").fill("")
        page.get_by_role("button", name="Add endpoint").click()
        expect(page.get_by_role("alert").filter(has_text="there are tiny")).to_be_visible()
        page.get_by_label("Model", exact=True).fill(server.model)
        page.get_by_role("button", name="Add endpoint").click()
        page.wait_for_url("**/endpoints/llama", wait_until="commit")
        expect(page.locator("[data-field='probed.server']")).to_contain_text("llama")
        expect(page.locator("[data-field='ladder.top']")).to_contain_text("works")
        with page.expect_response("**/api/endpoints/llama/probe"):
            page.get_by_role("button", name="Ask it again").click()
        expect(page.get_by_role("button", name="Ask it again")).to_be_enabled()
    page.get_by_role("button", name="Ask it again").click()
    expect(page.locator("#problem")).to_contain_text("Connect call failed", timeout=LATER)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete endpoint").click()
    page.wait_for_url("**/endpoints", wait_until="commit")
    expect(page.locator("[data-item=minilm]")).to_be_visible()
    expect(page.locator("[data-item=llama]")).to_have_count(0)


def start_with_texts(page: Page, real: Service) -> None:
    """Rows with verdicts to be written, by a method that needs no labels, judged by F1."""
    page.goto(f"{real.url}/jobs/new", wait_until="domcontentloaded")
    expect(page.locator("#form")).to_be_visible()
    page.get_by_label("Target column").fill("verdict")
    rows = {"name": "said.csv", "mimeType": "text/csv", "buffer": verdicts_csv().encode()}
    page.locator("#file").set_input_files(rows)  # type: ignore[arg-type]
    expect(page.locator("#dataset")).to_have_value("said")
    page.get_by_label("Endpoint").select_option("writer")
    expect(page.locator("#method option[value=promptboosting]")).to_contain_text("needs labels")
    page.get_by_label("Method").select_option("bdpl")
    page.get_by_label("Metric").select_option("f1")
    expect(page.locator("#metric-hint")).to_contain_text("Overlap of the words")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_label("sample_size").fill("4")
    page.get_by_label("n_prompt_tokens").fill("2")
    page.get_by_label("Template").fill("{prompt} {text} It was")
    page.get_by_label("Baseline prompt").fill("a stale cast . It was terrible .")
    page.get_by_label("Tokens of an answer").fill("2")
    page.get_by_label("Budget (queries)").fill("132")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_*", wait_until="commit")


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
