"""Many tabs on running jobs: a browser gives a host six connections, and streams hold theirs."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.conftest import eventually
from tests.web.browser import Complaints
from tests.web.conftest import Site

pytestmark = pytest.mark.browser

TABS = 8
PATIENCE = 15_000  # ms: eight pages at once are work
STREAMS = 4  # as in events.js: two connections are left for everything else


@pytest.fixture
def context(page: Page) -> BrowserContext:
    """That of the watched page."""
    return page.context


def tabs(context: BrowserContext, site: Site, jobs: list[str], heard: Complaints) -> list[Page]:
    opened = []
    for job in jobs:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        heard.listen(tab, site.url)
        tab.goto(f"{site.url}/jobs/{job}", wait_until="domcontentloaded")
        opened.append(tab)
    return opened


def shows(tab: Page, generation: int) -> None:
    expect(tab.locator("[data-item=generation] dd")).to_have_text(str(generation), timeout=PATIENCE)


def visible(tab: Page) -> bool:
    return tab.evaluate("document.visibilityState") == "visible"


def test_eight_tabs_on_one_job_are_all_live(
    context: BrowserContext, site: Site, complaints: Complaints
) -> None:
    job = site.stage.job()
    site.stage.advance(job, 2)
    opened = tabs(context, site, [job] * TABS, complaints)
    assert all(map(visible, opened))  # a headless browser hides none, so none may hang
    for tab in opened:
        shows(tab, 2)
    site.stage.advance(job)
    for tab in opened:
        shows(tab, 3)
    eventually(lambda: 1 <= site.wire.streams <= STREAMS)


def test_tabs_on_different_jobs_share_the_connections_too(
    context: BrowserContext, site: Site, complaints: Complaints
) -> None:
    jobs = [site.stage.job() for _ in range(TABS)]
    for job in jobs:
        site.stage.advance(job)
    opened = tabs(context, site, jobs, complaints)
    for number in (2, 3):
        for job in jobs:
            site.stage.advance(job)
        for tab in opened:
            shows(tab, number)
    eventually(lambda: site.wire.streams == STREAMS)


def test_a_tab_that_is_closed_hands_its_stream_on(
    context: BrowserContext, site: Site, complaints: Complaints
) -> None:
    job = site.stage.job()
    site.stage.advance(job)
    opened = tabs(context, site, [job] * (STREAMS + 1), complaints)
    eventually(lambda: site.wire.streams == STREAMS)
    begun = len(site.wire.opened)
    opened[0].close()
    eventually(lambda: len(site.wire.opened) > begun)
    eventually(lambda: site.wire.streams == STREAMS)
    site.stage.end(job, "cancelled")
    for tab in opened[1:]:
        expect(tab.locator("#status[data-status=cancelled]")).to_be_visible()
    eventually(lambda: site.wire.streams == 0)
