"""The page of a job with 10,000 generations: as light as that of a short one."""

import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import close
from tests.web.conftest import Site

pytestmark = pytest.mark.browser

MANY = 10_000
INTERACTIVE = 2.0  # seconds, while plotly is loading
POINTS = 1_000  # of a curve, at most
LARGEST = 200_000  # bytes of the page


@pytest.fixture(scope="module")
def long_job(whole_site: Site) -> str:
    """One that goes on."""
    whole_site.wire.restore()
    whole_site.stage.clear()
    job = whole_site.stage.job("a long one", budget={"queries": 10**9})
    whole_site.stage.advance(job, MANY)
    return job


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    close(context)


def test_the_page_and_its_curves_are_small(whole_site: Site, long_job: str) -> None:
    answer = httpx.get(f"{whole_site.url}/jobs/{long_job}", timeout=30)
    assert "10,000" in answer.text
    assert len(answer.content) < LARGEST
    for name in ("loss", "accuracy"):
        figure = whole_site.stage.get(f"/api/jobs/{long_job}/figures/{name}")
        lengths = [len(trace["x"]) for trace in figure["data"] if "x" in trace]
        assert 100 < max(lengths) <= POINTS


@pytest.mark.alone
def test_it_can_be_used_within_two_seconds(page: Page, whole_site: Site, long_job: str) -> None:
    page.goto(whole_site.url)  # where one comes from; a browser's first page takes longer
    begun = time.monotonic()
    page.goto(f"{whole_site.url}/jobs/{long_job}", wait_until="domcontentloaded")
    page.locator("#theme").click()
    expect(page.locator("html[data-theme=dark]")).to_be_attached()
    assert time.monotonic() - begun < INTERACTIVE
    page.locator("#figure-loss .main-svg").first.wait_for()
    whole_site.stage.advance(long_job)
    begun = time.monotonic()
    expect(page.locator("[data-item=generation] dd")).to_have_text(f"{MANY + 1:,}")
    assert time.monotonic() - begun < INTERACTIVE
