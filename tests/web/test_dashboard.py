"""The other pages in a real browser: first visit, list, form, datasets, small screens, dark."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web import samples
from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.fake_api import Refused

pytestmark = pytest.mark.browser
with_plotly = pytest.mark.usefixtures("real_plotly")

GOOD = b"text,label\nhello,yes\n"
BAD = {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"text,topic\nhello,yes\n"}


def open_form(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/jobs/new", wait_until="domcontentloaded")
    expect(page.locator("#form")).to_be_visible()


def beside(page: Page, name: str) -> Locator:
    """The error that stands at the control with this id."""
    return page.locator(f".field:has(#{name}) .field-error")


def tab_to(page: Page, name: str) -> None:
    """Tab forward until the control with this id has the focus."""
    for _ in range(60):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"#{name} cannot be reached by keyboard")


def test_first_visit_starts_a_demo_job(page: Page, site: Site) -> None:
    page.goto(site.url, wait_until="domcontentloaded")
    page.get_by_role("button", name="Start a demo job").click()
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    assert site.api.posted == [
        {
            "endpoint": "minilm",
            "dataset": "tickets",
            "method": {"name": "bbt", "preset": "fast"},
            "budget": {"queries": 40000},
        }
    ]


def test_a_refused_demo_is_told(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    site.api.refusal = Refused(422, "There is no endpoint minilm.", "endpoint")
    page.goto(site.url, wait_until="domcontentloaded")
    page.get_by_role("button", name="Start a demo job").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "There is no endpoint minilm. (field: endpoint, request req_0042)"
    )


def test_the_list_is_inert_and_keeps_itself_fresh(page: Page, site: Site) -> None:
    job_id = site.api.add(samples.job("job_live", "running", name=samples.SCRIPT))
    site.api.begin(job_id)
    site.api.runner_alive = False
    page.clock.install()
    page.goto(site.url, wait_until="domcontentloaded")
    line = page.locator("[data-item=job_live]")
    expect(line.get_by_role("link")).to_have_text(samples.SCRIPT)
    expect(page.locator("#runners")).to_contain_text("No runner is alive")
    site.api.advance(job_id, 2)
    page.clock.run_for(2000)
    expect(line).to_contain_text("4,224 of 40,000 queries")
    site.api.finish(job_id)
    page.clock.run_for(2000)
    expect(line).to_contain_text("improved")
    expect(line).to_contain_text("succeeded")


def test_a_job_can_be_started_by_keyboard_alone(page: Page, site: Site) -> None:
    open_form(page, site)
    tab_to(page, "baseline")
    page.keyboard.type("Which queue?")
    tab_to(page, "queries")
    page.keyboard.press("Control+a")
    page.keyboard.type("5000")
    tab_to(page, "name")
    page.keyboard.type("By keyboard")
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    body = site.api.posted[0]
    assert body["task"]["baseline"] == "Which queue?"
    assert body["task"]["verbalizer"] == {label: label for label in samples.LABELS}
    assert body["method"] == {"name": "bbt", "preset": "paper"}
    assert (body["budget"], body["seed"], body["name"]) == ({"queries": 5000}, 0, "By keyboard")


def test_only_changed_settings_are_sent(page: Page, site: Site) -> None:
    open_form(page, site)
    page.get_by_label("Preset").select_option("fast")
    page.get_by_text("Advanced: the settings of the method").click()
    expect(page.get_by_label("intrinsic_dim")).to_have_attribute("placeholder", "100")
    page.get_by_label("sigma0").fill("0.5")
    page.get_by_label("step_size").select_option("tpa")
    page.get_by_label("antithetic").uncheck()
    page.get_by_label("Preset").select_option("paper")
    expect(page.get_by_label("sigma0")).to_have_value("0.5")
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_000", wait_until="commit")
    sent = site.api.posted[0]["method"]
    assert sent == {"name": "bbt", "preset": "paper", "sigma0": 0.5, "step_size": "tpa"}


def test_an_error_stands_beside_its_field_and_nothing_is_lost(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    site.api.refusal = Refused(422, "population_size must be at least 2.", "method.population_size")
    open_form(page, site)
    page.get_by_label("Baseline prompt").fill("Which queue?")
    page.get_by_role("button", name="Start job").click()
    expect(page.get_by_label("population_size")).to_be_focused()
    expect(beside(page, "setting-population_size")).to_contain_text("must be at least 2")
    expect(page.get_by_label("Baseline prompt")).to_have_value("Which queue?")
    site.api.refusal = Refused(422, "The word is empty.", "task.verbalizer.Login")
    page.get_by_role("button", name="Start job").click()
    expect(page.get_by_label("Login")).to_be_focused()
    site.api.refusal = Refused(503, "The store is busy.")
    complaints.expected.append("status of 503")
    page.get_by_role("button", name="Start job").click()
    expect(page.locator("#refusal")).to_contain_text("The store is busy.")
    expect(page.locator(".field-error.said")).to_have_count(0)


def test_a_method_that_the_endpoint_cannot_do_is_not_offered(page: Page, site: Site) -> None:
    open_form(page, site)
    option = page.locator("#method option[value=rlprompt]")
    expect(option).to_be_disabled()
    expect(option).to_have_text("RLPrompt (needs ranks vocabulary)")


def test_an_upload_shows_what_was_read_or_the_apis_error(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, site)
    page.locator("#file").set_input_files(files=[BAD])  # type: ignore[list-item]
    expect(beside(page, "label_column")).to_contain_text("The file has no column “label”")
    expect(page.locator("#file-hint")).to_have_text("bad.csv was not taken")
    expect(page.get_by_label("Label column")).to_be_focused()
    page.get_by_label("Label column").fill("topic")
    page.get_by_role("button", name="Upload again").click()
    expect(page.locator("#dataset")).to_have_value("mine")
    expect(beside(page, "label_column")).to_have_count(0)
    expect(page.locator("#preview")).to_contain_text("All labels")
    expect(page.locator("#words input")).to_have_count(2)
    assert site.api.uploads[-1] == {"label_column": "topic"}


def test_a_file_can_be_dropped(page: Page, site: Site, tmp_path: Path) -> None:
    page.goto(f"{site.url}/datasets", wait_until="domcontentloaded")
    expect(page.locator("#list")).to_contain_text("tickets")
    file = tmp_path / "mine.csv"
    file.write_bytes(GOOD)
    box = page.locator(".drop").bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        place = {"x": box["x"] + 30, "y": box["y"] + 20}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})
    expect(page.locator("#list")).to_contain_text("mine")
    expect(page.locator("#file-hint")).to_contain_text("184 rows read")


def test_rows_by_split_and_their_text_is_inert(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/datasets/tickets", wait_until="domcontentloaded")
    expect(page.locator("#counts")).to_contain_text("Feature request")
    expect(page.locator("#rows tbody tr")).to_have_count(50)
    expect(page.locator("#rows tbody tr").first).to_contain_text(samples.SCRIPT)
    page.get_by_role("link", name="Next rows").click()
    expect(page.locator("#rows tbody tr")).to_have_count(46)
    expect(page.get_by_role("link", name="Next rows")).to_have_count(0)
    page.get_by_role("link", name="test (360)").click()
    expect(page.locator("#rows tbody tr").nth(1)).to_contain_text("test row 2")


@with_plotly
@pytest.mark.parametrize(
    "path", ["/", "/jobs/new", "/datasets", "/datasets/tickets", "/jobs/a", "/jobs/a/report"]
)
def test_390_pixels_are_enough(page: Page, site: Site, path: str) -> None:
    job_id = site.api.add(samples.job("a", "running", name="word" * 30))
    site.api.begin(job_id)
    site.api.advance(job_id, 5)
    site.api.finish(job_id)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.url + path, wait_until="domcontentloaded")
    expect(page.locator("#rows, #form, #list table, #counts, #changed").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_by_the_system_and_by_the_button(page: Page, site: Site) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.goto(site.url, wait_until="domcontentloaded")
    assert page.evaluate(background) == "rgb(16, 20, 29)"
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate(background) == "rgb(246, 247, 250)"
    page.reload()
    assert page.evaluate(background) == "rgb(246, 247, 250)"


@with_plotly
def test_a_figure_follows_the_theme(page: Page, site: Site) -> None:
    job_id = site.api.add(samples.job("a", "running"))
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    page.wait_for_selector("#figure-loss .main-svg")
    with page.expect_response("**/figures/loss?theme=dark"):
        page.get_by_role("button", name="Change between light and dark").click()


def test_the_skip_link_is_first(page: Page, site: Site) -> None:
    page.goto(site.url, wait_until="domcontentloaded")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
