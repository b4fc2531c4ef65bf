"""A job as a file, over HTTP: out of one service, into another, and answering there."""

from typing import Any

import httpx

from tests.servers import COLORS_CSV, Service, spec

IMPORT = "/api/jobs/archive"


def taken_in(service: Service, data: bytes) -> httpx.Response:
    return service.http.post(IMPORT, files={"file": ("job.zip", data)})


def test_there_it_is_the_same_and_answers_the_same(
    tuning: Service, idle: Service, finished: dict[str, Any]
) -> None:
    job_id = finished["id"]
    answer = tuning.http.get(f"/api/jobs/{job_id}/archive")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{job_id}.zip"'
    taken = taken_in(idle, answer.content)
    assert taken.status_code == 201, taken.text
    assert taken.json() == finished
    for path in ("prompt", "report", "generations"):
        address = f"/api/jobs/{job_id}/{path}"
        assert idle.get(address) == tuning.get(address)
    body = {"inputs": ["the sky is blue", "a red rose"]}
    first, second = (
        service.http.post(f"/api/jobs/{job_id}/predict", json=body).json()["data"]
        for service in (tuning, idle)
    )
    assert [row["label"] for row in first] == [row["label"] for row in second]
    again = taken_in(idle, answer.content)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "id_taken")
    assert idle.http.delete(f"/api/jobs/{job_id}").status_code == 204


def test_what_cannot_leave(idle: Service, waiting: str) -> None:
    idle.upload(COLORS_CSV.replace("sky", "sea"), "brief")
    job_id = idle.submit(spec(dataset="brief"))
    idle.http.post(f"/api/jobs/{job_id}/cancel")
    assert idle.http.get(f"/api/jobs/{job_id}/archive").status_code == 200
    idle.http.delete("/api/datasets/brief")
    for id_, status, code in (
        (waiting, 409, "not_ended"),
        (job_id, 409, "rows_gone"),
        ("job_0", 404, "no_such_job"),
    ):
        answer = idle.http.get(f"/api/jobs/{id_}/archive")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert idle.http.delete(f"/api/jobs/{job_id}").status_code == 204


def test_what_cannot_come_in(idle: Service) -> None:
    for data in (b"", b"no zip", b"PK\x05\x06" + bytes(18)):
        answer = taken_in(idle, data)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (422, "bad_file", "file")
    large = taken_in(idle, bytes(5_000_000))  # as large as an upload may be, not as JSON may
    assert large.json()["error"]["code"] == "bad_file"
