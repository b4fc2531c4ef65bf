"""A real uvicorn server with the real pages and a fake /api, and a Chromium page that watches."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.servers import Service
from tests.web.browser import Complaints, launched
from tests.web.fake_api import FakeApi
from tests.web.fake_routes import create_api
from web.pages import CONTENT_SECURITY_POLICY, mount_pages

NO_PLOTLY = "window.Plotly = { react: async () => {} };"


@dataclass
class Site:
    """The running service and the state behind it."""

    url: str
    api: FakeApi


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
        app, port=0, log_level="warning", ws="none", lifespan="on", timeout_graceful_shutdown=1
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Not for the session: while it lives, playwright keeps an event loop running here."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The real service, a process of its own, with one runner."""
    settings = {"threads": "1"}  # the browser beside it wants the other core
    with contextlib.closing(Service(tmp_path_factory.mktemp("real"), settings)) as service:
        yield service.start()


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
    if "real_plotly" not in request.fixturenames:
        context.route("**/plotly.min.js*", lambda route: route.fulfill(body=NO_PLOTLY))
    page = context.new_page()
    page.set_default_timeout(5000)

    complaints.listen(page, site.url)
    yield page
    context.close()
    assert complaints.unexpected() == []
