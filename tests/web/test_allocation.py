"""Which train rows were asked most: the API's answer and its picture on the page of a job."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.image_files import in_splits, zipped
from tests.web.browser import width_of
from tests.web.conftest import Site
from tests.web.steps import fact, visit

pytestmark = pytest.mark.browser

SHARES = {0: 5, 2: 41, 3: 5}  # train row: its queries
SCRIPT = "<script>alert(1)</script>"
TEXTS = f"text,label,split\n{SCRIPT},red,train\na sky,blue,train\na <b>sea</b>,blue,train\n"
TEXTS += "a rose,red,train\nblood,red,dev\nwater,blue,dev\nfire,red,test\nice,blue,test\n"


def told(site: Site, job_id: str) -> Any:
    return site.stage.get(f"/api/jobs/{job_id}/allocation")


def shared(site: Site, endpoint: str, dataset: str, shares: dict[int, int] | None) -> str:
    """A job that has recorded one generation."""
    method = {"name": "ops-lr", "preset": "fast"}
    job_id = site.stage.job(
        endpoint=endpoint, dataset=dataset, method=method, budget={"queries": 9000}
    )
    site.stage.begin(job_id)
    site.stage.advance(job_id, allocation=shares)
    return job_id


@pytest.fixture
def pets(site: Site) -> str:
    """A dataset of images."""
    file = {"file": ("pets.zip", zipped(in_splits()))}
    return str(site.stage.post("/api/datasets", files=file, data={"name": "pets"})["id"])


@pytest.fixture
def things(site: Site) -> str:
    return site.stage.dataset(TEXTS, "things")


def see(page: Page, site: Site, job_id: str) -> None:
    """On a small screen, which nothing may be too wide for."""
    page.set_viewport_size({"width": 390, "height": 900})
    visit(page, site, job_id)
    assert width_of(page) <= 390


def test_the_most_asked_rows_come_first(site: Site, pets: str) -> None:
    answer = told(site, shared(site, "digits-clip", pets, SHARES))
    train = site.stage.get(f"/api/datasets/{pets}/rows", split="train")["data"]
    assert (answer["object"], answer["generation"]) == ("allocation", 1)
    assert [one["queries"] for one in answer["data"]] == [41, 5, 5]
    for share, row in zip(answer["data"], (train[2], train[0], train[3]), strict=True):
        assert {name: share[name] for name in ("number", "inputs", "label")} == {
            name: row[name] for name in ("number", "inputs", "label")
        }


def test_nothing_is_shared_out_by_other_methods(site: Site, things: str) -> None:
    assert told(site, shared(site, "minilm", things, None))["data"] == []


def test_images_stand_with_their_queries(page: Page, site: Site, pets: str) -> None:
    job_id = shared(site, "digits-clip", pets, SHARES)
    see(page, site, job_id)
    expect(page.locator("#shares li")).to_have_count(3)
    expect(page.locator("#shares .number")).to_have_text(["41", "5", "5"])
    labels = [one["label"] for one in told(site, job_id)["data"]]
    expect(page.locator("#shares small:not(.number)")).to_have_text(labels)
    expect(page.locator("#shares .example")).to_have_count(0)
    page.locator("#shares img").last.scroll_into_view_if_needed()
    for n in range(3):
        page.wait_for_function(
            "(n) => document.querySelectorAll('#shares img')[n].naturalWidth === 8", arg=n
        )
    bars = page.locator("#shares .bar").evaluate_all(
        "(all) => all.map((one) => Number(getComputedStyle(one).getPropertyValue('--share')))"
    )
    assert bars == pytest.approx([1, 5 / 41, 5 / 41])


def test_texts_are_shown_as_they_are(page: Page, site: Site, things: str) -> None:
    see(page, site, shared(site, "minilm", things, {0: 7, 2: 9}))
    expect(page.locator("#shares .example")).to_have_text(["a <b>sea</b>", SCRIPT])
    expect(page.locator("#shares img")).to_have_count(0)
    expect(page.locator("#shares-title")).to_contain_text("among the 2 train rows of generation 1")


def test_where_nothing_is_shared_out_there_is_no_picture(
    page: Page, site: Site, things: str
) -> None:
    see(page, site, shared(site, "minilm", things, None))
    expect(fact(page, "generation")).to_have_text("1")
    expect(page.locator("#shares-title")).to_have_count(0)
