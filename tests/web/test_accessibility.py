"""Every page by axe, light and dark, wide and narrow: nothing of weight is in anybody's way."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.web.browser import close
from tests.web.conftest import NO_PLOTLY, Site
from tests.web.looks import PAGES

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
RUN = "() => axe.run(document, {resultTypes: ['violations']})"
OF_WEIGHT = ("serious", "critical")
LOOKS = (("light", 1400), ("dark", 390))  # each color and each layout; axe takes seconds
OPEN = "() => document.querySelectorAll('main details').forEach((each) => { each.open = true; })"


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """Without motion, whose halves would be measured as colors."""
    context = chromium.new_context(reduced_motion="reduce")
    context.route("**/plotly.min.js*", lambda route: route.fulfill(body=NO_PLOTLY))
    yield context.new_page()
    close(context)


def findings(page: Page) -> list[str]:
    """What axe finds of weight on the page as it looks now."""
    found: dict[str, Any] = page.evaluate(RUN)
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {node['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in OF_WEIGHT
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_in_anybodys_way(
    name: str, page: Page, whole_site: Site, made: dict[str, str]
) -> None:
    answer = page.goto(whole_site.url + PAGES[name].format(**made), wait_until="load")
    assert answer is not None and answer.ok, f"{answer and answer.status}"
    page.evaluate(OPEN)
    page.evaluate(AXE)
    found = {}
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        if some := findings(page):
            found[scheme, width] = some
    assert found == {}


def test_axe_sees_what_is_wrong(page: Page, whole_site: Site, made: dict[str, str]) -> None:
    page.goto(whole_site.url, wait_until="load")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    page.evaluate(AXE)
    assert any(each.startswith("label (critical)") for each in findings(page))
