"""`python -m docs.screenshots`: a picture of every page of the real service, into this folder.

A service with a folder of its own tunes a small real job; nothing is drawn from made-up numbers.
"""

import json
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from tests.servers import ROOT, Service
from tests.web.browser import launched

HERE = Path(__file__).parent
SPEC = json.loads((ROOT / "examples" / "bbt-tickets.json").read_text())
QUERIES = 40_000  # a minute and a half of two cores
WIDTH, HEIGHT, MARGIN = 1400, 900, 10  # pixels
PATIENCE = 600  # seconds for the job
IMAGES = {
    "name": "two digits",
    "endpoint": "digits-clip",
    "dataset": "two-digits",
    "method": {"name": "ops-spsa", "preset": "fast"},
    "budget": {"queries": 8000},  # half a minute
}
OTHERS = ({"name": "tickets, another seed", "seed": 1}, {"name": "tickets, a third", "seed": 2})
NAME = "team-for-tickets"  # a prompt's
SEEN_IMAGES_ARE_THERE = """() => [...document.images].every((one) => one.complete
    || (one.loading === 'lazy' && one.getBoundingClientRect().top > 2 * innerHeight))"""
MOST_BYTES = 400_000


@dataclass(frozen=True)
class Shot:
    """A page, what must be seen on it first, and how much of it the picture shows: from its top."""

    name: str
    path: str
    ready: tuple[str, ...]  # selectors of what must be visible
    until: str  # selector of what comes last in the picture
    click: str = ""  # selector of what is opened first
    width: int = WIDTH
    scheme: str = "light"


FINISHED = tuple(f"#figure-{name} .main-svg" for name in ("loss", "accuracy", "comparison"))
CURVES, SUBMIT = "#curves", ".operation:has-text('Submit a tuning job')"
COMPARED = tuple(f"#figure-{name} .main-svg" for name in ("accuracy", "loss"))
ESTIMATED = "[data-told=queries]:has-text('at most')"
SHOTS = (
    Shot("home", "/", (".spark", "#results"), until="main"),
    Shot("jobs", "/jobs", ("[data-status=running]", "[data-status=queued]"), until="main"),
    Shot("job", "/jobs/{job}", FINISHED, until=CURVES),
    Shot("job-dark", "/jobs/{job}", FINISHED, until=CURVES, scheme="dark"),
    Shot("job-390", "/jobs/{job}", FINISHED, until=f"{CURVES} > .card", width=390),
    Shot("job-images", "/jobs/{images}", FINISHED, until=CURVES),
    Shot("report", "/jobs/{job}/report", COMPARED, until="#changed tbody tr:nth-child(8)"),
    Shot("compare", "/compare?jobs={job},{running}", COMPARED, until="main"),
    Shot("new", "/jobs/new?dataset=tickets&endpoint=minilm", (ESTIMATED,), until="#step-method"),
    Shot("datasets", "/datasets", ("table",), until="main"),
    Shot("dataset", "/datasets/tickets", ("#counts",), until="#table tbody tr:nth-child(12)"),
    Shot("images", "/datasets/two-digits", ("#rows img",), until=".gallery:nth-of-type(4)"),
    Shot("endpoints", "/endpoints", ("table",), until="main"),
    Shot("endpoint", "/endpoints/minilm", ("h1",), until="main"),
    Shot("prompts", "/prompts", ("table",), until="main"),
    Shot("prompt", "/prompts/{name}", ("h1",), until="main"),
    Shot("keys", "/keys", ("h1",), until="main"),
    Shot("api", "/api/docs", ("h1",), until=SUBMIT, click=f"{SUBMIT} summary"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        service = Service(Path(scratch))
        with closing(service), launched() as browser:
            job = service.start().submit({**SPEC, "budget": {"queries": QUERIES}})
            images = service.submit(IMAGES)
            for ended in (service.ended(one, PATIENCE) for one in (job, images)):
                assert ended["status"] == "succeeded", ended["error"]
            running, _ = [service.submit({**SPEC, **other}) for other in OTHERS]
            service.reached(running, 1, PATIENCE)
            service.http.post("/api/prompts", json={"name": NAME, "job": job}).raise_for_status()
            ids = {"job": job, "images": images, "running": running, "name": NAME}
            for shot in SHOTS:
                _tell(_take(browser, shot, service.url + shot.path.format(**ids)))


def _take(browser: Browser, shot: Shot, url: str) -> Path:
    size = {"width": shot.width, "height": HEIGHT}
    context = browser.new_context(viewport=size, color_scheme=shot.scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    with closing(context):
        page = context.new_page()
        page.goto(url, wait_until="domcontentloaded")
        for selector in shot.ready:
            page.locator(selector).first.wait_for()
        page.wait_for_function(SEEN_IMAGES_ARE_THERE)
        if shot.click:
            page.locator(shot.click).click()
        box = page.locator(shot.until).first.bounding_box()
        assert box is not None, f"{shot.until} is not on {url}"
        height = round(box["y"] + box["height"] + page.evaluate("scrollY")) + MARGIN
        path = HERE / f"{shot.name}.png"
        clip = {"x": 0, "y": 0, "width": shot.width, "height": height}
        page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
    return path


def _tell(path: Path) -> None:
    size = path.stat().st_size
    assert size <= MOST_BYTES, f"{path.name} has {size:,} bytes"
    print(f"{path.relative_to(ROOT)}  {size / 1000:.0f} kB")  # noqa: T201


if __name__ == "__main__":
    main()
