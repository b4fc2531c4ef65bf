"""Every page with JavaScript off: its main facts are there to be read, curves included."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.web.browser import close
from tests.web.conftest import Site
from tests.web.looks import PAGES
from tests.web.stage import Stage
from web import formats

pytestmark = pytest.mark.browser

Made = dict[str, str]
Facts = Callable[[Stage, Made], list[str]]
FIGURES = {"job running": 2, "job ended": 4, "job of words": 4, "report": 2, "compare": 2}
LOADED = "images => images.filter(each => each.complete && each.naturalWidth > 0).length"


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    close(context)


def job(state: str) -> Facts:
    """Its name, state, spending and the best found so far."""

    def facts(stage: Stage, made: Made) -> list[str]:
        told = stage.get(f"/api/jobs/{made[state]}")
        at, best, first = told["progress"], told["incumbent"], told["baseline"]
        spent = f"{formats.count(at['queries'])} of {formats.count(at['budget'])}"
        return [
            told["name"],
            told["status"],
            spent,
            *([formats.percent(first["dev_accuracy"])] if first else []),
            *([formats.percent(best["dev_accuracy"])] if best else []),
            *([told["error"]["message"]] if told["error"] else []),
            *([told["result"]["message"]] if told["result"] else []),
            *([best["text"]] if best and best["text"] else []),
        ]

    return facts


def names_of_jobs(*states: str) -> Facts:
    return lambda stage, made: [stage.get(f"/api/jobs/{made[each]}")["name"] for each in states]


def every(path: str, *keys: str) -> Facts:
    """These fields of all that the API lists there."""

    def facts(stage: Stage, made: Made) -> list[str]:
        listed = stage.get(path.format(**made))["data"]
        assert listed
        return [str(each[key]) for each in listed for key in keys]

    return facts


def report(stage: Stage, made: Made) -> list[str]:
    told = stage.get(f"/api/jobs/{made['ended']}/report")
    sides = [told[side] for side in ("baseline", "tuned")]
    rows = [row["inputs"]["text"] for row in told["changed"]]
    return [
        told["message"],
        *(formats.percent(side["accuracy"]) for side in sides),
        *(formats.interval(side) for side in sides),
        *rows,
    ]


def spent_today(stage: Stage, _: Made) -> list[str]:
    today = stage.get("/api/summary")["today"]
    return [formats.count(today["queries"]), formats.count(today["tokens"])]


def both(*parts: Facts) -> Facts:
    return lambda stage, made: [fact for part in parts for fact in part(stage, made)]


def said(*words: str) -> Facts:
    return lambda stage, made: list(words)


EVERYONE = ("queued", "running", "paused", "ended", "failed", "cancelled", "words")
FACTS: dict[str, Facts] = {
    "home": both(names_of_jobs("running", "queued", "ended"), spent_today),
    "jobs": names_of_jobs(*EVERYONE),
    "new job": both(every("/api/datasets", "id"), every("/api/endpoints", "id")),
    **{f"job {state}": job(state) for state in EVERYONE[:-1]},
    "job of words": job("words"),
    "report": report,
    "compare": both(names_of_jobs("ended", "no better"), said("72.8 %", "87.5 %")),
    "datasets": every("/api/datasets", "id"),
    "dataset": lambda stage, made: [
        row["inputs"]["text"]
        for row in stage.get("/api/datasets/tickets/rows", split="train")["data"]
    ],
    "dataset of images": every("/api/datasets/two-digits/rows", "label"),
    "endpoints": every("/api/endpoints", "id", "model"),
    "endpoint": said("qwen3-0.6b", "http://127.0.0.1:8080/v1", "MY_API_KEY"),
    "prompts": every("/api/prompts", "name", "model"),
    "one name": both(every("/api/prompts", "name", "model"), every("/api/prompts", "text")),
    "keys": both(every("/api/keys", "name", "role"), every("/api/projects", "id")),
    "api": said("/api/jobs/{job_id}/events", "Submit a tuning job"),
}


@pytest.mark.parametrize("name", PAGES)
def test_its_main_facts_can_be_read(name: str, page: Page, whole_site: Site, made: Made) -> None:
    answer = page.goto(whole_site.url + PAGES[name].format(**made), wait_until="load")
    assert answer is not None and answer.ok
    assert page.locator("h1").count() == 1
    text = " ".join(page.locator("main").inner_text().split())
    facts = [" ".join(fact.split()) for fact in FACTS[name](whole_site.stage, made)]
    assert facts
    assert [fact for fact in facts if fact not in text] == []
    drawn = page.locator("main figure img").evaluate_all(LOADED)
    assert drawn >= FIGURES.get(name, 0)
