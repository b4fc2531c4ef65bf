"""Which train rows were asked most: the API's answer and its picture on the page of a job."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from jobs.admission import admit
from jobs.catalog import Catalog, Upload
from jobs.database import Database
from jobs.datasets import Reading
from jobs.models import CheckpointRow, GenerationRow, TimingRow
from jobs.queue import JobQueue
from jobs.spec import JobSpec
from jobs.store import JobStore
from tests.image_files import in_splits, zipped
from tests.web import samples
from tests.web.browser import Complaints
from tests.web.conftest import NO_PLOTLY, serving

pytestmark = pytest.mark.browser

SHARES = [[0, 5], [2, 41], [3, 5]]  # train row, its queries
TEXTS = f"text,label,split\n{samples.SCRIPT},red,train\na sky,blue,train\na <b>sea</b>,blue,train\n"
TEXTS += "a rose,red,train\nblood,red,dev\nwater,blue,dev\nfire,red,test\nice,blue,test\n"


@dataclass
class Ground:
    """The real service without runners, and the queue that a runner would hold."""

    url: str
    catalog: Catalog
    queue: JobQueue
    store: JobStore

    def job(self, endpoint: str, dataset: str, shares: list[list[int]] | None) -> str:
        """One that has recorded one generation."""
        method = {"name": "ops-lr", "preset": "fast"}
        given = {"endpoint": endpoint, "dataset": dataset, "method": method}
        spec = JobSpec.model_validate({**given, "budget": {"queries": 9000}})
        self.store.enqueue(admit(spec, self.catalog))
        held = self.queue.claim("a runner")
        assert held is not None
        unknown = {"object", "seconds", "model_seconds"}  # to the row
        told = {name: x for name, x in samples.generation(1).items() if name not in unknown}
        row = GenerationRow(job_id=held.id, allocation=shares, **told)
        timing = TimingRow(job_id=held.id, number=1, seconds=1.0, model_seconds=1.0)
        saved = CheckpointRow(job_id=held.id, number=1, queries=row.queries, state=b"")
        self.queue.record(held, row, timing, saved, None)
        return held.id

    def told(self, job_id: str) -> Any:
        return httpx.get(f"{self.url}/api/jobs/{job_id}/allocation").json()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("shares")
    settings = Settings(data=folder, runners=0, _env_file=None)  # type: ignore[call-arg]
    app = create_app(settings)
    catalog: Catalog = app.state.service.catalog
    catalog.add_dataset("pets", Upload("pets.zip", zipped(in_splits())), Reading())
    catalog.add_dataset("things", Upload("things.csv", TEXTS.encode()), Reading())
    database = Database(settings.database)
    with serving(app) as url:
        yield Ground(url, catalog, JobQueue(database), app.state.service.store)
    database.close()


@pytest.fixture
def page(chromium: Browser, ground: Ground) -> Iterator[Page]:
    complaints = Complaints()
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    page.context.route("**/plotly.min.js*", lambda route: route.fulfill(body=NO_PLOTLY))
    complaints.listen(page, ground.url)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()
    assert complaints.unexpected() == []


def test_the_most_asked_rows_come_first(ground: Ground) -> None:
    told = ground.told(ground.job("digits-clip", "pets", SHARES))
    train = httpx.get(f"{ground.url}/api/datasets/pets/rows?split=train").json()["data"]
    assert (told["object"], told["generation"]) == ("allocation", 1)
    assert [one["queries"] for one in told["data"]] == [41, 5, 5]
    for share, row in zip(told["data"], (train[2], train[0], train[3]), strict=True):
        assert {name: share[name] for name in ("number", "inputs", "label")} == {
            name: row[name] for name in ("number", "inputs", "label")
        }


def test_nothing_is_shared_out_by_other_methods(ground: Ground) -> None:
    assert ground.told(ground.job("minilm", "things", None))["data"] == []


def test_images_stand_with_their_queries(page: Page, ground: Ground) -> None:
    job_id = ground.job("digits-clip", "pets", SHARES)
    page.goto(f"{ground.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("#shares li")).to_have_count(3)
    expect(page.locator("#shares .number")).to_have_text(["41", "5", "5"])
    labels = [one["label"] for one in ground.told(job_id)["data"]]
    expect(page.locator("#shares small:not(.number)")).to_have_text(labels)
    expect(page.locator("#shares .example:visible")).to_have_count(0)
    page.locator("#shares img").last.scroll_into_view_if_needed()
    for n in range(3):
        page.wait_for_function(
            "(n) => document.querySelectorAll('#shares img')[n].naturalWidth === 8", arg=n
        )
    bars = page.locator("#shares .bar").evaluate_all(
        "(all) => all.map((one) => Number(getComputedStyle(one).getPropertyValue('--share')))"
    )
    assert bars == pytest.approx([1, 5 / 41, 5 / 41])


def test_texts_are_shown_as_they_are(page: Page, ground: Ground) -> None:
    job_id = ground.job("minilm", "things", [[0, 7], [2, 9]])
    page.goto(f"{ground.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("#shares .example")).to_have_text(["a <b>sea</b>", samples.SCRIPT])
    expect(page.locator("#shares img:visible")).to_have_count(0)
    expect(page.locator("#shares-title")).to_contain_text("among the 2 train rows of generation 1")


def test_where_nothing_is_shared_out_there_is_no_picture(page: Page, ground: Ground) -> None:
    job_id = ground.job("minilm", "things", None)
    page.goto(f"{ground.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("[data-field=generation]")).to_have_text("1")
    expect(page.locator("#shares-title")).to_be_hidden()
