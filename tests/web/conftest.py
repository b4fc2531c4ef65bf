"""A real uvicorn server with the real pages and a fake /api, and a Chromium page that watches."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.web.fake_api import FakeApi
from tests.web.fake_routes import create_api
from web.pages import CONTENT_SECURITY_POLICY, mount_pages

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NO_PLOTLY = "window.Plotly = { react: async () => {} };"
WATCH_POLICY = """addEventListener('securitypolicyviolation',
    (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`))"""


@dataclass
class Site:
    """The running service and the state behind it."""

    url: str
    api: FakeApi


@dataclass
class Complaints:
    """What the browser complained of; `expected` are texts that a test provokes on purpose."""

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        return [one for one in self.found if not any(text in one for text in self.expected)]


class WithPolicy:
    """Adds the Content-Security-Policy that the service sends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = CONTENT_SECURITY_POLICY
            await send(message)

        await self.app(scope, receive, add)


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    config = uvicorn.Config(
        app, port=0, log_level="warning", ws="none", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    ready = server.startup

    async def startup(sockets: list[object] | None = None) -> None:
        await ready(sockets)  # type: ignore[arg-type]
        started.set()

    server.startup = startup  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, FakeApi]]:
    api = FakeApi()
    app = create_api(api)
    mount_pages(app)
    with serving(WithPolicy(app)) as url:
        yield url, api
        api.drop_streams()


@pytest.fixture
def site(server: tuple[str, FakeApi]) -> Iterator[Site]:
    url, api = server
    api.drop_streams()
    opened = vars(FakeApi())
    opened["_epoch"] = api._epoch
    opened["streams"] = api.streams
    vars(api).update(opened)
    yield Site(url, api)
    api.drop_streams()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def real_plotly() -> None:
    """Asked for by the tests that look at figures: plotly takes a second to parse."""


@pytest.fixture
def page(
    request: pytest.FixtureRequest, chromium: Browser, site: Site, complaints: Complaints
) -> Iterator[Page]:
    """A page that fails its test on a console error, a CSP violation or a request elsewhere."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.add_init_script(WATCH_POLICY)
    if "real_plotly" not in request.fixturenames:
        context.route("**/plotly.min.js*", lambda route: route.fulfill(body=NO_PLOTLY))
    page = context.new_page()
    page.set_default_timeout(5000)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.found.append(f"{message.type}: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((site.url + "/", "data:", "blob:")):
            complaints.found.append(f"request left the origin: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.found.append(f"uncaught: {error}"))
    page.on("dialog", lambda dialog: complaints.found.append(f"dialog: {dialog.message}"))
    page.on("request", on_request)
    yield page
    context.close()
    assert complaints.unexpected() == []
