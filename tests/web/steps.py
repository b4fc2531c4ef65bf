"""What tests of the page of a job share: a job, opening its page, its numbers, hiding it."""

from playwright.sync_api import Locator, Page, expect

from jobs.prompts import Kind
from tests.web.conftest import Site

HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
DROPPED = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "status of 503"]  # a stream that was cut off, refused


def running(site: Site, n: int = 3, kind: Kind = "soft", name: str | None = None) -> str:
    job_id = site.stage.job(name)
    site.stage.begin(job_id, "Which team?" if kind == "text" else "")
    site.stage.advance(job_id, n, kind)
    return job_id


def visit(page: Page, site: Site, job_id: str) -> None:
    page.goto(f"{site.url}/jobs/{job_id}", wait_until="domcontentloaded")
    expect(page.locator("#body")).to_be_visible()


def visit_live(page: Page, site: Site, job_id: str) -> None:
    visit(page, site, job_id)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def fact(page: Page, name: str) -> Locator:
    """A number of the job, told with its title."""
    return page.locator(f"[data-item='{name}'] dd").first
