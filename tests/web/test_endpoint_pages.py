"""The pages of endpoints in a real browser: the list, the form that adds one, every fact of one."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web import endpoint_samples, samples
from tests.web.browser import Complaints
from tests.web.conftest import Site
from tests.web.fake_api import Refused
from tests.web.test_dashboard import beside, tab_to

pytestmark = pytest.mark.browser

FIELDS = "(slots) => slots.map(({ dataset }) => dataset.field.replace('probed.', ''))"
ITEMS = "(rows) => rows.map(({ dataset }) => dataset.item)"


def visit(page: Page, site: Site, path: str) -> None:
    page.goto(site.url + path, wait_until="domcontentloaded")
    expect(page.locator("#list, #body").first).to_be_visible()


def told(page: Page, name: str) -> object:
    """What stands beside a name in the tables of facts."""
    row = page.locator(".told tr").filter(
        has=page.get_by_role("rowheader", name=re.compile(f"^{name}"))
    )
    return expect(row.locator("td").first)


@pytest.fixture
def hosted(site: Site) -> samples.Object:
    site.api.endpoints["hosted"] = endpoint_samples.hosted()
    return site.api.endpoints["hosted"]


@pytest.mark.usefixtures("hosted")
def test_the_list_says_what_each_can_do_and_costs(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints")
    local, hosted = (page.locator(f"[data-item={name}]") for name in ("minilm", "hosted"))
    expect(local.locator("td")).to_have_text(
        ["encoder", "minilm", "text prompts, soft prompts", "–", "not needed"]
    )
    can = "generation, label probabilities, text prompts, vocabulary"
    expect(hosted.locator("td").nth(2)).to_have_text(can)
    expect(hosted.locator("td").nth(3)).to_have_text("0.1 read, 0.4 written (EUR)")
    hosted.get_by_role("link").click()
    page.wait_for_url("**/endpoints/hosted", wait_until="commit")


def test_an_endpoint_is_added_by_keyboard(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints")
    typed = {
        "base_url": "http://127.0.0.1:8080/v1",
        "model": "qwen3-0.6b",
        "id": "mine",
        "key_variable": "MY_API_KEY",
        "input_price": "0.1",
        "output_price": "0",
    }
    for name, text in typed.items():
        tab_to(page, name)
        page.keyboard.type(text)
    tab_to(page, "submit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoints/mine", wait_until="commit")
    options = {name: typed[name] for name in ("base_url", "key_variable")}
    assert site.api.posted == [
        {
            "kind": "openai",
            "id": "mine",
            "model": "qwen3-0.6b",
            "options": {**options, "input_price": 0.1, "output_price": 0},
        }
    ]


REFUSALS = [
    ("options.base_url", "nobody answers at http://127.0.0.1:1/v1", "base_url"),
    ("options.key_variable", "key_variable='sk-1': wanted the name of a variable", "key_variable"),
    ("options.timeout", "a finite number above 0 is wanted", "timeout"),
    ("id", "another endpoint has this id", "id"),
]


@pytest.mark.parametrize(("param", "message", "control"), REFUSALS)
def test_the_services_error_stands_at_its_field(
    page: Page, site: Site, complaints: Complaints, param: str, message: str, control: str
) -> None:
    complaints.expected.append("status of 422")
    site.api.refusal = Refused(422, message, param)
    visit(page, site, "/endpoints")
    page.get_by_label("Model", exact=True).fill("qwen3-0.6b")
    page.get_by_role("button", name="Add endpoint").click()
    expect(beside(page, control)).to_have_text(message)
    expect(page.locator(f"#{control}")).to_be_focused()
    expect(page.get_by_label("Model", exact=True)).to_have_value("qwen3-0.6b")
    site.api.refusal = Refused(422, "no model 'qwen3-0.6b'; there are tiny")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.locator("#refusal")).to_contain_text("no model 'qwen3-0.6b'; there are tiny")
    expect(beside(page, control)).to_have_count(0)


def test_a_key_is_explained_and_never_asked_for(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints")
    hint = page.locator("#key_variable-hint")
    expect(hint).to_contain_text("the key itself stays in the service’s environment")
    assert page.locator("input[type=password]").count() == 0


@pytest.mark.usefixtures("hosted")
def test_every_fact_is_on_the_page_and_inert(page: Page, site: Site) -> None:
    facts = site.api.endpoints["hosted"]["probed"]
    facts["of_tomorrow"] = samples.SCRIPT
    visit(page, site, "/endpoints/hosted")
    told(page, "Soft prompts").to_have_text("no")
    told(page, "Vocabulary").to_have_text("yes")
    told(page, "Named").to_have_text(f"no: the server did not bring them back {samples.SCRIPT}")
    told(page, "Top").to_have_text("works, and is used")
    told(page, "Samples").to_have_text("works")
    told(page, "Server").to_have_text("llamacpp b9999")
    told(page, "Context").to_have_text("2,048 tokens fit")
    told(page, "Likeliest tokens").to_contain_text("4,096")
    told(page, "Noise").to_have_text("0.0125 nats between two equal questions")
    told(page, "Key").to_have_text("MY_API_KEY")
    told(page, "Currency").to_have_text("EUR")
    page.get_by_text("Everything else that was found").click()
    told(page, "Of tomorrow").to_have_text(samples.SCRIPT)
    told(page, "Prompt embeds").to_have_text(re.compile("names no folder"))
    slots = page.locator("[data-field^='probed.']").evaluate_all(FIELDS)
    rows = page.locator("#facts [data-item]").evaluate_all(ITEMS)
    elsewhere = {"missing", "capabilities", "rung", "rungs"}  # in the tables above
    known = {name for name, value in facts.items() if value is not None}
    assert {*slots, *rows} >= known - elsewhere


@pytest.mark.usefixtures("hosted")
def test_it_is_asked_again(page: Page, site: Site, complaints: Complaints) -> None:
    visit(page, site, "/endpoints/hosted")
    page.get_by_role("button", name="Ask it again").click()
    told(page, "Server").to_have_text("llamacpp b10000")
    told(page, "Choice").to_have_text("works, and is used")
    told(page, "Top").to_have_text("works")
    complaints.expected.append("status of 422")
    site.api.refusal = Refused(422, "nobody answers", "options.base_url")
    page.get_by_role("button", name="Ask it again").click()
    expect(page.locator("#problem")).to_contain_text("nobody answers")
    expect(page.get_by_role("button", name="Ask it again")).to_be_enabled()


@pytest.mark.usefixtures("hosted")
def test_deleting_asks_first(page: Page, site: Site, complaints: Complaints) -> None:
    visit(page, site, "/endpoints/hosted")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.locator("#delete").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # "Keep it" has the focus
    expect(page.locator("#confirm")).to_be_hidden()
    complaints.expected.append("status of 409")
    site.api.refusal = Refused(409, "'hosted' is needed by job_1")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete endpoint").click()
    expect(page.locator("#problem")).to_contain_text("'hosted' is needed by job_1")
    site.api.refusal = None
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete endpoint").click()
    page.wait_for_url("**/endpoints", wait_until="commit")
    assert "hosted" not in site.api.endpoints
    assert sent.count("DELETE") == 2  # none after "Keep it"


def test_a_local_model_has_nothing_to_ask_and_cannot_be_deleted(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints/minilm")
    told(page, "Soft prompts").to_have_text("yes")
    told(page, "Scale").to_have_text("20")
    expect(page.get_by_role("button", name="Ask it again")).to_be_hidden()
    expect(page.get_by_role("button", name="Delete…")).to_be_hidden()
    expect(page.get_by_text("How labels can be scored")).to_be_hidden()
    page.get_by_role("link", name="Use in a new job").click()
    expect(page.locator("#endpoint")).to_have_value("minilm")


def test_an_unknown_endpoint_shows_the_apis_message(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 404")
    page.goto(f"{site.url}/endpoints/nope", wait_until="domcontentloaded")
    expect(page.locator("#missing")).to_contain_text("no endpoint 'nope'")
    expect(page.get_by_role("link", name="All endpoints")).to_be_visible()


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("path", ["/endpoints", "/endpoints/hosted"])
def test_390_pixels_are_enough(page: Page, site: Site, path: str) -> None:
    site.api.endpoints["hosted"]["model"] = "word" * 30
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, site, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = ".scroll"
    wide = f"[...document.querySelectorAll('{boxes}')].filter((b) => b.scrollWidth > b.clientWidth)"
    assert page.evaluate(f"{wide}.length") == 0
