"""A service with two projects and a key for every role, for tests of who sees and may do what."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import eventually
from tests.servers import Service, spec

KEY = "gradless-operator-7a11"
HEADER = "x-gradless-project"


@dataclass
class Client:
    """HTTP with a key."""

    http: httpx.Client
    key: str
    id: str

    def ok(self, verb: str, path: str, **more: Any) -> Any:
        answer = self.http.request(verb, path, **more)
        assert 200 <= answer.status_code < 300, (verb, path, answer.text)
        return answer.json() if answer.content else None


@dataclass
class Projects:
    """The service, and clients by project and role; `service.http` has the operator's key."""

    service: Service
    clients: dict[tuple[str, str], Client] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)  # what "one" has: parameter -> id

    def client(self, project: str, role: str = "write") -> Client:
        return self.clients[project, role]


@contextmanager
def two_projects(folder: Path) -> Iterator[Projects]:
    """`one` and `two`, each with three keys; a runner works for both."""
    with ExitStack() as stack:
        service = Service(folder, {"threads": "1", "api_key": KEY})
        stack.callback(service.close)
        service.start()
        projects = Projects(service)
        for project in ("one", "two"):
            assert service.http.post("/api/projects", json={"id": project}).status_code == 201
            for role in ("read", "write", "admin"):
                client = new_client(service, project, role=role)
                projects.clients[project, role] = client
                stack.callback(client.http.close)
        yield projects


def new_client(service: Service, project: str, **body: Any) -> Client:
    """With a new key of the project, which the operator makes."""
    body = {"name": "test", "role": "write", **body}
    answer = service.http.post("/api/keys", json=body, headers={HEADER: project})
    assert answer.status_code == 201, answer.text
    key = answer.json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    http = httpx.Client(base_url=service.url, headers=headers, timeout=60, trust_env=False)
    return Client(http, key, answer.json()["id"])


def furnish(projects: Projects, rows: str) -> None:
    """Gives `one` an object of every kind."""
    one, admin = projects.client("one"), projects.client("one", "admin")
    file = {"file": ("rows.csv", rows.encode())}
    dataset = one.ok("POST", "/api/datasets", files=file, data={"name": "ones-rows"})["id"]
    uploaded = one.ok("POST", "/v1/files", files=file, data={"purpose": "fine-tune"})["id"]
    body: dict[str, Any] = {"id": "ones-model", "kind": "encoder", "model": "minilm"}
    one.ok("POST", "/api/endpoints", json=body)
    asked = spec(generations=1, dataset=dataset, endpoint="ones-model", name="ones-job")
    job = one.ok("POST", "/api/jobs", json=asked)["id"]
    eventually(lambda: projects.service.row(job)["finished_at"], 120)
    other = one.ok("POST", "/api/jobs", json=asked | {"name": "ones-other", "seed": 8})["id"]
    eventually(lambda: projects.service.row(other)["finished_at"], 120)
    one.ok("POST", "/api/prompts", json={"name": "ones-prompt", "job": job})
    body = {"url": "http://127.0.0.1:9/ones-hook", "events": ["job.failed"]}
    hook = one.ok("POST", "/api/webhooks", json=body)["id"]
    projects.made = {
        "dataset_id": dataset,
        "file_id": uploaded,
        "endpoint_id": "ones-model",
        "job_id": job,
        "other_job_id": other,
        "model": f"pt:ones-model:{job}",
        "webhook_id": hook,
        "key_id": admin.id,
        "name": "ones-prompt",
    }
