"""The page of a dataset of images: small images by label, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from jobs.catalog import Catalog, Upload
from jobs.datasets import Reading
from tests.image_files import SIZES, in_splits, picture, zipped
from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import serving

pytestmark = pytest.mark.browser

NASTY = "<img src=x onerror=alert(1)>"


def captioned() -> bytes:
    """The images of `in_splits` under a label and with texts that nobody may take for HTML."""
    files = in_splits()
    lines = ["image,label,split,caption"]
    for path in files:
        split, label, _ = path.split("/")
        lines.append(f"{path},{label if label == 'red' else NASTY},{split},a <b>{label}</b> one")
    return zipped({**files, "manifest.csv": "\n".join(lines).encode()})


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real service, without runners, and two datasets of images."""
    folder = tmp_path_factory.mktemp("images")
    app = create_app(Settings(data=folder, runners=0, _env_file=None))  # type: ignore[call-arg]
    catalog: Catalog = app.state.service.catalog
    large = {"train/red/large.jpg": picture("JPEG", (200, 0, 0), (400, 200))}
    catalog.add_dataset("pets", Upload("p.zip", zipped({**in_splits(), **large})), Reading())
    catalog.add_dataset("captioned", Upload("c.zip", captioned()), Reading())
    with serving(app) as address:
        yield address


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert heard.unexpected() == []


def opened(chromium: Browser, address: str, complaints: Complaints, **options: object) -> Page:
    page = chromium.new_page(viewport={"width": 390, "height": 900}, **options)  # type: ignore[arg-type]
    complaints.listen(page, address.split("/datasets")[0])
    page.goto(address, wait_until="networkidle")
    return page


@pytest.mark.parametrize("scripts", [True, False])
def test_images_stand_by_label(
    scripts: bool, chromium: Browser, url: str, complaints: Complaints
) -> None:
    page = opened(chromium, f"{url}/datasets/pets", complaints, java_script_enabled=scripts)
    expect(page.locator("#rows h3")).to_have_text(["blue 2 of 2", "red 3 of 3"])
    expect(page.locator("#rows img")).to_have_count(5)
    expect(page.get_by_role("img", name="red", exact=True)).to_have_count(3)
    page.get_by_role("link", name=f"test ({2 * SIZES['test']})").click()
    expect(page.locator("#rows h3")).to_have_text(["blue 3 of 3", "red 3 of 3"])
    expect(page.locator("#rows img")).to_have_count(2 * SIZES["test"])
    close(page.context)


def test_images_have_their_place_and_their_pixels(
    chromium: Browser, url: str, complaints: Complaints
) -> None:
    page = opened(chromium, f"{url}/datasets/pets", complaints)
    images = page.locator("#rows img")
    told = images.evaluate_all(
        """(all) => all.map((one) => ({
            shown: [one.clientWidth, one.clientHeight], real: [one.naturalWidth, one.naturalHeight],
            lazy: one.loading, grown: getComputedStyle(one).imageRendering }))"""
    )
    assert [one["shown"] for one in told] == [[64, 64]] * 5
    assert sorted(one["real"] for one in told) == [[8, 6]] * 4 + [[64, 32]]
    assert {(one["lazy"], one["grown"]) for one in told} == {("lazy", "pixelated")}
    assert width_of(page) <= 390
    images.last.click()
    page.wait_for_url(f"{url}/api/datasets/pets/images/sha256*")
    close(page.context)


def test_labels_and_captions_are_inert(chromium: Browser, url: str, complaints: Complaints) -> None:
    page = opened(chromium, f"{url}/datasets/captioned", complaints)
    expect(page.locator("#rows h3").first).to_have_text(f"{NASTY} 2 of 2")
    expect(page.locator("#rows small").nth(1)).to_have_text("a <b>blue</b> one")
    expect(page.locator("#rows img")).to_have_count(4)
    assert page.locator("#rows b").count() == 0
    assert width_of(page) <= 390
    close(page.context)


def test_rows_of_texts_stay_a_table(chromium: Browser, url: str, complaints: Complaints) -> None:
    page = opened(chromium, f"{url}/datasets/tickets", complaints)
    expect(page.locator("#table tbody tr")).to_have_count(50)
    expect(page.locator("#rows img")).to_have_count(0)
    close(page.context)
