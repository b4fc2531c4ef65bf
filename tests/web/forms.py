"""What tests of forms share: opening the one of a new job, its errors, the keyboard."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

Object = dict[str, Any]

TICKETS = "?dataset=tickets&endpoint=minilm&method=bbt"


def open_form(page: Page, url: str, query: str = "") -> None:
    """The form of a new job; `query` with its question mark."""
    page.goto(f"{url}/jobs/new{query}", wait_until="domcontentloaded")
    expect(page.locator("#form")).to_be_visible()
    expect(page.locator("#python")).to_contain_text("client.tune")  # its script listens


def choose(page: Page, label: str, value: str) -> None:
    """Picks one of what the page depends on, and waits for the page of that choice."""
    with page.expect_response("**/jobs/new?*"):
        page.get_by_label(label, exact=True).select_option(value)
    expect(page.locator("#form")).to_have_attribute(
        "data-query", page.evaluate("location.search.slice(1)")
    )


def beside(page: Page, name: str) -> Locator:
    """The error that stands at the control with this id."""
    return page.locator(f".field:has(#{name}) .field-error")


def tab_to(page: Page, name: str) -> None:
    """Tab forward until the control with this id has the focus."""
    for _ in range(60):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"#{name} cannot be reached by keyboard")


def start(page: Page) -> Object:
    """The body that the form sends."""
    with page.expect_request(
        lambda one: one.method == "POST" and one.url.endswith("/jobs")
    ) as sent:
        page.get_by_role("button", name="Start job").click()
    page.wait_for_url("**/jobs/job_*", wait_until="domcontentloaded")
    body = sent.value.post_data_json
    assert isinstance(body, dict)
    return body


def told(page: Page, name: str) -> Locator:
    """A line of the estimate."""
    return page.locator(f"#estimate [data-told={name}]")
