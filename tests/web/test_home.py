"""Home and the list of jobs: in words, over HTTP, and kept fresh in a browser."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints
from tests.web.conftest import Site
from web.formats import money
from web.sparks import spark
from web.views import home

SCRIPT = "<script>alert(1)</script>"
CALM = {"running": 0, "queued": 0, "paused": 0, "runners": [{"alive": True}]}
DEAD = [{"alive": False}]


def html(site: Site, path: str = "/") -> str:
    answer = httpx.get(site.url + path)
    assert answer.status_code == 200
    return answer.text


def one(status: str, **more: Any) -> dict[str, Any]:
    """What the words are made of, of a job."""
    return {"status": status, "result": None, "metric": "accuracy", **more}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "Nothing is running"),
        ({"running": 1}, "1 job running"),
        ({"running": 2, "queued": 3, "paused": 1}, "2 jobs running, 3 queued, 1 paused"),
        ({"queued": 1}, "1 job queued"),
    ],
)
def test_the_headline_says_how_things_stand(counts: dict[str, int], said: str) -> None:
    assert home.headline({**CALM, **counts}).replace("\xa0", " ") == said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"queued": 1}, ""),
        ({"runners": DEAD}, ""),
        ({"runners": DEAD, "paused": 1}, ""),
        ({"runners": DEAD, "queued": 1}, "No runner is alive: 1 job waits for one."),
        ({"runners": DEAD, "running": 1}, ""),  # by another service, or its lease still holds
        ({"runners": [], "queued": 2, "running": 1}, "No runner is alive: 2 jobs wait for one."),
    ],
)
def test_only_waiting_jobs_miss_a_runner(counts: dict[str, Any], said: str) -> None:
    assert home.idle({**CALM, **counts}).replace("\xa0", " ") == said


def test_money_keeps_its_currencies_apart() -> None:
    assert home.amounts({"USD": 1.2, "EUR": 0.00123, "CHF": 0.0}) == [
        "0.00123\xa0EUR",
        "1.20\xa0USD",
    ]


def test_waiting_jobs_stand_in_the_order_they_are_taken() -> None:
    old, new, urgent = (
        {"priority": priority, "created_at": at} for priority, at in ((0, "1"), (0, "2"), (5, "3"))
    )
    assert home.in_order([new, urgent, old], [{"paused": 1}]) == [urgent, old, new, {"paused": 1}]


def test_the_last_that_ended_is_told_first_and_only_so_many() -> None:
    over = [one("cancelled", finished_at=f"2026-11-{day:02}") for day in (3, 9, 1, 8, 2, 7, 5)]
    told = home.told({**CALM, "today": {"cost": {}}}, {}, over)
    days = [each.job["finished_at"][-2:] for each in told["results"]]
    assert days == ["09", "08", "07", "05", "03", "02"]


def test_an_outcome_is_not_made_better_than_it_is() -> None:
    shares = {"baseline": {"accuracy": 0.7}, "tuned": {"accuracy": 0.72}}
    no_gain = home.ended(one("succeeded", result={"outcome": "no_improvement", **shares}))
    assert (no_gain.outcome, no_gain.kind) == ("no_improvement", "")
    assert no_gain.difference == pytest.approx(0.02)
    not_measured = home.ended(one("succeeded", result={"outcome": "not_measured"}))
    assert (not_measured.result, not_measured.difference) == (None, None)
    assert home.ended(one("failed")).kind == "broken"
    assert home.ended(one("cancelled")).kind == ""


def test_a_spark_line_goes_from_the_baseline_to_now() -> None:
    before = {"queries": 100, "dev_accuracy": 0.7}
    shares = [(200, 0.8), (300, 0.9), (500, 0.85)]
    found = [{"queries": at, "incumbent_dev_accuracy": share} for at, share in shares]
    drawn = spark(one("running", baseline=before), found)
    assert drawn is not None
    assert drawn.path == "M6.0 58.0H83.0V32.0H160.0V6.0H314.0V19.0"
    assert (drawn.level, drawn.end) == (58.0, (314.0, 19.0))
    assert drawn.label.replace("\xa0", " ") == (
        "Dev accuracy against queries: 70.0 % at first, 85.0 % now, 90.0 % at best"
    )


def test_a_spark_line_does_not_blow_up_noise_and_needs_something_to_draw() -> None:
    before = {"queries": 100, "dev_accuracy": 0.7}
    found = [{"queries": 200, "incumbent_dev_accuracy": 0.701}]
    drawn = spark(one("running", baseline=before), found)
    assert drawn is not None and drawn.end[1] > 54
    assert spark(one("running", baseline=None), found) is None
    assert spark(one("running", baseline=before), []) is None


def test_without_a_script_the_page_says_it_all(site: Site) -> None:
    stage = site.stage
    for name, outcome in (("won", "improved"), ("lost", "no_improvement")):
        stage.finish(stage.job(name), outcome)
    stage.fail(stage.job("broke"), "The model gave no number.")
    stage.advance(stage.job("going"), 5)
    stage.job("next")
    text = html(site).replace("\xa0", " ")
    assert "<h1>1 job running, 1 queued</h1>" in text
    assert re.search(r'<svg class="spark"[^>]* role="img" aria-label="Dev accuracy against', text)
    assert "of 40,000 queries" in text
    won, lost = (
        re.search(rf"<tr(?:(?!</tr>).)*>{name}<.*?</tr>", text, re.DOTALL)
        for name in ("won", "lost")
    )
    assert won is not None and lost is not None
    assert re.search(r'data-kind="fixed">Improved<.*\+14\.\d points.*&lt; 0\.001', won[0], re.S)
    assert re.search(r'data-kind="">No improvement<.*\+0\.\d points', lost[0], re.S)
    assert "The model gave no number." in text
    assert '<section id="first-visit"' not in text


def test_what_was_spent_today_is_summed(site: Site) -> None:
    site.stage.endpoint("hosted")
    here = site.stage.job()
    paid = site.stage.job(endpoint="hosted", method={"name": "grips", "preset": "paper"})
    site.stage.advance(here, 3)
    assert "<b>no</b> money" in html(site)
    site.stage.advance(paid, 2)
    spent = [site.stage.get(f"/api/jobs/{job}") for job in (here, paid)]
    usage = spent[1]["usage"]
    text = html(site)
    assert f"<b>{sum(job['progress']['queries'] for job in spent):,}</b> queries" in text
    assert f"<b>{usage['tokens_in'] + usage['tokens_out']:,}</b> tokens" in text
    assert f"<b>{money(usage['cost'])}\xa0EUR</b>" in text


def test_a_page_that_waits_for_a_runner_says_so(site: Site) -> None:
    site.stage.job()
    site.stage.runner_alive = False
    assert "No runner is alive: 1\xa0job waits for one." in html(site)


def test_names_are_text(site: Site) -> None:
    site.stage.advance(site.stage.job(SCRIPT))
    site.stage.job(SCRIPT)
    for path in ("/", "/jobs"):
        assert "<script>alert" not in html(site, path)
        assert html(site, path).count("&lt;script&gt;alert(1)&lt;/script&gt;</a>") == 2


def test_the_list_by_status_and_by_pages(site: Site) -> None:
    newest = [site.stage.job(f"job {n}") for n in range(home.ON_A_PAGE + 1)]
    site.stage.advance(newest[-1])
    text = html(site, "/jobs")
    assert text.count("<tr data-item=") == home.ON_A_PAGE
    older = re.search(r'href="(/jobs\?after=[^"]+)">Older jobs', text)
    assert older is not None
    assert re.findall(r'data-item="(\w+)"', html(site, older[1])) == [newest[0]]
    assert "Older jobs" not in html(site, older[1])
    assert re.findall(r'data-item="(\w+)"', html(site, "/jobs?status=running")) == [newest[-1]]
    assert "No job is failed." in html(site, "/jobs?status=failed")
    queued = re.search(r'href="([^"]+)">Older', html(site, "/jobs?status=queued"))
    assert queued is None  # all twenty that wait are on it


def test_a_status_that_there_is_not_is_refused(site: Site) -> None:
    answer = httpx.get(f"{site.url}/jobs?status=lost")
    assert answer.status_code == 422
    assert "status" in answer.text


@pytest.mark.browser
def test_first_visit_starts_a_demo_job(page: Page, site: Site) -> None:
    page.goto(site.url, wait_until="domcontentloaded")
    page.get_by_role("button", name="Start a demo job").click()
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")
    (job,) = site.stage.get("/api/jobs")["data"]
    spec = job["spec"]
    assert (spec["endpoint"], spec["dataset"]) == ("minilm", "tickets")
    assert (spec["method"]["name"], spec["method"]["preset"]) == ("shift", "fast")
    assert spec["budget"]["queries"] == 40_000


@pytest.mark.browser
def test_a_refused_demo_is_told(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 503")
    page.goto(site.url, wait_until="domcontentloaded")
    site.wire.away = True
    page.get_by_role("button", name="Start a demo job").click()
    expect(page.locator("#problem")).to_contain_text("The service is away.")


@pytest.mark.browser
def test_home_keeps_itself_fresh(page: Page, site: Site) -> None:
    job = site.stage.job("going")
    site.stage.advance(job)
    page.clock.install()
    page.goto(site.url, wait_until="domcontentloaded")
    card = page.locator(f".running [data-item={job}]")
    before = card.locator("svg").get_attribute("aria-label")
    site.stage.advance(job, 4)
    page.clock.run_for(home.BUSY)
    expect(card.locator("svg")).not_to_have_attribute("aria-label", str(before))
    site.stage.finish(job)
    page.clock.run_for(home.BUSY)
    expect(page.locator("h1")).to_have_text("Nothing is running")
    expect(page.locator(f"#results [data-item={job}]")).to_contain_text("Improved")
    expect(page).to_have_title("Nothing is running · Gradless")


@pytest.mark.browser
def test_the_list_keeps_itself_fresh_and_what_was_picked(page: Page, site: Site) -> None:
    job = site.stage.job("going")
    site.stage.begin(job)
    page.clock.install()
    page.goto(f"{site.url}/jobs", wait_until="domcontentloaded")
    line = page.locator(f"[data-item={job}]")
    line.get_by_role("checkbox").check()
    site.stage.advance(job, 2)
    spent = site.stage.get(f"/api/jobs/{job}")["progress"]["queries"]
    page.clock.run_for(home.BUSY)
    expect(line).to_contain_text(f"{spent:,} of 40,000 queries")
    site.stage.finish(job)
    page.clock.run_for(home.BUSY)
    expect(line).to_contain_text("improved")
    expect(line.get_by_role("checkbox")).to_be_checked()
