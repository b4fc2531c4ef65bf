"""A headless Chromium, and an ear for what it complains of. Knows no page and no fixture."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

WITHOUT = (  # the last such list holds: the first four of these are playwright's own
    "HttpsUpgrades",
    "MediaRouter",
    "OptimizationHints",
    "PaintHolding",
    "SpareRendererForSitePerProcess",
    "WebUIOmniboxAimPopup",  # for each page two more of the browser's own, half of its time
    "WebUIOmniboxPopup",
)
FLAGS = [
    f"--disable-features={','.join(WITHOUT)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NAMES = ("chromium", "google-chrome")  # as `make browser` looks for them
WATCH_POLICY = """addEventListener('securitypolicyviolation',
    (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`))"""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """The machine's own Chromium, or else the one that playwright has installed."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


def close(context: BrowserContext) -> None:
    """Once its pages stand: to close one that has just begun to load may wait forever."""
    for page in context.pages:
        page.wait_for_load_state("domcontentloaded")
    context.close()


def width_of(page: Page) -> int:
    """How many pixels all that is on the page takes, once its style is there too."""
    page.wait_for_load_state("load")
    pixels: int = page.evaluate("document.documentElement.scrollWidth")
    return pixels


@dataclass
class Complaints:
    """What the browser complained of; `expected` are texts that a test provokes on purpose."""

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        return [one for one in self.found if not any(text in one for text in self.expected)]

    def listen(self, page: Page, origin: str) -> None:
        """Errors, warnings, violations of the policy and requests that leave the origin."""

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.found.append(f"{message.type}: {message.text}")

        def on_request(request: Request) -> None:
            if not request.url.startswith((origin + "/", "data:", "blob:")):
                self.found.append(f"request left the origin: {request.url}")

        page.context.add_init_script(WATCH_POLICY)
        page.on("console", on_console)
        page.on("pageerror", lambda error: self.found.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.found.append(f"dialog: {dialog.message}"))
        page.on("request", on_request)
