"""Two services for all tests here: one without a runner, where jobs wait, and one that tunes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Service, spec


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Runs no job, and has the dataset `colors`."""
    service = Service(tmp_path_factory.mktemp("idle"), {"runners": "0"})
    try:
        service.start().upload()
        yield service
    finally:
        service.close()


@pytest.fixture(scope="session")
def waiting(idle: Service) -> str:
    """A job that stays in the queue."""
    return idle.submit(spec())


@pytest.fixture(scope="session")
def tuning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Has one runner, and the dataset `colors`."""
    service = Service(tmp_path_factory.mktemp("tuning"), {"threads": "1"})
    try:
        service.start().upload()
        yield service
    finally:
        service.close()


@pytest.fixture(scope="session")
def finished(tuning: Service) -> dict[str, Any]:
    """A job that has succeeded, on the real model."""
    job = tuning.ended(tuning.submit(spec(generations=4, metadata={"team": "colors"})))
    assert job["status"] == "succeeded", job["error"]
    return job
