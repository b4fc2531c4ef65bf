"""The pages of datasets in a real browser: the list, uploading, the rows of one, deleting it."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import Site
from tests.web.forms import beside
from tests.web.samples import SCRIPT

pytestmark = pytest.mark.browser

ROWS = {"train": 60, "dev": 2, "test": 3}  # of all labels; 60 need two pages
LABELS = ("yes", "no")
MANY = "text,label,split\n" + "".join(
    f"{split} row {n}{SCRIPT if n == 0 else ''},{LABELS[n % 2]},{split}\n"
    for split, rows in ROWS.items()
    for n in range(rows)
)
NEWS = "text,headline\n" + "".join(f"Rain fell on day {n},It rained\n" for n in range(40))
TOPICS = b"text,topic\n" + b"".join(
    b"hello %d,%s\n" % (n, b"no" if n % 2 else b"yes") for n in range(80)
)


def visit(page: Page, site: Site, path: str) -> None:
    page.goto(site.url + path, wait_until="domcontentloaded")


def test_the_list_says_what_is_in_each(page: Page, site: Site) -> None:
    site.stage.dataset(NEWS, "news", target_column="headline", shots="5")
    visit(page, site, "/datasets")
    texts = {
        "news": ["40", "target texts", "5", "5", "30", "drawn, 5 shots, seed 0", "just now"],
        "tickets": ["552", "6 labels", "96", "96", "360", "given", "built in"],
    }
    for name, told in texts.items():
        expect(page.locator(f"tr[data-item={name}] td")).to_have_text(told)
    expect(page.locator("tr[data-item=two-digits] th")).to_contain_text("images")
    page.get_by_role("link", name="news").click()
    expect(page.locator(".meta")).to_contain_text("target texts, to be written by the model")
    expect(page.locator("#counts td")).to_have_text(["5", "5", "30"])


def test_a_file_can_be_dropped(page: Page, site: Site, tmp_path: Path) -> None:
    visit(page, site, "/datasets")
    file = tmp_path / "Mine.csv"
    file.write_text(MANY)
    box = page.locator(".drop").bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        place = {"x": box["x"] + 30, "y": box["y"] + 20}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})
    page.wait_for_url("**/datasets/mine", wait_until="domcontentloaded")
    expect(page.locator(".meta")).to_contain_text("Mine.csv")
    expect(page.locator("#counts tbody tr:last-child td")).to_have_text(["60", "2", "3"])


def test_what_is_wrong_with_a_file_is_told_at_once(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    visit(page, site, "/datasets")
    file = {"name": "topics.csv", "mimeType": "text/csv", "buffer": TOPICS}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    expect(beside(page, "label_column")).to_contain_text("label")
    expect(page.locator("#file-hint")).to_have_text("topics.csv was not taken")
    expect(page.get_by_label("Label column")).to_be_focused()
    assert "topics" not in {one["id"] for one in site.stage.get("/api/datasets")["data"]}
    page.get_by_label("Label column").fill("topic")
    page.get_by_role("button", name="Upload again").click()
    page.wait_for_url("**/datasets/topics", wait_until="domcontentloaded")
    expect(page.locator(".meta")).to_contain_text("drawn, 16 shots, seed 0")


def test_rows_by_split_and_their_text_is_inert(page: Page, site: Site) -> None:
    site.stage.dataset(MANY)
    visit(page, site, "/datasets/mine")
    rows = page.locator("#rows tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text(f"train row 0{SCRIPT}")
    expect(page.get_by_role("link", name="First rows")).to_have_count(0)
    page.get_by_role("link", name="Next rows").click()
    expect(rows).to_have_count(10)
    expect(rows.first).to_contain_text("train row 50")
    expect(page.get_by_role("link", name="Next rows")).to_have_count(0)
    page.get_by_role("link", name="First rows").click()
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="test (3)").click()
    expect(rows.locator("td:nth-child(2)")).to_have_text(
        [f"test row 0{SCRIPT}", "test row 1", "test row 2"]
    )


def test_deleting_asks_first_and_is_refused_while_a_job_needs_it(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 409")
    site.stage.dataset(MANY)
    job = site.stage.job(dataset="mine")
    visit(page, site, "/datasets/mine")
    page.get_by_role("button", name="Delete…").click()
    page.keyboard.press("Enter")  # "Keep it" has the focus
    expect(page.locator("#confirm")).to_be_hidden()
    assert not [one for one in site.wire.asked if one.startswith("DELETE")]
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete dataset").click()
    expect(page.locator("#problem")).to_contain_text(f"'mine' is needed by {job}")
    site.stage.end(job)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete dataset").click()
    page.wait_for_url("**/datasets", wait_until="domcontentloaded")
    expect(page.locator("tr[data-item=tickets]")).to_be_visible()
    expect(page.locator("tr[data-item=mine]")).to_have_count(0)


def test_what_is_built_in_cannot_be_deleted(site: Site) -> None:
    text = httpx.get(f"{site.url}/datasets/tickets").text
    assert "data-delete" not in text
    assert "tickets.csv, built in" in text


def test_without_a_script_it_can_still_be_used(chromium: Browser, site: Site) -> None:
    site.stage.dataset(MANY)
    page = chromium.new_page(java_script_enabled=False)
    visit(page, site, "/datasets/mine")
    expect(page.get_by_role("button", name="Delete…")).to_be_hidden()
    page.get_by_role("link", name="Use in a new job").click()
    expect(page.locator("#dataset")).to_have_value("mine")
    close(page.context)


def test_past_the_end_there_are_no_rows(site: Site) -> None:
    text = httpx.get(f"{site.url}/datasets/tickets?split=test&after=552").text
    assert "There are no more rows in this split." in text
    assert "First rows" in text


@pytest.mark.parametrize("path", ["/datasets", "/datasets/mine", "/datasets/two-digits"])
def test_390_pixels_are_enough(page: Page, site: Site, path: str) -> None:
    site.stage.dataset(MANY.replace("row 1,", f"{'word' * 30},"))
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, site, path)
    expect(page.locator("#list, #counts").first).to_be_visible()
    assert width_of(page) <= 390
