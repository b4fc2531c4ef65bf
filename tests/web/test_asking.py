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
