"""schemathesis on the OpenAPI document: no request breaks the service, all answers are as said."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.app.test_routes import ROUTES
from tests.servers import Service, spec

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that nobody else needs: what is fuzzed is filled with rubbish, and emptied."""
    service = Service(tmp_path_factory.mktemp("fuzzed"), {"runners": "0"})
    try:
        service.start().upload()
        yield service
    finally:
        service.close()


@pytest.fixture(scope="module")
def known(fuzzed: Service) -> dict[str, str]:
    """Ids that exist, for the paths."""
    ids = {"dataset_id": "tickets", "endpoint_id": "minilm", "model": "minilm"}
    return {"job_id": fuzzed.submit(spec()), **ids}


@pytest.fixture(scope="module")
def document(fuzzed: Service) -> Any:
    return schemathesis.openapi.from_url(f"{fuzzed.url}/api/openapi.json")


ENDLESS = "/api/jobs/{job_id}/events"
FUZZED = [(verb, path) for verb, path, _ in ROUTES if path != ENDLESS]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("verb", "path"), FUZZED)
def test_no_request_breaks_the_service(
    verb: str, path: str, mode: GenerationMode, document: Any, known: dict[str, str]
) -> None:
    """Requests as they should be, and as they should not."""
    operation = document[path][verb]

    @settings(max_examples=8, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if verb != "DELETE":  # ids that exist, or all that is seen is 404
            case.path_parameters |= {n: known[n] for n in case.path_parameters if n in known}
        case.call_and_validate(checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # a route that takes nothing cannot be asked wrongly
