"""Tasks whose answers are texts, in a real browser: upload, form, job page, report."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import Site
from tests.web.forms import beside, choose, open_form, start
from tests.web.steps import visit

pytestmark = pytest.mark.browser

NBSP = "\N{NO-BREAK SPACE}"
SCRIPT = "<script>alert(1)</script>"
QUESTION = "What did the committee decide about the opening hours of the swimming pool on day {}?"
TARGET = "It opens an hour later, from seven in the morning."
ROWS = "text,answer,split\n" + "".join(
    f'{QUESTION.format(n) if n else SCRIPT},"{TARGET if n % 5 else SCRIPT}",{split}\n'
    for split, n_rows in (("train", 8), ("dev", 8), ("test", 60))
    for n in range(n_rows)
)
METHOD = {"name": "grips", "preset": "paper"}
FILE = {"name": "qa.csv", "mimeType": "text/csv", "buffer": ROWS.encode()}


@pytest.fixture(autouse=True)
def hosted(site: Site) -> str:
    return site.stage.endpoint("hosted")


@pytest.fixture
def minutes(site: Site) -> str:
    """A dataset of texts and their target texts."""
    return site.stage.dataset(ROWS, "minutes", target_column="answer")


def finished(site: Site, metric: str = "rouge_l") -> str:
    task = {"metric": {"name": metric}, "max_tokens": 32}
    job_id = site.stage.job(
        "answers as texts", endpoint="hosted", dataset="minutes", method=METHOD, task=task
    )
    site.stage.begin(job_id, "Answer in one sentence.")
    site.stage.advance(job_id, 2, "text")
    site.stage.finish(job_id)
    return job_id


def test_a_column_of_targets_is_named_at_the_upload(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, site.url)
    page.get_by_label("Target column").fill("said")
    page.locator("#file").set_input_files(files=[FILE])  # type: ignore[list-item]
    expect(beside(page, "target_column")).to_contain_text("said")
    expect(page.get_by_label("Target column")).to_be_focused()
    page.get_by_label("Target column").fill("answer")
    page.get_by_role("button", name="Upload again").click()
    expect(page.locator("#dataset option:checked")).to_have_text("qa (76 rows, target texts)")
    expect(page.locator("#metric")).to_be_visible()
    assert site.stage.get("/api/datasets/qa")["labels"] == []


@pytest.mark.usefixtures("minutes")
def test_targets_open_metrics_and_close_what_needs_labels(page: Page, site: Site) -> None:
    open_form(page, site.url, "?dataset=tickets&endpoint=minilm")
    expect(page.locator("#metric")).to_be_hidden()
    choose(page, "Dataset", "minutes")
    endpoint = page.locator("#endpoint")
    expect(endpoint).to_have_value("hosted")
    expect(endpoint.locator("option[value=minilm]")).to_have_text("minilm (writes no text)")
    boosting = page.locator("#method option[value=promptboosting]")
    expect(boosting).to_be_disabled()
    expect(boosting).to_contain_text("needs labels")
    expect(page.locator("#words")).to_be_hidden()


def test_labels_may_be_written_and_their_words_are_then_left_out(page: Page, site: Site) -> None:
    open_form(page, site.url, "?dataset=tickets&endpoint=hosted")
    page.get_by_label("Sales", exact=True).fill("shop")
    choose(page, "Metric", "contains")
    expect(page.locator("#words")).to_be_hidden()
    assert start(page)["task"] == {"metric": {"name": "contains"}}


@pytest.mark.usefixtures("minutes")
def test_without_an_endpoint_that_writes_the_form_says_so(page: Page, site: Site) -> None:
    site.stage.delete("/api/endpoints/hosted")
    page.goto(f"{site.url}/jobs/new?dataset=minutes", wait_until="domcontentloaded")
    expect(page.get_by_text("No endpoint writes text yet")).to_be_visible()


@pytest.mark.usefixtures("minutes")
def test_a_job_is_repeated_with_its_metric(page: Page, site: Site) -> None:
    metric = {"name": "regex", "pattern": "a.b", "ignore_case": True}
    task = {"metric": metric, "max_tokens": 32}
    old = site.stage.job(endpoint="hosted", dataset="minutes", method=METHOD, task=task)
    open_form(page, site.url, f"?from={old}")
    expect(page.get_by_label("pattern")).to_have_value("a.b")
    start(page)
    first, again = (job["spec"]["task"] for job in site.stage.get("/api/jobs")["data"])
    assert first == again
    assert first["metric"]["ignore_case"] is True


@pytest.mark.usefixtures("minutes")
def test_the_job_page_shows_texts_and_the_metric(page: Page, site: Site) -> None:
    job_id = finished(site)
    visit(page, site, job_id)
    expect(page.locator("#numbers")).to_contain_text("Incumbent, dev ROUGE-L")
    expect(page.locator("#accuracy-title")).to_contain_text("ROUGE-L")
    expect(page.locator("#job")).not_to_contain_text("nats")
    expect(page.locator(".meta").first).to_contain_text(f"at most 32{NBSP}tokens")
    head = page.locator("#changed thead th")
    expect(head).to_have_text(["Example", "Target", "Baseline", "Tuned", "Change"])
    report = site.stage.get(f"/api/jobs/{job_id}/report")
    rows = page.locator("#changed tbody tr").all()
    for row, told in zip(rows, report["changed"][:10] + report["kept"], strict=True):
        for n, side in enumerate(("baseline", "tuned"), 1):
            share = f"{100 * told[f'{side}_right']:.1f}{NBSP}%"
            expect(row.locator("td").nth(n)).to_have_text((told[side] or "(empty)") + share)
    assert any(SCRIPT in told["label"] for told in report["changed"])
    page.get_by_role("link", name="Show all").click()
    n = len(report["changed"]) + len(report["kept"])
    expect(page.locator("#changed tbody tr")).to_have_count(n)


@pytest.mark.usefixtures("minutes")
def test_an_answer_that_is_a_text_is_shown_as_it_is(page: Page, site: Site) -> None:
    none = {"label": None, "probabilities": {}}
    answer = {**none, "text": f"From seven. {SCRIPT}", "baseline": {**none, "text": ""}}

    def told(route: Route) -> None:
        """No model can be made to say this; `test_real_service` has one that says something."""
        route.fulfill(json={"object": "list", "data": [answer], "has_more": False})

    page.route("**/predict", told)
    visit(page, site, finished(site))
    page.get_by_label("text", exact=True).fill("When does it open?")
    page.get_by_role("button", name="Ask both prompts").click()
    answers = page.locator("#answers blockquote")
    expect(answers).to_have_text([f"From seven. {SCRIPT}", "(an empty answer)"])


@pytest.fixture
def unscripted(chromium: Browser) -> Iterator[Page]:
    """A small page with JavaScript off."""
    page = chromium.new_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    yield page
    close(page.context)


@pytest.mark.usefixtures("minutes")
def test_report_and_rows_are_read_without_javascript(unscripted: Page, site: Site) -> None:
    page = unscripted
    job_id = finished(site)
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    page.get_by_role("link", name="Report on one page").click()
    report = site.stage.get(f"/api/jobs/{job_id}/report")
    expect(page.locator("#scores")).to_contain_text(f"{report['tuned']['loss']:.3f}{NBSP}of 1")
    expect(page.get_by_text("Confusion")).to_have_count(0)
    answers = page.locator("#changed tbody tr").nth(1).locator("td")
    left, right = (answers.nth(n).bounding_box() for n in (1, 2))
    assert left and right and left["y"] == right["y"] and left["x"] < right["x"], "side by side"
    assert width_of(page) <= 390
    page.goto(f"{site.url}/datasets/minutes?split=test", wait_until="domcontentloaded")
    expect(page.locator("#table thead th").last).to_have_text("Target")
    expect(page.locator("#table tbody tr")).to_have_count(50)
    expect(page.locator("#table tbody td").nth(0)).to_contain_text(SCRIPT)
    page.get_by_role("link", name="Next rows").click()
    expect(page.locator("#table tbody tr")).to_have_count(10)
