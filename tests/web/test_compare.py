"""Several jobs beside each other: what the page says, and how one gets there."""

import html
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import eventually
from tests.web.browser import close
from tests.web.conftest import Site
from web.views import compare

SCRIPT = "<script>alert(1)</script>"
PATIENCE = 20_000  # ms: plotly is parsed anew on each page


def ended(site: Site, name: str | None, outcome: str = "improved", **spec: Any) -> str:
    job = site.stage.job(name, **spec)
    site.stage.advance(job, 3)
    site.stage.finish(job, outcome)
    return job


def shown(site: Site, *jobs: str, **query: str) -> str:
    params = {"jobs": list(jobs), **query}
    answer = httpx.get(f"{site.url}/compare", params=params)
    assert answer.status_code == 200, answer.text
    return answer.text.replace("\xa0", " ")


def rows(text: str, section: str) -> list[str]:
    """The lines of the first table of a section, tags left out."""
    (table,) = re.findall(rf'<section id="{section}".*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    lines = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", line)).split()) for line in lines]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ([], []),
        ([""], []),
        (["a", "b"], ["a", "b"]),
        (["a,b", " c ,"], ["a", "b", "c"]),
    ],
)
def test_ids_by_commas_or_one_by_one(given: list[str], ids: list[str]) -> None:
    assert compare.picked(given) == ids


def test_a_setting_is_written_as_it_is_said() -> None:
    values = [None, "", "tpa", 0.5, 40_000, True, ["a", "é"]]
    written = ["–", "(empty)", "tpa", "0.5", "40000", "true", '["a", "é"]']
    assert [compare.written(value) for value in values] == written


def test_shares_are_called_by_their_measure_if_all_have_the_same() -> None:
    assert compare.measure([{"metric": "accuracy"}, {"metric": "accuracy"}]) == "Accuracy"
    assert compare.measure([{"metric": "accuracy"}, {"metric": "f1"}]) == "Score"


def test_two_jobs_in_full(site: Site) -> None:
    first = ended(site, SCRIPT)
    second = ended(site, "calm", "no_improvement", seed=1)
    text = shown(site, f"{first},{second}")
    assert "<script>alert" not in text
    for name in ("accuracy", "loss"):
        address = f"/api/compare/figures/{name}?jobs={first},{second}&amp;axis=queries"
        assert f'data-figure="{address}"' in text
        drawn = httpx.get(site.url + html.unescape(address)).json()
        assert len(drawn["data"]) >= 2
    won, calm = rows(text, "finals")
    assert re.match(rf"{re.escape(SCRIPT)} tickets · minilm · bbt Improved .*87\.5 % 83", won)
    assert re.match(r"calm tickets · minilm · bbt No improvement .* 73\.\d %", calm)
    (tested,) = rows(text, "tests")
    assert re.search(r"[−+]1\d\.\d points < 0\.001 .* 360$", tested)
    assert rows(text, "settings") == ["seed 0 1"]
    assert "<code>method.sigma0</code>" in text.split("Settings that are the same (")[1]


def test_a_difference_is_the_second_minus_the_first(site: Site) -> None:
    better, worse = ended(site, "better"), ended(site, "worse", "no_improvement", seed=1)
    for order, said in (((better, worse), "better worse −"), ((worse, better), "worse better +")):
        (tested,) = rows(shown(site, *order), "tests")
        assert re.match(rf"{re.escape(said)}1\d\.\d points", tested), tested


def test_where_there_is_no_test_the_reason_stands(site: Site) -> None:
    job, going = ended(site, "ended"), site.stage.job("going")
    site.stage.advance(going)
    text = shown(site, job, going)
    (tested,) = rows(text, "tests")
    assert "points" not in tested
    assert len(tested) > len("going ended ") + 10
    assert 'data-refresh="2000"' in text
    assert 'data-refresh="' not in shown(site, job, ended(site, "too"))


def test_an_address_says_the_axis(site: Site) -> None:
    ids = ",".join(ended(site, name) for name in ("a", "b"))
    text = shown(site, ids, axis="seconds")
    assert f"figures/loss?jobs={ids}&amp;axis=seconds" in text
    assert f'href="/compare?jobs={ids}&amp;axis=seconds" aria-current="true">time</a>' in text
    assert "axis=queries" in shown(site, ids, axis="moons")
    assert "None of these jobs has asked an API" in shown(site, ids, axis="cost")


def test_money_stands_beside_queries_where_some_was_spent(site: Site) -> None:
    site.stage.endpoint("hosted")
    hosted = ended(site, "paid", endpoint="hosted", method={"name": "grips", "preset": "paper"})
    text = shown(site, hosted, ended(site, "free"))
    assert "has asked an API" not in shown(site, hosted, ended(site, "other"), axis="cost")
    paid, free = rows(text, "finals")
    usage = site.stage.get(f"/api/jobs/{hosted}")["usage"]
    assert f"{usage['tokens_in'] + usage['tokens_out']:,} tokens" in paid
    assert re.search(r" 0\.\d+ EUR$", paid)
    assert re.search(r" 0 tokens 0\.00$", free)


def test_one_of_three_can_be_left_out(site: Site) -> None:
    a, b, c = (site.stage.job(name) for name in "abc")
    text = shown(site, a, b, c)
    assert f'<a href="/compare?jobs={a},{c}">Leave out</a>' in text
    assert "Leave out" not in shown(site, a, b)


@pytest.mark.parametrize(
    ("jobs", "status", "said"),
    [
        (["job_00000000000000000000", "{job}"], 404, "job_00000000000000000000"),
        (["{job}"], 422, "got 1 jobs; wanted 2 to 8"),
        (["{job}"] * 9, 422, "got 9 jobs; wanted 2 to 8"),
        (["{job}", "{job}"], 422, "is named twice"),
        ([SCRIPT, "{job}"], None, "&lt;script&gt;"),
    ],
)
def test_a_refusal_stands_in_place(
    jobs: list[str], status: int | None, said: str, site: Site
) -> None:
    job = site.stage.job("mine")
    site.stage.job("other")
    params = {"jobs": [each.format(job=job) for each in jobs]}
    answer = httpx.get(f"{site.url}/compare", params=params)
    assert answer.status_code == status or (status is None and answer.status_code in (404, 422))
    refused = re.search(r'id="refused">(.*?)</p>', answer.text)
    assert refused is not None and said in refused[1]
    assert re.search(rf'value="{job}"[^>]* checked', answer.text)


def test_nothing_to_compare_is_said(site: Site) -> None:
    assert "There are no jobs yet: two are needed" in shown(site)
    site.stage.job()
    assert "There is one job so far: two are needed" in shown(site)
    site.stage.job()
    assert '<form action="/compare"' in shown(site)


@pytest.mark.browser
def test_jobs_are_picked_from_the_list_without_a_script(chromium: Browser, site: Site) -> None:
    a, b, _ = (site.stage.job(name) for name in ("one", "two", "three"))
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/jobs")
    for name in ("one", "two"):
        page.get_by_label(f"Pick {name}").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 jobs")
    assert sorted(re.findall(r"job_\w+", page.url)) == sorted((a, b))
    picture = page.get_by_role("img", name=re.compile("Accuracy on dev"))
    eventually(
        lambda: picture.evaluate_all("all => all.some(({ naturalWidth }) => naturalWidth > 0)")
    )
    close(context)


@pytest.mark.browser
@pytest.mark.usefixtures("real_plotly")
def test_curves_are_drawn_and_the_axis_is_changed(page: Page, site: Site) -> None:
    ids = ",".join(ended(site, name, seed=seed) for seed, name in enumerate(("first", "second")))
    page.goto(f"{site.url}/compare?jobs={ids}", wait_until="domcontentloaded")
    figure = page.locator("#figure-accuracy")
    expect(figure.locator(".main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(figure).to_contain_text("second")
    page.get_by_role("navigation", name="drawn against").get_by_role("link", name="time").click()
    page.wait_for_url("**axis=seconds")
    loss = page.locator("#figure-loss")
    expect(loss).to_contain_text(re.compile("time of tuning", re.I), timeout=PATIENCE)


@pytest.mark.usefixtures("real_plotly")
def test_five_jobs_are_picked_from_the_list_and_held_against_each_other(
    page: Page, site: Site
) -> None:
    outcomes = ("improved", "no_improvement", "improved", "not_measured", "no_improvement")
    for seed, outcome in enumerate(outcomes):
        ended(site, f"number {seed}", outcome, seed=seed)
    page.goto(f"{site.url}/jobs", wait_until="domcontentloaded")
    boxes = page.locator("input[type=checkbox][name=jobs]")
    expect(boxes).to_have_count(5)
    for box in boxes.all():
        box.check()
    page.get_by_role("button", name=re.compile("compare", re.I)).click()
    page.wait_for_url("**/compare?*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 5 jobs")
    expect(page.locator("#finals tbody tr")).to_have_count(5)
    expect(page.locator("#tests tbody tr")).to_have_count(10)
    legend = page.locator("#figure-accuracy .legendtext")
    expect(legend.filter(has_text="number")).to_have_count(5, timeout=PATIENCE)
    again = page.context.new_page()  # the address is the comparison
    again.goto(page.url, wait_until="domcontentloaded")
    expect(again.locator("#finals tbody tr")).to_have_count(5)
