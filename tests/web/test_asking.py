"""Pages that are filled before they are sent: by the reader's own key, and by no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings

KEY = "page-key-8d1f"
PAGE = "/datasets/tickets"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(_env_file=None, data=tmp_path, runners=0, api_key=KEY))
    with TestClient(app, base_url="http://127.0.0.1", headers={"x-request-id": "mine"}) as client:
        yield client


def test_a_page_is_filled_with_the_key_of_its_reader(locked: TestClient) -> None:
    assert locked.get(PAGE).status_code == 401
    answer = locked.get(PAGE, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    row = locked.get(f"/api{PAGE}/rows", headers={"authorization": f"Bearer {KEY}"}).json()
    assert row["data"][0]["inputs"]["text"] in answer.text
    assert KEY not in answer.text
    assert answer.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("query", ["?split=tset", "?after=-1", "?after=x%26limit=2"])
def test_a_bad_address_is_refused_by_the_api_in_words(locked: TestClient, query: str) -> None:
    answer = locked.get(PAGE + query, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 422
    assert "This cannot be shown" in answer.text


def test_a_page_is_one_request_however_much_it_asks(locked: TestClient) -> None:
    admin = {"authorization": f"Bearer {KEY}"}
    made = locked.post(
        "/api/keys", headers=admin, json={"name": "n", "role": "read", "requests_per_minute": 2}
    ).json()
    reader = {"authorization": f"Bearer {made['key']}"}
    statuses = [locked.get(PAGE, headers=reader).status_code for _ in range(3)]
    assert statuses == [200, 200, 429], "each page asks for two things at least"
    told = locked.get("/metrics", headers=admin).text
    assert "/datasets/{dataset_id}" in told and "/api/datasets/{dataset_id}/rows" not in told


def test_a_page_tells_a_reader_no_more_than_the_api_does(locked: TestClient) -> None:
    admin = {"authorization": f"Bearer {KEY}"}
    made = locked.post("/api/keys", headers=admin, json={"name": "n", "role": "read"}).json()
    reader = {"authorization": f"Bearer {made['key']}"}
    assert locked.get("/api/keys", headers=reader).status_code == 403
    page = locked.get("/keys", headers=reader)
    assert made["id"] not in page.text and "role" in page.text
    assert made["id"] in locked.get("/keys", headers=admin).text


def test_nobody_outside_can_say_that_a_page_asks(locked: TestClient) -> None:
    for name in ("gradless.inside", "gradless-inside", "x-gradless-inside"):
        assert locked.get("/api/jobs", headers={name: "1"}).status_code == 401
