"""The prompt on the page of its job: its words, its history, its name, its answers; and the log."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.steps import running, visit, visit_live

pytestmark = pytest.mark.browser

SCRIPT = "<script>alert(1)</script>"


def test_a_soft_prompt_is_marked_as_vectors(page: Page, site: Site) -> None:
    visit(page, site, running(site))
    expect(page.locator("#words li").first).to_have_text("refund0.41")
    expect(page.get_by_text("the model reads vectors, not these words")).to_be_visible()
    expect(page.locator("#exports a")).to_have_text(["JSON", "safetensors"])
    expect(page.locator("#history ins")).to_have_count(0)


def test_incumbents_of_words_show_what_has_changed(page: Page, site: Site) -> None:
    job_id = running(site, 2, "text")
    visit_live(page, site, job_id)
    expect(page.locator("#prompt-text")).to_have_text(
        "Which team should handle this support ticket?"
    )
    expect(page.locator("#exports a")).to_have_text(["JSON", "Text"])
    first = page.locator("#history tbody tr").first
    expect(first.locator("ins")).to_contain_text(["should handle", "support"])
    expect(first.locator("del")).to_contain_text(["handles"])
    site.stage.advance(job_id, 1, "text")
    expect(first.locator("ins")).to_have_text(["answer "])
    expect(page.locator("#candidates tbody tr")).to_have_count(3)
    expect(page.locator("#candidates")).to_contain_text("Which team handles this ticket?")


def test_a_prompt_is_given_a_name(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    job_id = running(site)
    visit(page, site, job_id)
    page.get_by_text("Give it a name").click()
    page.get_by_label("Name").fill("not a name")
    page.get_by_role("button", name="Give it this name").click()
    expect(page.locator("#naming .field-error")).to_contain_text(["not a name"])
    page.get_by_label("Name").fill("support")
    page.get_by_role("button", name="Give it this name").click()
    expect(page.locator(".named")).to_contain_text("support: version 1, of generation 3")
    expect(page.locator("#naming .said")).to_have_count(0)


def test_trying_a_text_on_both_prompts(page: Page, site: Site) -> None:
    visit(page, site, running(site))
    page.get_by_label("text", exact=True).fill("Where is my refund?")
    with page.expect_request("**/predict") as sent:
        page.get_by_role("button", name="Ask both prompts").click()
    assert sent.value.post_data_json == {
        "inputs": [{"text": "Where is my refund?"}],
        "baseline": True,
    }
    expect(page.locator("#answers .answer")).to_have_count(2, timeout=60_000)
    expect(page.locator("#answers h3")).to_have_text(["Tuned", "Baseline"])
    expect(page.locator("#answers .bars li")).to_have_count(2 * 6)


def test_spec_and_curl_are_complete_and_inert(page: Page, site: Site) -> None:
    visit(page, site, running(site, name=f"it's {SCRIPT}"))
    expect(page.locator("#title")).to_have_text(f"it's {SCRIPT}")
    page.get_by_text("The same job with curl").click()
    expect(page.locator("#curl")).to_contain_text(f"curl -s {site.url}/api/jobs")
    expect(page.locator("#curl")).to_contain_text("""it'"'"'s <script>""")


def test_the_inside_and_the_log_wait_until_they_are_opened(page: Page, site: Site) -> None:
    visit(page, site, running(site))
    with page.expect_request("**/figures/internals*"):
        page.get_by_text("Inside the optimizer").click()
    page.get_by_text("Log", exact=True).click()
    entries = page.locator("#log tbody td")
    expect(entries.first).to_contain_text("Generation 3: dev loss")
    expect(entries.last).to_have_text("Queued")
    before = [asked for asked in site.wire.asked if "internals" in asked]
    assert len(before) == 1
