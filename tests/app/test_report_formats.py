"""Reports as files to keep: all of what was found is in them, and nothing in them acts."""

import csv
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from markdown_it import MarkdownIt

from tests.servers import ROWS, Service, spec
from tests.web.browser import Complaints, launched, width_of
from tests.web.test_markdown import joined

FORMATS = ("markdown", "html")
LABELS = {"a|b `c`": "blue", "<b>red</b>": "red"}  # label -> word
TEXT = "</pre><script>alert(1)</script> | ``` **x** ![i](//example.org/i.png)\n# {n} sky"
PROMPT = "```\n</blockquote><img src=x onerror=alert(1)>\n<script>alert(2)</script> {{ 7 * 7 }}"
NAME = "<script>alert(3)</script> | `tick` # #"


class Page(HTMLParser):
    """Its tags, and its texts in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def words(self) -> str:
        return joined(" ".join(self.texts))


def ask(service: Service, job_id: str, format: str) -> httpx.Response:
    return service.http.get(f"/api/jobs/{job_id}/report", params={"format": format})


def as_read(answer: httpx.Response, format: str) -> str:
    """Every word that a reader sees."""
    assert answer.status_code == 200, answer.text
    if format == "html":
        return Page(answer.text).words
    tokens = MarkdownIt("commonmark").enable("table").parse(answer.text)
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds == {"text", "strong_open", "strong_close"}, "headings and tables of plain words"
    shown = [
        "".join(child.content for child in token.children or []) or token.content
        for token in tokens
    ]
    return joined(" ".join(shown))


@pytest.fixture(scope="module")
def hostile(tuning: Service) -> dict[str, Any]:
    """A finished job whose every text wants out of where it stands."""
    made = io.StringIO()
    write = csv.writer(made)
    write.writerow(["text", "label", "split"])
    for split, n in ROWS.items():
        for number in range(n):
            write.writerows(
                [TEXT.replace("{n}", f"{split} {number} {word}"), label, split]
                for label, word in LABELS.items()
            )
    tuning.upload(made.getvalue(), "hostile")
    task = {"baseline": PROMPT, "verbalizer": LABELS, "template": "{prompt} {text}"}
    asked = spec(generations=1, dataset="hostile", name=NAME, task=task)
    job = tuning.ended(tuning.submit(asked))
    assert job["status"] == "succeeded", job["error"]
    return job


@pytest.fixture(scope="module")
def browser_page(hostile: dict[str, Any], tuning: Service, tmp_path_factory: Any) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("kept") / "report.html"
    path.write_bytes(ask(tuning, hostile["id"], "html").content)
    with launched() as browser:
        page = browser.new_page()
        complaints = Complaints()
        complaints.listen(page, "file://")
        page.goto(path.as_uri())
        yield page, complaints


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_to_keep(format: str, tuning: Service, finished: dict[str, Any]) -> None:
    answer = ask(tuning, finished["id"], format)
    ending = {"markdown": "md", "html": "html"}[format]
    assert answer.headers["content-type"] == f"text/{format}; charset=utf-8"
    disposition = f'attachment; filename="{finished["id"]}-report.{ending}"'
    assert answer.headers["content-disposition"] == disposition
    assert ask(tuning, finished["id"], format).content == answer.content
    assert "http" not in answer.text.replace("http-equiv", ""), "nothing is fetched"


@pytest.mark.parametrize("format", FORMATS)
def test_all_that_was_found_is_in_it(
    format: str, tuning: Service, finished: dict[str, Any]
) -> None:
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    shown = as_read(ask(tuning, finished["id"], format), format)
    for side in ("baseline", "tuned"):
        found = report[side]
        low, high = (f"{100 * found[name]:.1f}" for name in ("low", "high"))
        row = f"{side.capitalize()} {100 * found['accuracy']:.1f} % {low} to {high} % 12"
        assert f"{row} {found['loss']:.3f} nats" in shown
        for label, counts in zip(report["labels"], found["confusion"], strict=True):
            assert f"{label} {counts[0]} {counts[1]}" in shown
    for row in report["changed"]:
        answers = f"{row['inputs']['text']} {row['label']} {row['baseline']} {row['tuned']}"
        assert answers in shown
    assert joined(report["message"]) in shown
    assert f"p-value, exact McNemar {report['p_value']:.2g}" in shown
    assert tuning.get("/api/datasets/colors")["sha256"] in shown
    assert all(f"{name} {number}" in shown for name, number in report["versions"].items())
    assert joined(json.dumps(finished["spec"], indent=2)) in shown
    spent, expected = report["usage"]["queries"], report["estimate"]["queries"]
    three = " ".join(str(expected[name]) for name in ("low", "typical", "ceiling"))
    assert f"Queries on train and dev {spent} {three} {spent}" in shown
    assert "Queries on test 24 24 24 24 –" in shown


def test_the_curves_are_drawn_and_told(tuning: Service, finished: dict[str, Any]) -> None:
    page = Page(ask(tuning, finished["id"], "html").text)
    assert {"svg", "path"} <= page.tags
    for name in ("Incumbent, dev", "Baseline, dev", "Tuned, test", "Queries spent"):
        assert name in page.texts
    told = as_read(ask(tuning, finished["id"], "markdown"), "markdown")
    rows = tuning.get(f"/api/jobs/{finished['id']}/generations")["data"]
    assert len(rows) == 4
    for row in rows:
        assert f"{row['number']} {row['queries']} {row['dev_loss']:.3f} nats" in told
    assert f"Baseline 8 {finished['baseline']['dev_loss']:.3f} nats" in told


def test_json_is_as_it_was(tuning: Service, finished: dict[str, Any]) -> None:
    plain = tuning.http.get(f"/api/jobs/{finished['id']}/report")
    named = ask(tuning, finished["id"], "json")
    assert named.content == plain.content
    assert "content-disposition" not in plain.headers
    assert plain.json()["object"] == "report"


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_texts_are_texts(format: str, tuning: Service, hostile: dict[str, Any]) -> None:
    shown = as_read(ask(tuning, hostile["id"], format), format)
    report = tuning.get(f"/api/jobs/{hostile['id']}/report")
    assert report["kept"] or report["changed"], "there are examples to be shown"
    for row in [*report["kept"], *report["changed"]]:
        assert joined(row["inputs"]["text"]) in shown
    for text in (NAME, PROMPT, *LABELS):
        assert joined(text) in shown


def test_no_hostile_tag_comes_through(tuning: Service, hostile: dict[str, Any]) -> None:
    page = Page(ask(tuning, hostile["id"], "html").text)
    assert not page.tags & {"script", "img", "b", "iframe", "link", "object", "form", "a"}
    assert not {name for name in page.attributes if name.startswith(("on", "src", "href"))}
    assert "<script" not in ask(tuning, hostile["id"], "markdown").text.split("```")[0]


@pytest.mark.browser
def test_a_browser_opens_it_without_a_network_or_a_script(browser_page: Any) -> None:
    page, complaints = browser_page
    assert complaints.unexpected() == []
    assert page.title() == f"Report of {NAME}"
    figures = page.locator("svg")
    assert figures.count() == 2
    assert all(figure.bounding_box()["height"] > 100 for figure in figures.all())
    assert page.locator("blockquote").first.inner_text() == PROMPT
    for width in (1200, 380):
        page.set_viewport_size({"width": width, "height": 800})
        assert width_of(page) <= width


def test_the_data_may_have_gone(tuning: Service) -> None:
    """The hash that is told is of the rows that were tuned on, whatever has become of them."""
    content = "text,label,split\n" + "".join(
        f"{word} {split} {n},{word},{split}\n"
        for split, rows in ROWS.items()
        for n in range(rows)
        for word in ("blue", "red")
    )
    first = tuning.upload(content, "fleeting")["sha256"]
    job_id = tuning.submit(spec(generations=1, dataset="fleeting"))
    assert tuning.ended(job_id)["status"] == "succeeded"
    assert first in ask(tuning, job_id, "markdown").text
    tuning.http.delete("/api/datasets/fleeting")
    gone = "fleeting (deleted, or made anew since)"
    assert gone in ask(tuning, job_id, "markdown").text
    second = tuning.upload(content.replace("red", "rose"), "fleeting")["sha256"]
    for format in FORMATS:
        text = ask(tuning, job_id, format).text
        assert gone in text
        assert first in text, "the report has kept it"
        assert second not in text
    report = tuning.get(f"/api/jobs/{job_id}/report")
    assert report["dataset"] == {"id": "fleeting", "sha256": first}, "taken when it was made"
    assert report["endpoint"] == {"kind": "encoder", "model": "minilm"}
    tuning.http.delete("/api/datasets/fleeting")
    assert tuning.upload(content, "fleeting")["sha256"] == first
    assert first in ask(tuning, job_id, "markdown").text, "the very same rows are back"


@pytest.mark.parametrize("format", FORMATS)
def test_before_there_is_one(format: str, idle: Service, waiting: str) -> None:
    for job_id, status, code in ((waiting, 409, "no_report_yet"), ("job_0", 404, "no_such_job")):
        answer = ask(idle, job_id, format)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_another_format(tuning: Service, finished: dict[str, Any]) -> None:
    answer = ask(tuning, finished["id"], "pdf")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, "format")
    assert "markdown" in error["message"]
