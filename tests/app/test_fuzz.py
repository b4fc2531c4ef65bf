"""schemathesis on the OpenAPI document: no request breaks the service, all answers are as said.

All of its checks, on every operation but one, in two ways: here case by case, with ids that exist;
and as its own program goes about it, with every boundary of every field, and one operation after
another on what the first has made. What cannot be checked stands below, each with its reason.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.app.test_routes import ROUTES
from tests.servers import Service, spec

KEY = "gradless-fuzzed-51c2"  # so that the checks of who may ask have something to check
ENDLESS = "/api/jobs/{job_id}/events"  # a stream that lasts as long as its job: test_events.py
FITTING = "its parts must fit each other, and the dataset and the model that it names"
FILES = "what is in a file, and how its name ends"
TWICE = "no job may be named twice"
REFUSED_ALL_THE_SAME = {  # requests that their schema allows: what no schema can say
    ("POST", "/api/jobs"): FITTING,
    ("POST", "/api/jobs/estimate"): FITTING,
    ("POST", "/api/jobs/{job_id}/clone"): FITTING,
    ("POST", "/v1/fine_tuning/jobs"): FITTING,
    ("POST", "/api/datasets"): FILES,
    ("POST", "/api/jobs/archive"): FILES,
    ("POST", "/v1/files"): FILES,
    ("POST", "/api/endpoints"): "each kind has options of its own, and an API is asked at once",
    ("POST", "/api/jobs/{job_id}/predict"): "inputs are the columns of the job's dataset",
    ("POST", "/api/webhooks"): "whether an address may be sent to",
    ("GET", "/api/compare"): TWICE,
    ("GET", "/api/compare/figures/{name}"): TWICE,
}
CONFIG = """
headers = {{ Authorization = "Bearer {key}" }}
request-timeout = 60
seed = 1
workers = 1

[parameters]
"path.dataset_id" = "tickets"
"path.endpoint_id" = "minilm"
"path.model" = "minilm"
"path.job_id" = "{job}"

[checks.negative_data_rejection]
# schemathesis's own, and 413: what is too large is refused before it is read
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]

[phases.fuzzing]
enabled = false  # that is `test_no_request_breaks_the_service`

[[operations]]
include-path = "{endless}"
enabled = false

[[operations]]
include-name = "DELETE /api/jobs/{{job_id}}"  # or what comes after it has no job
parameters = {{ "path.job_id" = "job_00066a1f0c3b5e2d91ab" }}
"""
UNACCEPTED = """
[[operations]]
include-name = "{verb} {path}"
checks.positive_data_acceptance.enabled = false  # {reason}
"""
FUZZED = [(verb, path) for verb, path, _ in ROUTES if path != ENDLESS]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that nobody else needs: what is fuzzed is filled with rubbish, and emptied."""
    service = Service(tmp_path_factory.mktemp("fuzzed"), {"runners": "0", "api_key": KEY})
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
def config(known: dict[str, str]) -> str:
    """As schemathesis reads it."""
    made = CONFIG.format(key=KEY, job=known["job_id"], endless=ENDLESS)
    return made + "".join(
        UNACCEPTED.format(verb=verb, path=path, reason=reason)
        for (verb, path), reason in REFUSED_ALL_THE_SAME.items()
    )


@pytest.fixture(scope="module")
def document(fuzzed: Service, config: str) -> Any:
    return schemathesis.openapi.from_url(
        f"{fuzzed.url}/api/openapi.json",
        config=SchemathesisConfig.from_str(config),
        headers=fuzzed.http.headers,
    )


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("verb", "path"), FUZZED)
def test_no_request_breaks_the_service(
    verb: str, path: str, mode: GenerationMode, document: Any, known: dict[str, str]
) -> None:
    """Requests as they should be, and as they should not."""
    operation = document[path][verb]
    left_out = [positive_data_acceptance] if (verb, path) in REFUSED_ALL_THE_SAME else []

    @settings(
        max_examples=8, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if verb != "DELETE":  # ids that exist, or all that is seen is 404
            case.path_parameters |= {n: known[n] for n in case.path_parameters if n in known}
        headers = {"Authorization": f"Bearer {KEY}"}
        case.call_and_validate(headers=headers, excluded_checks=left_out)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # a route that takes nothing cannot be asked wrongly


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_boundary_and_one_thing_after_another(
    fuzzed: Service, config: str, tmp_path: Path
) -> None:
    """Some 20,000 requests: each field missing, null, too long, of another type, …; other verbs;
    and what was made, read, deleted and asked for again."""
    file = tmp_path / "schemathesis.toml"
    file.write_text(config)
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(file), "--no-color"]
    command += ["run", f"{fuzzed.url}/api/openapi.json", "--max-examples", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert f"Tested: {len(FUZZED)}" in done.stdout


def test_every_exception_is_an_operation() -> None:
    assert REFUSED_ALL_THE_SAME.keys() <= set(FUZZED)
