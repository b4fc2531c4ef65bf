"""The real service on a stage: no runner but the test, and a Chromium page that watches."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from starlette.types import ASGIApp

from app.main import create_app
from app.settings import Settings
from tests.servers import Service
from tests.web.browser import Complaints, close, launched
from tests.web.looks import furnish
from tests.web.stage import Stage
from tests.web.wire import Wire

PATIENCE = 15_000  # ms, on a machine that may be busy
expect.set_options(timeout=PATIENCE)
NO_PLOTLY = "window.Plotly = { react: async () => {} };"


@dataclass(frozen=True)
class Site:
    """The running service; `stage` moves its jobs, `wire` is what lies between it and a browser."""

    url: str
    stage: Stage
    wire: Wire


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
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One service for all tests here; `site` hands it out as good as new."""
    folder = tmp_path_factory.mktemp("site")
    app = create_app(Settings(data=folder, runners=0, _env_file=None))  # type: ignore[call-arg]
    wire = Wire(app)
    with serving(wire) as url:
        stage = Stage(app.state.service, url)
        yield Site(url, stage, wire)
        stage.close()
        wire.drop_streams()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    whole_site.wire.drop_streams()
    whole_site.wire.restore()
    whole_site.stage.clear()
    yield whole_site
    whole_site.wire.drop_streams()


@pytest.fixture(scope="module")
def made(whole_site: Site) -> dict[str, str]:
    """`whole_site` with something on every page, for modules that only look; see looks.furnish."""
    whole_site.wire.restore()
    whole_site.stage.clear()
    return furnish(whole_site.stage)


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
    page.set_default_timeout(PATIENCE)
    complaints.listen(page, site.url)
    yield page
    close(context)
    assert complaints.unexpected() == []
