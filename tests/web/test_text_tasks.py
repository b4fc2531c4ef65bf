"""Tasks whose answers are texts, in a real browser: upload, form, job page, report."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web import endpoint_samples, samples, text_samples
from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.test_dashboard import beside, open_form
from tests.web.test_job_page import fact, visit

pytestmark = pytest.mark.browser

FILE = {"name": "qa.csv", "mimeType": "text/csv", "buffer": b"text,answer\nhello,hi\n"}


@pytest.fixture(autouse=True)
def minutes(site: Site) -> None:
    site.api.endpoints["hosted"] = endpoint_samples.hosted()
    site.api.datasets["minutes"] = samples.dataset("minutes", [])


def finished(site: Site) -> str:
    job_id = site.api.add(text_samples.job("job_texts"))
    site.api.begin(job_id, "Answer in one sentence.")
    site.api.advance(job_id, 2, "text")
    site.api.finish(job_id)
    return job_id


def submit(page: Page, site: Site) -> samples.Object:
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    return site.api.posted[0]


def test_a_column_of_targets_is_named_at_the_upload(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, site)
    page.get_by_label("Target column").fill("said")
    page.locator("#file").set_input_files(files=[FILE])  # type: ignore[list-item]
    expect(beside(page, "target_column")).to_contain_text("no column “said”")
    expect(page.get_by_label("Target column")).to_be_focused()
    page.get_by_label("Target column").fill("answer")
    page.get_by_role("button", name="Upload again").click()
    expect(page.locator("#dataset option:checked")).to_have_text("mine (92 rows, target texts)")
    expect(page.locator("#preview tbody tr")).to_have_text(["All rows161660"])
    expect(page.locator("#metric")).to_be_visible()
    assert site.api.uploads[-1] == {"target_column": "answer"}


def test_targets_open_metrics_and_close_what_needs_labels(page: Page, site: Site) -> None:
    open_form(page, site)
    expect(page.locator("#metric")).to_be_hidden()
    page.get_by_label("Dataset").select_option("minutes")
    endpoint = page.locator("#endpoint")
    expect(endpoint).to_have_value("hosted")
    expect(endpoint.locator("option[value=minilm]")).to_have_text("minilm (writes no text)")
    expect(page.locator("#metric option[value='']")).to_be_disabled()
    expect(page.locator("#metric-hint")).to_have_text("The answer is the target.")
    boosting = page.locator("#method option[value=promptboosting]")
    expect(boosting).to_have_text("PromptBoosting (needs labels)")
    expect(boosting).to_be_disabled()
    expect(page.locator("#words")).to_be_hidden()
    page.get_by_label("Dataset").select_option("tickets")
    expect(page.get_by_label("Login")).to_be_visible()
    page.get_by_label("Metric").select_option("")
    expect(boosting).to_be_enabled()


def test_a_metric_is_sent_with_the_settings_that_were_changed(page: Page, site: Site) -> None:
    open_form(page, site)
    page.get_by_label("Dataset").select_option("minutes")
    page.get_by_label("Metric").select_option("numeric")
    page.get_by_label("which").select_option("first")
    page.get_by_label("absolute").fill("0.5")
    page.get_by_label("Tokens of an answer").fill("16")
    assert submit(page, site)["task"] == {
        "metric": {"name": "numeric", "which": "first", "absolute": 0.5},
        "max_tokens": 16,
    }


def test_labels_may_be_written_and_their_words_are_then_left_out(page: Page, site: Site) -> None:
    open_form(page, site)
    page.get_by_label("Endpoint").select_option("hosted")
    page.get_by_label("Login").fill("sign in")
    page.get_by_label("Metric").select_option("contains")
    expect(page.locator("#words")).to_be_hidden()
    page.get_by_label("Metric").select_option("")
    expect(page.get_by_label("Login")).to_have_value("sign in")
    page.get_by_label("Metric").select_option("contains")
    assert submit(page, site)["task"] == {"metric": {"name": "contains"}}


def test_without_an_endpoint_that_writes_the_form_says_so(page: Page, site: Site) -> None:
    del site.api.endpoints["hosted"]
    page.goto(f"{site.url}/jobs/new?dataset=minutes", wait_until="domcontentloaded")
    expect(page.get_by_text("No endpoint writes text yet")).to_be_visible()


def test_a_job_is_repeated_with_its_metric(page: Page, site: Site) -> None:
    old = text_samples.job("job_old", "cancelled", "regex")
    old["spec"]["task"]["metric"] = {"name": "regex", "pattern": "a.b", "ignore_case": False}
    page.goto(f"{site.url}/jobs/new?from={site.api.add(old)}", wait_until="domcontentloaded")
    expect(page.get_by_label("pattern")).to_have_value("a.b")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_001", wait_until="commit")
    sent = site.api.posted[0]["task"]
    assert sent["metric"] == {"name": "regex", "pattern": "a.b"}
    assert sent["max_tokens"] == 32 and "verbalizer" not in sent


def test_the_job_page_shows_texts_and_the_metric(page: Page, site: Site) -> None:
    visit(page, site, finished(site))
    expect(page.locator("dl.cards")).to_contain_text("Incumbent, dev ROUGE-L")
    fact(page, "best.train_loss").to_be_visible()
    expect(page.locator("#job")).not_to_contain_text("nats")
    expect(page.locator(".meta")).to_contain_text("at most 32 tokens")
    head = page.locator("#changed thead th")
    expect(head).to_have_text(["Example", "Target", "Baseline", "Tuned", "Change"])
    cells = page.locator("#changed tbody tr").nth(1).locator("td")
    expect(cells.nth(1)).to_have_text("Nothing was decided.12.5\u00a0%")
    expect(cells.nth(2)).to_contain_text("an hour later than in summer.75.0\u00a0%")
    expect(page.locator("#changed tbody tr").first).to_contain_text(samples.SCRIPT)
    expect(page.locator("#changed tbody tr").first).to_contain_text("(empty)0.0\u00a0%")
    page.get_by_label("text", exact=True).fill("When does it open?")
    page.get_by_role("button", name="Ask both prompts").click()
    answers = page.locator("#answers blockquote")
    expect(answers).to_have_text([f"From seven. {samples.SCRIPT}", "(an empty answer)"])
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#changed tbody tr")).to_have_count(12)
    page.goto(site.url, wait_until="domcontentloaded")
    expect(page.locator("[data-item=job_texts]")).to_contain_text("ROUGE-L")


@pytest.fixture
def unscripted(chromium: Browser) -> Iterator[Page]:
    """A small page with JavaScript off."""
    page = chromium.new_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    yield page
    page.context.close()


def test_report_and_rows_are_read_without_javascript(unscripted: Page, site: Site) -> None:
    page = unscripted
    finished(site)
    page.goto(f"{site.url}/jobs/job_texts", wait_until="domcontentloaded")
    page.get_by_role("link", name="report", exact=True).click()
    expect(page.locator("#scores")).to_contain_text("83.7 to 90.5\u00a0%")
    expect(page.locator("#scores")).to_contain_text("0.300\u00a0of 1")
    expect(page.get_by_text("Confusion")).to_have_count(0)
    answers = page.locator("#changed tbody tr").nth(1).locator("td")
    left, right = (answers.nth(n).bounding_box() for n in (1, 2))
    assert left and right and left["y"] == right["y"] and left["x"] < right["x"], "side by side"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{site.url}/datasets/minutes?split=test", wait_until="domcontentloaded")
    expect(page.locator("#table thead th").last).to_have_text("Target")
    expect(page.locator("#table tbody tr")).to_have_count(50)
    expect(page.locator("#table tbody td").nth(1)).to_have_text(samples.SCRIPT)
    page.get_by_role("link", name="Next rows").click()
    expect(page.locator("#table tbody th").first).to_have_text("51")
