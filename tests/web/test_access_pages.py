"""Keys, projects and the audit log in a real browser, and what each role is shown of them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.web.browser import Complaints, width_of
from tests.web.conftest import Site
from tests.web.forms import beside
from tests.web.samples import SCRIPT
from web.views.access import ENTRIES, audit_lines, key_line

pytestmark = pytest.mark.browser

KEY = re.compile("gl_[0-9a-f]{16}_[0-9a-f]{64}")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def visit(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/keys", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()


def make(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Make key").click()


@pytest.fixture
def as_role(site: Site) -> Callable[[str], httpx.Client]:
    """A client with a new key of that role."""

    def client(role: str) -> httpx.Client:
        key = site.stage.post("/api/keys", {"name": f"a {role}", "role": role})["key"]
        return httpx.Client(base_url=site.url, headers={"authorization": f"Bearer {key}"})

    return client


def test_a_key_is_made_shown_once_and_opens(page: Page, site: Site) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, site)
    expect(page.locator("#open")).to_contain_text("open to everyone on this machine")
    expect(page.locator("#made")).to_be_hidden()
    page.locator("#role").select_option("read")
    make(page, name=f"ci {SCRIPT}", requests_per_minute="600", expires_in_days="30")
    expect(page.locator("#made-key")).to_have_text(KEY)
    expect(page.locator("#made")).to_contain_text("never shown again")
    key = page.locator("#made-key").inner_text()
    page.locator("#made").get_by_role("button", name="Copy").click()
    expect(page.locator("#made").get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    ends = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    cells = page.locator(f"#keys tr[data-item='{key.split('_')[1]}']")
    expect(cells.locator("th")).to_contain_text(f"ci {SCRIPT}")
    texts = ["read", "600 at most", "never", ends, "just now", "Revoke…"]
    expect(cells.locator("td")).to_have_text(texts)
    with httpx.Client(base_url=site.url, headers={"authorization": f"Bearer {key}"}) as client:
        assert client.get("/api/jobs").status_code == 200
        assert client.post("/api/projects", json={"id": "x"}).status_code == 403
    assert key not in httpx.get(f"{site.url}/keys").text
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # as on leaving it
    expect(page.locator("#made")).to_be_hidden()
    expect(page.locator("#made-key")).to_be_empty()


@pytest.mark.parametrize(
    ("control", "value"), [("name", ""), ("requests_per_minute", "0"), ("expires_in_days", "99999")]
)
def test_a_refusal_stands_at_its_field(
    page: Page, site: Site, complaints: Complaints, control: str, value: str
) -> None:
    complaints.expected.append("status of 422")
    visit(page, site)
    make(page, **{"name": "ci", control: value})
    expect(beside(page, control)).to_be_visible()
    expect(page.locator(f"#{control}")).to_be_focused()
    expect(page.locator("#made")).to_be_hidden()
    assert site.stage.get("/api/keys")["data"] == []


def test_revoking_asks_first(page: Page, site: Site) -> None:
    made = site.stage.post("/api/keys", {"name": "lost", "role": "write"})
    headers = {"authorization": f"Bearer {made['key']}"}
    visit(page, site)
    row = page.locator(f"tr[data-item='{made['id']}']")
    row.get_by_role("button").click()
    page.keyboard.press("Enter")  # "Keep it" has the focus
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert httpx.get(f"{site.url}/api/jobs", headers=headers).status_code == 200
    row.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Revoke the key “lost”?")
    page.get_by_role("button", name="Revoke key").click()
    expect(row).to_have_count(0)
    expect(page.locator("#none")).to_have_text("There is no key yet.")
    assert httpx.get(f"{site.url}/api/jobs", headers=headers).status_code == 401
    expect(page.locator("#audit tbody tr").first).to_contain_text("DELETE /api/keys/{key_id}")


def test_projects_are_listed_and_added(page: Page, site: Site, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    visit(page, site)
    page.locator("#project").fill("No Id")
    page.get_by_role("button", name="Add project").click()
    expect(beside(page, "project")).to_contain_text("cannot be a project's id")
    page.locator("#project").fill("acme")
    page.get_by_role("button", name="Add project").click()
    expect(page.locator("#projects tr[data-item=acme]")).to_be_visible()
    expect(page.locator("#project")).to_have_value("")


@pytest.mark.parametrize("role", ["read", "write"])
def test_without_the_role_the_page_says_so(
    site: Site, as_role: Callable[[str], httpx.Client], role: str
) -> None:
    with as_role(role) as client:
        answer = client.get("/keys")
    assert answer.status_code == 200
    assert f"this needs the role admin; the role of this key is {role}." in answer.text
    assert not re.search('id="(open|keys|make|projects|audit)"', answer.text)


def test_an_admin_sees_keys_and_the_log_but_no_projects(
    site: Site, as_role: Callable[[str], httpx.Client]
) -> None:
    with as_role("admin") as client:
        client.post("/api/keys", json={"name": "another", "role": "read"})
        text = client.get("/keys").text
    assert re.findall('id="(open|keys|make|projects|audit)"', text) == ["keys", "make", "audit"]
    log = text[text.index('id="audit"') :]
    assert log.index("a admin") < log.index("loopback")  # whose key it was, by its name


def test_the_log_tells_refusals_too_and_goes_on(page: Page, site: Site) -> None:
    for n in range(ENTRIES + 5):
        httpx.post(f"{site.url}/api/projects", json={"id": f"Bad {n}"})
    visit(page, site)
    rows = page.locator("#audit tbody tr")
    expect(rows).to_have_count(ENTRIES)
    first = rows.first.locator("td")
    expect(first).to_have_text(
        ["loopback", "POST /api/projects", "–", re.compile("422 Unprocessable")]
    )
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(5)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(ENTRIES)


def test_what_is_over_is_told() -> None:
    ends = {day: (NOW + timedelta(days=day)).isoformat() for day in (-1, 1)}
    assert key_line({"expires_at": ends[-1]}, NOW)["expired"]
    assert not key_line({"expires_at": ends[1]}, NOW)["expired"]
    assert not key_line({"expires_at": None}, NOW)["expired"]


def test_a_status_that_http_does_not_know_is_a_number() -> None:
    told = audit_lines([{"who": "gone", "status": 599}, {"who": "k", "status": 409}], [])
    assert [(line["answer"], line["name"]) for line in told] == [
        ("599", None),
        ("409 Conflict", None),
    ]


def test_390_pixels_are_enough(page: Page, site: Site) -> None:
    site.stage.post("/api/keys", {"name": "word" * 25, "role": "read"})
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, site)
    make(page, name="ci")
    expect(page.locator("#made-key")).to_be_visible()
    assert width_of(page) <= 390
