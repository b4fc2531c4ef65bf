"""The form of a new job in a real browser: what is chosen, typed, uploaded and sent."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import Site
from tests.web.forms import TICKETS, beside, choose, open_form, start, tab_to, told

pytestmark = pytest.mark.browser

SCRIPT = "<script>alert(1)</script>"
LATE = """() => {
    const whole = window.fetch;
    window.seen = [];
    addEventListener('refreshed', () => seen.push(document.querySelector('#preset').value));
    window.fetch = async (...asked) => {
        await new Promise((later) => setTimeout(later, 300));
        return whole(...asked);
    };
}"""
BAD = FilePayload(name="bad.csv", mimeType="text/csv", buffer=b"text,topic\nhello,yes\n")
TOPICS = "text,topic,split\n" + "".join(
    f"row {n} of {split} {SCRIPT},{topic},{split}\n"
    for split in ("train", "dev", "test")
    for topic in ("yes", "no")
    for n in range(4)
)
SUMS = "text,answer\n" + "".join(f"What is {n} and {n}?,{2 * n}\n" for n in range(60))


def test_a_job_can_be_started_by_keyboard_alone(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    tab_to(page, "baseline")
    page.keyboard.type("Which queue?")
    tab_to(page, "queries")
    page.keyboard.press("Control+a")
    page.keyboard.type("5000")
    tab_to(page, "name")
    page.keyboard.type("By keyboard")
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")
    [job] = site.stage.get("/api/jobs")["data"]
    spec = job["spec"]
    assert (spec["task"]["baseline"], spec["name"]) == ("Which queue?", "By keyboard")
    assert (spec["method"]["preset"], spec["budget"]["queries"]) == ("fast", 5000)


def test_only_what_was_changed_is_sent(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    page.get_by_text("Advanced: the settings of the method").click()
    expect(page.get_by_label("intrinsic_dim")).to_have_attribute("placeholder", "32")
    page.get_by_label("sigma0").fill("0.5")
    page.get_by_label("loss").select_option("hinge")
    choose(page, "Preset", "paper")
    expect(page.get_by_label("intrinsic_dim")).to_have_attribute("placeholder", "500")
    expect(page.get_by_label("sigma0")).to_have_value("0.5")
    assert start(page) == {
        "dataset": "tickets",
        "endpoint": "minilm",
        "method": {"name": "bbt", "preset": "paper", "sigma0": 0.5, "loss": "hinge"},
        "budget": {"queries": 40000},
    }


def test_label_words_are_all_sent_if_one_is_changed(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    page.get_by_label("Sales", exact=True).fill("shop")
    words = start(page)["task"]["verbalizer"]
    assert (words["Sales"], words["Billing"], len(words)) == ("shop", "Billing", 6)


def test_an_error_stands_beside_its_field_and_nothing_is_lost(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += ["status of 422", "status of 503"]
    open_form(page, site.url, TICKETS)
    page.get_by_label("Baseline prompt").fill("Which queue?")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_label("population_size").fill("1")
    page.get_by_text("Advanced: the settings of the method").click()
    page.get_by_role("button", name="Start job").click()
    expect(page.get_by_label("population_size")).to_be_focused()
    expect(beside(page, "setting-population_size")).to_contain_text("greater than or equal to 4")
    page.get_by_label("population_size").fill("")
    page.get_by_label("Sales", exact=True).fill("Billing")
    page.get_by_role("button", name="Start job").click()
    expect(beside(page, "word-0")).to_contain_text("label words must be different")
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which queue?")
    site.wire.away = True
    page.get_by_role("button", name="Start job").click()
    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator(".field-error.said")).to_have_count(0)
    assert not page.url.startswith(f"{site.url}/jobs/job_")


def test_one_choice_greys_out_others_with_the_reason_and_what_was_typed_stays(
    page: Page, site: Site
) -> None:
    site.stage.endpoint("hosted")
    open_form(page, site.url, TICKETS)
    page.get_by_label("Baseline prompt").fill("Which queue?")
    page.get_by_label("Name (optional)").fill("kept")
    option = page.locator("#method option[value=bbt]")
    expect(option).to_have_text("BBT: black-box tuning")
    choose(page, "Endpoint", "hosted")
    expect(option).to_be_disabled()
    expect(option).to_have_text("BBT: black-box tuning (needs soft prompts)")
    expect(page.locator("#method")).to_have_value("grips")
    page.get_by_text("What it can and cannot do").click()
    expect(page.locator("#powers .not").first).to_contain_text("Soft prompts")
    choose(page, "Dataset", "two-digits")
    expect(page.locator("#endpoint")).to_have_value("digits-clip")
    expect(page.locator("#sample img")).to_have_count(10)
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which queue?")
    page.reload()
    expect(page.locator("#dataset")).to_have_value("two-digits")


def test_the_last_of_quick_choices_holds_and_is_never_taken_back(page: Page, site: Site) -> None:
    open_form(page, site.url, TICKETS)
    page.evaluate(LATE)
    page.get_by_label("Method").select_option("spsa")
    page.get_by_label("Preset").select_option("paper")  # of a page that is about to go
    query = page.evaluate("location.search.slice(1)")
    expect(page.locator("#form")).to_have_attribute("data-query", query)
    expect(page.locator("#method")).to_have_value("spsa")
    expect(page.locator("#preset")).to_have_value("paper")
    expect(page.locator("#python")).to_contain_text('method="spsa"')
    expect(page.locator("#python")).to_contain_text('preset="paper"')
    assert page.evaluate("window.seen") == ["paper", "paper"]


def test_a_file_is_read_and_shown_at_once_or_refused_at_its_field(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, site.url, TICKETS)
    page.get_by_label("Baseline prompt").fill("Which one?")
    page.locator("#file").set_input_files(BAD)
    expect(beside(page, "label_column")).to_contain_text("label")
    expect(page.locator("#file-hint")).to_have_text("bad.csv was not taken")
    expect(page.get_by_label("Label column")).to_be_focused()
    good = FilePayload(name="mine.csv", mimeType="text/csv", buffer=TOPICS.encode())
    page.get_by_label("Label column").fill("topic")
    page.locator("#file").set_input_files(good)
    expect(page.locator("#dataset option:checked")).to_have_text("mine (24 rows, 2 labels)")
    expect(page.locator("#file-hint")).to_have_text("mine.csv: 24 rows read, kept as mine")
    expect(beside(page, "label_column")).to_have_count(0)
    expect(page.locator("#preview tbody tr")).to_have_text(["no444", "yes444", "All labels888"])
    expect(page.locator("#sample tbody tr").first).to_contain_text(SCRIPT)
    expect(page.locator("#words input")).to_have_count(2)
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which one?")
    expect(told(page, "effect")).to_contain_text("on 8 test rows")


def test_texts_are_held_against_targets_by_a_metric_with_its_settings(
    page: Page, site: Site
) -> None:
    site.stage.endpoint("hosted")
    site.stage.dataset(SUMS, "sums", target_column="answer")
    open_form(page, site.url, TICKETS)
    expect(page.locator("#metric")).to_be_hidden()
    choose(page, "Dataset", "sums")
    expect(page.locator("#endpoint option[value=minilm]")).to_have_text("minilm (writes no text)")
    expect(page.locator("#words")).to_be_hidden()
    choose(page, "Metric", "numeric")
    page.get_by_label("which").select_option("first")
    page.get_by_label("absolute").fill("0.5")
    page.get_by_label("percent").select_option("true")
    page.get_by_label("Tokens of an answer").fill("16")
    metric = {"name": "numeric", "which": "first", "absolute": 0.5, "percent": True}
    assert start(page)["task"] == {"metric": metric, "max_tokens": 16}


def test_a_metric_that_texts_needed_is_not_kept_for_labels_nor_words_for_a_metric(
    page: Page, site: Site
) -> None:
    site.stage.endpoint("hosted")
    site.stage.dataset(SUMS, "sums", target_column="answer")
    open_form(page, site.url, "?dataset=sums&metric=f1")
    choose(page, "Dataset", "tickets")
    expect(page.locator("#endpoint")).to_have_value("hosted")
    expect(page.locator("#metric")).to_have_value("")
    page.get_by_label("Sales", exact=True).fill("shop")
    choose(page, "Metric", "f1")
    expect(page.locator("#words")).to_be_hidden()
    assert start(page)["task"] == {"metric": {"name": "f1"}}, "label words are not meant now"


def test_a_job_fills_the_form_and_what_is_gone_is_told(page: Page, site: Site) -> None:
    site.stage.dataset(TOPICS, "topics", label_column="topic")
    method = {"name": "bbt", "preset": "fast", "intrinsic_dim": 7}
    old = site.stage.job(SCRIPT, dataset="topics", method=method, seed=3)
    site.stage.end(old, "cancelled")
    open_form(page, site.url, f"?from={old}")
    expect(page.locator(".about")).to_have_text(f"Filled in from {SCRIPT}.")
    expect(page.locator("#dataset")).to_have_value("topics")
    expect(page.locator("#setting-intrinsic_dim")).to_have_value("7")
    expect(page.locator("#seed")).to_have_value("3")
    choose(page, "Preset", "paper")
    expect(page.locator("#setting-intrinsic_dim")).to_have_value("")
    expect(page.locator("#seed")).to_have_value("3")
    page.goto("about:blank")  # the form would ask for the estimate of what is gone
    site.stage.delete("/api/datasets/topics")
    open_form(page, site.url, f"?from={old}")
    expect(page.locator("#gone")).to_contain_text("no dataset 'topics' here")
    expect(page.locator("#endpoint")).to_have_value("minilm")


@pytest.mark.parametrize(
    "query", [TICKETS, "?dataset=two-digits", "?dataset=topics&method=bbt-rgb"]
)
def test_390_pixels_are_enough(page: Page, site: Site, query: str) -> None:
    wide = TOPICS.replace(",yes,", f",{'y' * 60},")
    site.stage.dataset(wide, "topics", label_column="topic")
    page.set_viewport_size({"width": 390, "height": 844})
    open_form(page, site.url, query)
    page.get_by_text("Advanced: the settings of the method").click()
    expect(told(page, "queries").locator("b")).not_to_have_text("–")
    assert width_of(page) <= 390


@pytest.fixture
def unscripted(chromium: Browser) -> Iterator[Page]:
    """A page with JavaScript off."""
    page = chromium.new_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    yield page
    close(page.context)


def test_without_a_script_it_can_be_read_chosen_and_sent_by_curl(
    unscripted: Page, site: Site
) -> None:
    page = unscripted
    site.stage.endpoint("hosted")
    page.goto(f"{site.url}/jobs/new{TICKETS}", wait_until="domcontentloaded")
    expect(page.locator("#method option[value=bbt]")).to_be_enabled()
    expect(page.get_by_role("button", name="Start job")).to_be_hidden()
    page.get_by_label("Endpoint").select_option("hosted")
    page.get_by_label("Baseline prompt").fill("Which queue?")
    page.get_by_label("Budget (queries)").fill("9000")
    page.get_by_role("button", name="Show what fits this choice").click()
    expect(page.locator("#method option[value=bbt]")).to_be_disabled()
    expect(page.locator("#method")).to_have_value("grips")
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which queue?")
    expect(page.get_by_label("Budget (queries)")).to_have_value("9000")
    assert width_of(page) <= 390
    shell = page.locator("#code pre").first.text_content() or ""
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20)
    spec = json.loads(done.stdout)["spec"]
    assert (spec["endpoint"], spec["task"]["baseline"]) == ("hosted", "Which queue?")
    assert spec["budget"]["queries"] == 9000
