"""A job on images in the dashboard of the real service: form, page, a file of one's own, report."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.image_files import picture
from tests.servers import Service
from tests.web.browser import Complaints, close, width_of
from tests.web.forms import choose, open_form

pytestmark = pytest.mark.browser

SOON, LATER = 15_000, 60_000  # ms, on a machine that may be busy
QUERIES = 3040  # one generation
FILE = {"name": "mine.png", "mimeType": "image/png", "buffer": picture(size=(16, 16))}
BROKEN = {**FILE, "buffer": b"GIF89a"}
PASTE = """(bytes) => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([new Uint8Array(bytes)], 'a.png', { type: 'image/png' }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
}"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of its own: the newcomer of other tests wants to find no job."""
    with closing(Service(tmp_path_factory.mktemp("image-jobs"))) as service:
        yield service.start()


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert heard.unexpected() == []


@pytest.fixture
def page(chromium: Browser, real: Service, complaints: Complaints) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(SOON)
    complaints.listen(page, real.url)
    yield page
    close(page.context)


def test_the_form_says_which_endpoints_fit_the_data(page: Page, real: Service) -> None:
    open_form(page, real.url, "?dataset=tickets&endpoint=minilm")
    ids = ("minilm", "digits-clip")
    minilm, clip = (page.locator(f"#endpoint option[value={id_}]") for id_ in ids)
    expect(clip).to_have_text("digits-clip (needs images)")
    expect(clip).to_be_disabled()
    choose(page, "Dataset", "two-digits")
    expect(minilm).to_have_text("minilm (reads no images)")
    expect(minilm).to_be_disabled()
    expect(page.locator("#endpoint")).to_have_value("digits-clip")
    expect(page.locator("#dataset option:checked")).to_contain_text("images, 10 labels")


def test_an_endpoint_asked_for_brings_data_that_fit(page: Page, real: Service) -> None:
    open_form(page, real.url, "?endpoint=digits-clip")
    expect(page.locator("#dataset")).to_have_value("two-digits")
    expect(page.locator("#endpoint")).to_have_value("digits-clip")
    open_form(page, real.url, "?endpoint=minilm")
    expect(page.locator("#dataset")).to_have_value("tickets")


def test_a_prompt_is_tuned_for_images(
    page: Page, real: Service, complaints: Complaints, chromium: Browser
) -> None:
    complaints.expected.append("status of 422")
    open_form(page, real.url, "?dataset=two-digits")
    choose(page, "Method", "bpt-vlm")
    page.get_by_label("Budget (queries)").fill(str(QUERIES))
    page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")
    expect(page.locator("#status")).to_have_text("succeeded", timeout=LATER)
    report = real.get(page.url.replace("/jobs/", "/api/jobs/") + "/report")
    kept = len(report.get("kept", []))
    see_the_images(page, min(10, len(report["changed"])) + kept)
    try_a_file(page)
    see_the_inside(page)
    bare = chromium.new_page(java_script_enabled=False, viewport={"width": 390, "height": 844})
    complaints.listen(bare, real.url)
    bare.goto(f"{page.url}/report", wait_until="networkidle")
    see_the_images(bare, len(report["changed"]) + kept)
    assert width_of(bare) <= 390
    close(bare.context)


def see_the_images(page: Page, n: int) -> None:
    """One in each row, and no name of one."""
    images = page.locator("#changed tbody th img")
    expect(images).to_have_count(n)
    images.first.scroll_into_view_if_needed()
    assert n > 0
    assert images.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    assert "sha256" not in " ".join(page.locator("#changed tbody tr").all_text_contents())


def try_a_file(page: Page) -> None:
    ask = page.get_by_role("button", name="Ask both prompts")
    page.locator("#try-image").set_input_files(BROKEN)  # type: ignore[arg-type]
    ask.click()
    expect(page.locator("#try-problem")).to_contain_text("no PNG, JPEG or WebP", timeout=LATER)
    page.locator("#try-image").set_input_files(FILE)  # type: ignore[arg-type]
    expect(page.locator("#try .drop img")).to_be_visible()
    page.wait_for_function("document.querySelector('#try .drop img').naturalWidth === 16")
    ask.click()
    expect(page.locator("#answers h3")).to_have_text(["Tuned", "Baseline"], timeout=LATER)
    expect(page.locator("#try-problem")).to_be_hidden()
    page.evaluate(PASTE, list(picture(size=(24, 24))))
    page.wait_for_function("document.querySelector('#try .drop img').naturalWidth === 24")


def see_the_inside(page: Page) -> None:
    page.get_by_text("Inside the optimizer").click()
    expect(page.locator("#figure-internals .main-svg").first).to_be_visible()
    expect(page.locator("#figure-internals")).to_contain_text("Scale of the noise")
