"""The pages of endpoints in a real browser: the list, the form that adds one, every fact of one."""

import re

import httpx
import pytest
from playwright.sync_api import LocatorAssertions, Page, expect

from tests.model_servers import llama_server
from tests.tiny_llama import tiny_llama
from tests.web.browser import Complaints, width_of
from tests.web.conftest import Site
from tests.web.endpoint_samples import probed
from tests.web.forms import beside, tab_to
from tests.web.samples import SCRIPT
from web import endpoint_facts as facts
from web.words import POWERS

pytestmark = pytest.mark.browser

NOBODY = "http://127.0.0.1:9/v1"  # the discard port: nobody listens there
SOON = 20_000  # ms, where a model server is asked


def visit(page: Page, site: Site, path: str) -> None:
    page.goto(site.url + path, wait_until="domcontentloaded")
    expect(page.locator("#list, #body").first).to_be_visible()


def told(page: Page, section: str, key: str) -> LocatorAssertions:
    """What stands beside a name in a table of facts."""
    return expect(page.locator(f"#{section} tr[data-item='{key}'] td"))


def test_the_list_says_what_each_can_do_and_costs(page: Page, site: Site) -> None:
    site.stage.endpoint("hosted")
    visit(page, site, "/endpoints")
    local, hosted = (page.locator(f"tr[data-item={name}] td") for name in ("minilm", "hosted"))
    expect(local.nth(0)).to_have_text("encoder")
    expect(local.nth(2)).to_contain_text("soft prompts")
    expect(local.nth(4)).to_have_text("not needed")
    can = "generation, label probabilities, text prompts, vocabulary"
    expect(hosted.nth(2)).to_have_text(can)
    expect(hosted.nth(3)).to_have_text("0.1 read, 0.4 written (EUR)")
    page.get_by_role("link", name="hosted").click()
    page.wait_for_url("**/endpoints/hosted", wait_until="domcontentloaded")


def test_a_model_server_is_added_by_keyboard_and_asked_again(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected += ["status of 422", "status of 503"]
    with llama_server(tiny_llama()) as server:
        visit(page, site, "/endpoints")
        typed = {"base_url": server.base_url, "model": server.model, "id": "mine"}
        for name, text in {**typed, "input_price": "0.1", "output_price": "0"}.items():
            tab_to(page, name)
            page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.wait_for_url("**/endpoints/mine", wait_until="domcontentloaded", timeout=SOON)
        told(page, "ladder", "top").to_have_text("works, and is used")
        told(page, "options", "output_price").to_have_text("0 USD")
        told(page, "found", "server").to_contain_text("llama")
        before = site.stage.get("/api/endpoints/mine")["probed"]["probed_at"]
        page.wait_for_timeout(1000)  # instants are told to the second
        page.get_by_role("button", name="Probe again").click()
        shown = page.locator("#endpoint .meta time").first
        expect(shown).not_to_have_attribute("datetime", before, timeout=SOON)
    page.get_by_role("button", name="Probe again").click()
    expect(page.locator("#problem")).to_contain_text("Connect call failed", timeout=SOON)
    expect(page.get_by_role("button", name="Probe again")).to_be_enabled()


REFUSALS = [
    ("base_url", NOBODY, "nothing was stored"),
    ("key_variable", "PATH", "_KEY or _TOKEN"),
    ("timeout", "-1", "a finite number above 0"),
    ("id", "minilm", "there is already an endpoint"),
]


@pytest.mark.parametrize(("control", "value", "said"), REFUSALS)
def test_the_services_error_stands_at_its_field(
    page: Page, site: Site, complaints: Complaints, control: str, value: str, said: str
) -> None:
    complaints.expected += ["status of 422", "status of 409"]
    visit(page, site, "/endpoints")
    for name, text in {"base_url": NOBODY, "model": "tiny", "id": "mine", control: value}.items():
        page.locator(f"#{name}").evaluate("(one, text) => { one.value = text; }", text)
    page.get_by_role("button", name="Add endpoint").click()
    expect(beside(page, control)).to_contain_text(said, timeout=SOON)
    expect(page.locator(f"#{control}")).to_be_focused()
    expect(page.locator("#model")).to_have_value("tiny")


def test_a_key_is_explained_and_never_asked_for(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints")
    hint = page.locator("#key_variable-hint")
    expect(hint).to_contain_text("the key itself stays in the service’s environment")
    assert page.locator("input[type=password]").count() == 0


def test_the_value_of_a_key_variable_is_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-nobody-may-read-this")
    site.stage.endpoint("hosted")
    for path in ("/endpoints", "/endpoints/hosted"):
        text = httpx.get(site.url + path).text
        assert "sk-nobody" not in text
    assert "in the variable MY_API_KEY of the service’s environment" in text


def test_every_fact_is_on_the_page_and_inert(page: Page, site: Site) -> None:
    found = probed(of_tomorrow=SCRIPT)
    found["missing"]["telepathy"] = "it does not read minds"
    site.stage.endpoint("hosted", found)
    visit(page, site, "/endpoints/hosted")
    told(page, "powers", "vocabulary").to_have_text("yes")
    told(page, "powers", "soft_prompts").to_contain_text("no: not asked: the option")
    told(page, "powers", "deep_prompts").to_have_text(
        "no: only of a model on the service’s own machine"
    )
    told(page, "ladder", "named").to_have_text(f"no: the server did not bring them back {SCRIPT}")
    told(page, "ladder", "top").to_have_text("works, and is used")
    told(page, "ladder", "samples").to_have_text("works")
    told(page, "found", "server").to_have_text("llamacpp b9999")
    told(page, "found", "context").to_have_text("2,048 tokens fit")
    told(page, "found", "logprobs").to_contain_text("4,096")
    told(page, "found", "noise").to_have_text("0.0125 nats between two equal questions")
    told(page, "options", "input_price").to_have_text("0.1 EUR")
    page.get_by_text("Everything else that was found").click()
    told(page, "found", "of_tomorrow").to_have_text(SCRIPT)
    told(page, "found", "telepathy").to_have_text("no: it does not read minds")


def test_no_fact_of_a_probe_is_left_out() -> None:
    """What comes of it in tomorrow's service stands under the rest."""
    from backends.remote.facts import Facts

    names = set(Facts("m", "chat", ()).to_json())
    assert facts.FACTS.keys() | facts.TOLD_APART == names
    endpoint = {"probed": {**Facts("m", "chat", ()).to_json(), "new": 1}}
    assert [line.key for line in facts.others(endpoint)] == ["new"]


def test_whatever_is_missing_has_its_reason() -> None:
    found = probed(capabilities=[], rung="match", rungs=["match"], logprobs=0)
    endpoint = {"kind": "openai", "capabilities": [], "probed": found}
    lines = {line.key: line.said for line in facts.powers(endpoint)}
    assert len(lines) == len(POWERS)
    assert all(re.fullmatch("no: .+", said) for said in lines.values())
    assert lines["label_probabilities"].startswith("no: by match")
    assert lines["infill"] == "no: an echo carries no log-probabilities"
    local = {"kind": "clip", "capabilities": ["images"], "probed": None}
    known = {line.key: line.said for line in facts.powers(local)}
    assert (known["images"], known["thinking"]) == ("yes", "no: not of a model of the kind clip")


def test_deleting_asks_first_and_is_refused_while_a_job_needs_it(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 409")
    site.stage.endpoint("hosted")
    job = site.stage.job(endpoint="hosted", method={"name": "grips"})
    visit(page, site, "/endpoints/hosted")
    page.locator("#delete").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # "Keep it" has the focus
    expect(page.locator("#confirm")).to_be_hidden()
    assert not [one for one in site.wire.asked if one.startswith("DELETE")]
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete endpoint").click()
    expect(page.locator("#problem")).to_contain_text(f"is needed by {job}")
    site.stage.end(job)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete endpoint").click()
    page.wait_for_url("**/endpoints", wait_until="domcontentloaded")
    expect(page.locator("tr[data-item=minilm]")).to_be_visible()
    expect(page.locator("tr[data-item=hosted]")).to_have_count(0)


def test_a_local_model_has_nothing_to_ask_and_cannot_be_deleted(page: Page, site: Site) -> None:
    visit(page, site, "/endpoints/minilm")
    told(page, "powers", "soft_prompts").to_have_text("yes")
    told(page, "powers", "images").to_have_text("no: not of a model of the kind encoder")
    expect(page.locator("#probe, #delete, #ladder, #found")).to_have_count(0)
    page.get_by_role("link", name="Use in a new job").click()
    expect(page.locator("#endpoint")).to_have_value("minilm")


def test_an_unknown_endpoint_shows_the_apis_message(
    page: Page, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 404")
    page.goto(f"{site.url}/endpoints/miniln", wait_until="domcontentloaded")
    expect(page.locator("main")).to_contain_text("did you mean 'minilm'")


@pytest.mark.parametrize("path", ["/endpoints", "/endpoints/hosted"])
def test_390_pixels_are_enough(page: Page, site: Site, path: str) -> None:
    site.stage.endpoint("hosted", embeddings="word" * 30)
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, site, path)
    assert width_of(page) <= 390
    wide = "[...document.querySelectorAll('.scroll')].filter((b) => b.scrollWidth > b.clientWidth)"
    assert page.evaluate(f"{wide}.length") == 0
