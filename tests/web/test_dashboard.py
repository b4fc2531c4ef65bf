"""What all pages share, in a real browser: the way around, small screens, light and dark."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints, width_of
from tests.web.conftest import Site
from tests.web.looks import PAGES, furnish

pytestmark = pytest.mark.browser


def test_390_pixels_are_enough(page: Page, site: Site) -> None:
    made = furnish(site.stage)
    made["long"] = site.stage.job("word" * 25)
    site.stage.advance(made["long"], 2)
    pages = {**PAGES, "long": "/jobs/{long}", "long among others": "/compare?jobs={ended},{long}"}
    page.set_viewport_size({"width": 390, "height": 844})
    wide = {}
    for name, address in pages.items():
        page.goto(site.url + address.format(**made), wait_until="domcontentloaded")
        width = width_of(page)
        if width > 390:
            wide[name] = width
    assert wide == {}


def test_the_way_around_is_whole_on_a_small_screen(page: Page, site: Site) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(site.url)
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    boxes = [link.bounding_box() for link in links.all()]
    rows = sorted({round(box["y"]) for box in boxes if box})
    assert len(boxes) == 8 and len(rows) == 2
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    cut = "all => all.filter((link) => link.scrollWidth > link.clientWidth).length"
    assert links.evaluate_all(cut) == 0


def test_every_page_says_where_one_is(site: Site) -> None:
    made = furnish(site.stage)
    sections = {name: address.split("?")[0].split("/")[1] for name, address in PAGES.items()}
    named = {"": "Home", "api": "API"}
    for name, address in PAGES.items():
        text = httpx.get(site.url + address.format(**made)).text
        current = re.findall(r'aria-current="page">([^<]*)<', text)
        section = sections[name]
        assert current == [named.get(section, section.capitalize())], name


def test_dark_by_the_system_and_by_the_button(page: Page, site: Site) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    page.goto(site.url)
    assert page.evaluate(background) == "rgb(16, 20, 29)"
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate(background) == "rgb(246, 247, 250)"
    page.reload()
    assert page.evaluate(background) == "rgb(246, 247, 250)"


@pytest.mark.usefixtures("real_plotly")
def test_a_figure_follows_the_theme(page: Page, site: Site) -> None:
    job_id = site.stage.job()
    site.stage.advance(job_id)
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    page.wait_for_selector("#figure-loss .main-svg", timeout=20_000)
    with page.expect_response("**/figures/loss?theme=dark"):
        page.get_by_role("button", name="Change between light and dark").click()


def test_a_figure_says_when_it_cannot_be_drawn(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("ERR_FAILED")
    page.route("**/plotly.min.js*", lambda route: route.abort())
    job_id = site.stage.job()
    site.stage.advance(job_id)
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("#figure-loss .plot")).to_contain_text("did not load")


def test_the_skip_link_is_first(page: Page, site: Site) -> None:
    page.goto(site.url, wait_until="domcontentloaded")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
