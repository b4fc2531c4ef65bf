"""The pages as HTTP: nothing inline, nothing from elsewhere, static files with caching."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from plotly import __file__ as plotly_file

from backends.registry import RUNGS, Capability
from jobs.methods import METHODS
from jobs.metrics import METRICS
from jobs.prompts import KINDS as KINDS_OF_PROMPTS
from tests.web.conftest import Site
from tests.web.looks import PAGES
from web import pages, words
from web.pages import not_found_page

STATIC = Path(pages.__file__).parent / "static"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(
    whole_site: Site, made: dict[str, str], name: str
) -> None:
    answer = httpx.get(whole_site.url + PAGES[name].format(**made))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert re.findall(r"<script(?![^>]*\bsrc=\"/static/)", answer.text) == []
    assert re.findall(r"<[^>]*\son\w+=", answer.text) == []
    links = re.findall(r"(?:src|href|action|data-\w+)=\"([^\"]*)\"", answer.text)
    assert links
    assert [link for link in links if re.match(r"javascript:|https?:|//", link)] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_javascript_says_where_the_api_is(
    whole_site: Site, made: dict[str, str], name: str
) -> None:
    text = httpx.get(whole_site.url + PAGES[name].format(**made)).text
    told = re.search(r"<noscript>(.*?)</noscript>", text, re.DOTALL)
    assert told is not None
    assert 'href="/api/' in told[1]


def test_ids_in_addresses_are_escaped(whole_site: Site) -> None:
    text = httpx.get(whole_site.url + "/jobs/%3Cscript%3Ealert(1)%22%27").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("name", [path.name for path in sorted(STATIC.iterdir())])
def test_static_files_are_revalidated_by_etag(whole_site: Site, name: str) -> None:
    first = httpx.get(f"{whole_site.url}/static/{name}")
    again = httpx.get(
        f"{whole_site.url}/static/{name}", headers={"if-none-match": first.headers["etag"]}
    )
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_plotly_comes_from_its_wheel_and_is_kept(whole_site: Site) -> None:
    answer = httpx.get(f"{whole_site.url}/static/plotly.min.js?v=7")
    source = Path(plotly_file).parent / "package_data" / "plotly.min.js"
    assert answer.content == source.read_bytes()
    assert "immutable" in answer.headers["cache-control"]
    assert "javascript" in answer.headers["content-type"]
    known = {"if-none-match": answer.headers["etag"]}
    assert httpx.get(f"{whole_site.url}/static/plotly.min.js", headers=known).status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/no.js", "/static/../pages.py", "/static/%2e%2e/pages.py"]
)
def test_nothing_else_is_served(whole_site: Site, path: str) -> None:
    assert httpx.get(whole_site.url + path).status_code == 404


def test_favicon(whole_site: Site) -> None:
    assert httpx.get(whole_site.url + "/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_the_page_for_an_unknown_address() -> None:
    scope = {"type": "http", "method": "GET", "path": "/nope", "headers": [], "query_string": b""}
    answer = not_found_page(Request(scope))
    assert answer.status_code == 404
    assert b"There is no such page" in answer.body


def test_modules_never_parse_html_or_text_as_code() -> None:
    for module in STATIC.glob("*.js"):
        text = module.read_text()
        for banned in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ):
            assert banned not in text, (module.name, banned)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/datasets/nope", 404, "no dataset &#39;nope&#39;"),
        ("/jobs/nope", 404, "no job &#39;nope&#39;"),
        ("/jobs/nope/report", 404, "no job &#39;nope&#39;"),
        ("/jobs/{running}/report", 409, "is running; the report comes when it has succeeded"),
        ("/datasets/%3Cb%3E%3F%26", 404, "no dataset &#39;&lt;b&gt;?&amp;&#39;"),
        ("/endpoints/nope", 404, "no endpoint &#39;nope&#39;"),
        ("/prompts/nope", 404, "no prompt is called &#39;nope&#39;"),
        ("/nope", 404, "There is no such page"),
    ],
)
def test_what_the_api_refuses_is_said_on_the_page(
    path: str, status: int, said: str, whole_site: Site, made: dict[str, str]
) -> None:
    address = whole_site.url + path.format(**made)
    answer = httpx.get(address, headers={"accept": "text/html"})
    assert answer.status_code == status
    assert said in answer.text


def test_every_metric_has_its_words() -> None:
    titles = {name: metric.title.casefold() for name, metric in METRICS.items()}
    assert {name: said.casefold() for name, said in words.MEASURES.items()} == {
        "accuracy": "accuracy",
        **titles,
    }


def test_the_methods_that_need_labels_are_known() -> None:
    assert set(words.LABELS_ONLY) == {n for n, method in METHODS.items() if method.labels_only}


def test_every_capability_and_rung_has_its_words() -> None:
    assert {name for name, _, _ in words.POWERS} == {power.value for power in Capability}
    assert list(words.RUNGS) == list(RUNGS)


def test_modules_stay_small() -> None:
    assert sum(len(module.read_text().splitlines()) for module in STATIC.glob("*.js")) < 800


def test_every_kind_of_prompt_without_words_is_told_in_words() -> None:
    assert {"text", "soft", *words.UNWORDED} == set(KINDS_OF_PROMPTS.values())
