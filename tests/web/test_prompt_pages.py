"""Prompts under names in a real browser: named, called, rolled back, compared."""

import html
import json
import subprocess
import sys

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import Complaints, close, width_of
from tests.web.conftest import Site
from tests.web.samples import SCRIPT
from web.calling import NO_EXAMPLE, content_of
from web.diffs import Line, Piece, lined, worded

pytestmark = pytest.mark.browser

OLD, NEW = "Which team handles this ticket?", "Which team should handle this support ticket?"
ROWS = "text,label,split\n" + "".join(
    f"{text},{label},{split}\n"
    for split, text in (("train", "t"), ("dev", "d"), ("test", f"Isn’t it 'late'? {SCRIPT}"))
    for label in ("yes", "no")
)


def visit(page: Page, site: Site, path: str) -> None:
    page.goto(site.url + path, wait_until="domcontentloaded")


def versions(site: Site, *kinds: str, name: str = "support") -> list[str]:
    """A name with a version of each kind, the first of generation 1; the ids of its jobs."""
    jobs = []
    for number, kind in enumerate(kinds, 1):
        job = site.stage.job(f"job {number}", method={"name": "grips"})
        site.stage.advance(job, number, kind)  # type: ignore[arg-type]
        site.stage.post("/api/prompts", {"name": name, "job": job})
        jobs.append(job)
    return jobs


def current(site: Site, name: str = "support") -> int:
    return int(site.stage.get(f"/api/prompts/{name}")["version"])


def test_at_first_it_is_said_where_prompts_come_from(page: Page, site: Site) -> None:
    site.stage.job("still waiting")
    visit(page, site, "/prompts")
    expect(page.locator("#none")).to_have_text("No prompt has a name yet.")
    expect(page.locator("#give")).to_contain_text("No job has a prompt yet")
    expect(page.locator("#form")).to_have_count(0)


def test_a_jobs_prompt_gets_a_name(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    site.stage.job("still waiting")
    job = site.stage.job(SCRIPT)
    site.stage.advance(job, 2)
    visit(page, site, f"/prompts?job={job}")
    expect(page.locator("#job option")).to_have_count(1)
    expect(page.locator("#job option")).to_contain_text(SCRIPT)
    expect(page.locator("#job")).to_have_value(job)
    page.locator("#name").fill("No Name")
    page.get_by_role("button", name="Give it this name").click()
    expect(page.locator("#form")).to_contain_text("'No Name' cannot be a name")
    page.locator("#name").fill("support")
    page.get_by_role("button", name="Give it this name").click()
    page.wait_for_url("**/prompts/support", wait_until="domcontentloaded")
    expect(page.locator("#version")).to_have_text("1")
    expect(page.locator("#words")).to_contain_text("Vectors at the input, which have no words.")
    expect(page.locator("#changes")).to_have_count(0)
    page.get_by_role("link", name="New version…").click()
    expect(page.locator("#name")).to_have_value("support")
    row = page.locator("tr[data-item=support]")
    expect(row).to_contain_text("pt:minilm:support")
    expect(row).to_contain_text("soft")


def test_a_job_that_is_older_or_not_there_can_be_named_in_the_address(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.views.prompts.JOBS", 1)
    jobs = versions(site, "text", "text")
    for address, options in ((jobs[0], 2), ("nope", 1), (f"{jobs[0]}/generations", 1)):
        answer = httpx.get(f"{site.url}/prompts", params={"job": address})
        assert answer.status_code == 200
        assert answer.text.count('<option value="job_') == options


def test_rolling_back_asks_first_and_can_be_undone(page: Page, site: Site) -> None:
    jobs = versions(site, "text", "text")
    visit(page, site, "/prompts/support")
    expect(page.locator("#words blockquote")).to_have_text(NEW)
    links = page.locator("#versions tbody a[href^='/jobs']")
    expect(links).to_have_text(jobs[::-1])
    make = page.get_by_role("button", name="Make version 1 the current one…")
    make.click()
    page.keyboard.press("Enter")  # "Leave it" has the focus
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert current(site) == 2
    make.click()
    expect(page.get_by_role("dialog")).to_contain_text("Version 2 stays, so this can be undone.")
    page.get_by_role("button", name="Make it current").click()
    expect(page.locator("#version")).to_have_text("1")
    expect(page.locator("#words blockquote")).to_have_text(OLD)
    assert current(site) == 1
    page.get_by_role("button", name="Make version 2 the current one…").click()
    page.get_by_role("button", name="Make it current").click()
    expect(page.locator("#version")).to_have_text("2")
    assert current(site) == 2


def test_what_has_changed_is_told_word_by_word(page: Page, site: Site) -> None:
    versions(site, "text", "text")
    visit(page, site, "/prompts/support")
    page.get_by_role("link", name="Changes from version 1 to the current one").click()
    expect(page.get_by_role("heading", name="From version 1 to 2")).to_be_visible()
    expect(page.locator(".diff > div")).to_have_text([f"−{OLD}", f"+{NEW}"])
    expect(page.locator(".diff del")).to_have_text(["handles "])
    expect(page.locator(".diff ins")).to_have_text(["should handle ", "support "])


def test_versions_are_compared_without_a_script(chromium: Browser, site: Site) -> None:
    versions(site, "text", "text", "text")
    page = chromium.new_page(java_script_enabled=False)
    visit(page, site, "/prompts/support")
    page.get_by_label("From version", exact=True).select_option("3")
    page.get_by_label("to version", exact=True).select_option("1")
    page.get_by_role("button", name="Show changes").click()
    expect(page.get_by_role("heading", name="From version 3 to 1")).to_be_visible()
    expect(page.get_by_label("From version", exact=True)).to_have_value("3")
    expect(page.locator(".diff ins").last).to_be_visible()
    expect(page.get_by_role("button", name="Make version 1 the current one…")).to_be_hidden()
    close(page.context)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("first=1&second=2", "version 2 is a soft prompt; only texts can be compared"),
        ("first=1&second=9", "9"),
        ("first=1", "second"),
        ("first=1&second=<b>", "second"),
    ],
)
def test_what_cannot_be_compared_is_said_in_place(site: Site, query: str, said: str) -> None:
    versions(site, "text", "soft")
    answer = httpx.get(f"{site.url}/prompts/support?{query}")
    assert answer.status_code == 200
    note = answer.text.split('<p class="note" role="alert">')[1].split("</p>")[0]
    assert said in note
    assert "<b>" not in answer.text


def test_a_name_with_many_versions_is_paged(page: Page, site: Site) -> None:
    job = versions(site, "text")[0]
    for _ in range(22):
        site.stage.post("/api/prompts", {"name": "support", "job": job})
    visit(page, site, "/prompts/support")
    rows = page.locator("#versions tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_role("link", name="Older versions").click()
    expect(rows.locator("th")).to_have_text(["3", "2", "1"])


def test_both_snippets_bring_an_answer(page: Page, site: Site) -> None:
    versions(site, "soft")
    visit(page, site, "/prompts/support")
    curl = page.locator("#snippet-1").inner_text()
    told = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True)
    answer = json.loads(told.stdout)["choices"][0]["message"]["content"]
    assert answer in site.stage.get("/api/datasets/tickets")["labels"]
    client = page.locator("#snippet-2").inner_text()
    told = subprocess.run(
        [sys.executable, "-c", client], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{answer}\n"


def test_an_image_is_called_by_its_name(page: Page, site: Site) -> None:
    job = site.stage.job(
        endpoint="digits-clip", dataset="two-digits", method={"name": "ops-spsa", "preset": "fast"}
    )
    site.stage.advance(job)
    site.stage.post("/api/prompts", {"name": "digits", "job": job})
    visit(page, site, "/prompts/digits")
    expect(page.locator("#call")).to_contain_text("data:image/png;base64,…")
    row = site.stage.get("/api/datasets/two-digits/rows", split="test", limit=1)["data"][0]
    expect(page.locator("#snippet-1")).to_contain_text(row["inputs"]["image"])


def test_the_example_is_inert_and_quoted(page: Page, site: Site) -> None:
    site.stage.dataset(ROWS)
    job = site.stage.job(dataset="mine")
    site.stage.advance(job)
    site.stage.post("/api/prompts", {"name": "mine", "job": job})
    visit(page, site, "/prompts/mine")
    expect(page.locator("#snippet-2")).to_contain_text(SCRIPT)
    shell = page.locator("#snippet-1").inner_text().replace("curl", "printf '%s\\n'", 1)
    told = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    body = json.loads(told.stdout.split("-d\n")[1])
    assert body["messages"][0]["content"] == f"Isn’t it 'late'? {SCRIPT}"


def test_a_version_outlives_its_job_and_its_data(page: Page, site: Site) -> None:
    site.stage.dataset(ROWS)
    job = site.stage.job(dataset="mine")
    site.stage.advance(job)
    site.stage.post("/api/prompts", {"name": "mine", "job": job})
    site.stage.end(job)
    site.stage.delete(f"/api/jobs/{job}")
    site.stage.delete("/api/datasets/mine")
    visit(page, site, "/prompts/mine")
    expect(page.locator("#snippet-1")).to_contain_text(NO_EXAMPLE)
    expect(page.locator("#version")).to_have_text("1")


def test_an_unknown_name_shows_the_apis_message(site: Site) -> None:
    answer = httpx.get(f"{site.url}/prompts/nope")
    assert answer.status_code == 404
    assert "no prompt is called" in answer.text


def test_where_a_key_is_sent_the_snippets_name_its_variable(site: Site) -> None:
    versions(site, "text")
    key = site.stage.post("/api/keys", {"name": "reader", "role": "read"})["key"]
    headers = {"authorization": f"Bearer {key}"}
    text = html.unescape(httpx.get(f"{site.url}/prompts/support", headers=headers).text)
    assert '-H "authorization: Bearer $GRADLESS_API_KEY"' in text
    assert 'api_key=os.environ["GRADLESS_API_KEY"]' in text
    assert key not in text


@pytest.mark.parametrize(
    ("row", "template", "image", "content"),
    [
        ({"text": "a  b " * 20}, "{prompt} {text}", "", f"{'a b ' * 14}a …"),
        ({"q": "who", "where": "here"}, None, "", '{"q": "who", "where": "here"}'),
        ({"q": "who", "where": "here"}, "{prompt} {q}", "", "who"),
        ({"i": "x.png"}, None, "i", [{"type": "image_url", "image_url": {"url": "x.png"}}]),
        (
            {"i": "x.png", "q": "who"},
            None,
            "i",
            [{"type": "text", "text": "who"}, {"type": "image_url", "image_url": {"url": "x.png"}}],
        ),
        (None, None, "", NO_EXAMPLE),
    ],
)
def test_an_input_as_a_message(
    row: dict[str, str] | None, template: str | None, image: str, content: object
) -> None:
    assert content_of(row, template, image) == content


def test_words_that_stay_go_and_come() -> None:
    assert worded("be brief and kind", "be kind and so on") == [
        Piece("same", "be "),
        Piece("del", "brief "),
        Piece("ins", "kind "),
        Piece("same", "and "),
        Piece("del", "kind"),
        Piece("ins", "so on"),
    ]
    assert worded("", "all new") == [Piece("ins", "all new")]
    assert worded("a b", "a b") == [Piece("same", "a b")]
    assert worded("say it in the end", "why is the sky blue") == [  # one word says nothing
        Piece("del", "say it in the end"),
        Piece("ins", "why is the sky blue"),
    ]


def test_lines_that_stay_go_and_come() -> None:
    assert list(lined(["  same", "- gone", "  ", "- a b c", "+ a b d", "+ come"])) == [
        Line("same", [Piece("same", "same")]),
        Line("del", [Piece("del", "gone")]),
        Line("same", [Piece("same", "")]),
        Line("del", [Piece("same", "a b "), Piece("del", "c")]),
        Line("ins", [Piece("same", "a b "), Piece("ins", "d")]),
        Line("ins", [Piece("ins", "come")]),
    ]


@pytest.mark.parametrize("path", ["/prompts", "/prompts/support?first=1&second=2"])
def test_390_pixels_are_enough(page: Page, site: Site, path: str) -> None:
    versions(site, "text", "text", "soft")
    versions(site, "soft", name="w" * 64)
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, site, path)
    assert width_of(page) <= 390
