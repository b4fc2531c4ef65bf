"""Prompts under names: promoted, versioned, rolled back, compared, and asked as a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from jobs import prompts
from jobs.catalog import BadId
from jobs.database import Database
from jobs.models import JobRow, PromptRow, Status
from jobs.name_rows import VersionRow
from jobs.names import (
    Names,
    NoSuchModel,
    NoSuchName,
    NoSuchVersion,
    NothingEarlier,
    NothingToPromote,
)
from jobs.prompts import TextPrompt
from jobs.store import NoSuchJob
from tests.app.openai_types import client
from tests.servers import Service

FIRST, SECOND, EMPTY = (f"job_{n:020x}" for n in range(3))
TEXTS = {FIRST: "Be brief.\nAnswer well.", SECOND: "Be brief.\nAnswer better.\nThink."}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'names.db'}")
    database.migrate()
    with database.writing() as session:
        for id_ in (FIRST, SECOND, EMPTY):
            spec = {"endpoint": "tiny", "dataset": "films"}
            session.add(JobRow(id=id_, spec=spec, status=Status.SUCCEEDED))
        session.flush()
        for id_, text in TEXTS.items():
            content = prompts.dumps(TextPrompt(text))
            row = PromptRow(
                job_id=id_,
                generation=3,
                train_loss=1.0,
                dev_loss=None,
                dev_accuracy=0.5,
                kind="text",
                text=text,
                content=content,
            )
            session.add(row)
    yield database
    database.close()


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database)


def text(row: VersionRow) -> str:
    return row.content.decode()


def test_versions_follow_each_other(names: Names) -> None:
    assert names.promote("film", FIRST).version == 1
    assert names.promote("film", SECOND).version == 2
    assert names.promote("other", SECOND).version == 1
    assert [row.version for row in names.versions("film")] == [2, 1]
    assert [row.version for row in names.versions("film", before=2)] == [1]
    assert text(names.current("film")) == TEXTS[SECOND]
    assert [(name.name, version.version) for name, version in names.names()] == [
        ("film", 2),
        ("other", 1),
    ]


def test_back_and_forth(names: Names) -> None:
    for job in (FIRST, SECOND, FIRST):
        names.promote("film", job)
    assert text(names.roll_back("film")) == TEXTS[SECOND]
    assert names.roll_back("film").version == names.current("film").version == 1
    with pytest.raises(NothingEarlier):
        names.roll_back("film")
    assert names.roll_back("film", 3).version == names.current("film").version == 3
    assert names.promote("film", SECOND).version == 4, "a version is never given twice"


def test_a_version_outlives_its_job(names: Names, database: Database) -> None:
    names.promote("film", FIRST)
    with database.writing() as session:
        session.delete(session.get(JobRow, FIRST))
    assert text(names.current("film")) == TEXTS[FIRST]
    assert names.find("pt:film").version is not None
    with pytest.raises(NoSuchModel):
        names.find(f"pt:tiny:{FIRST}")


def test_a_version_is_not_changed_by_its_job(names: Names, database: Database) -> None:
    names.promote("film", FIRST)
    with database.writing() as session:
        row = session.get(PromptRow, FIRST)
        assert row is not None
        row.content = b"found later"
        session.add(row)
    assert text(names.current("film")) == TEXTS[FIRST]


def test_ids_of_models(names: Names) -> None:
    names.promote("film", FIRST)
    listed = [model.id for model in names.models()]
    assert listed == ["pt:tiny:film", f"pt:tiny:{SECOND}", f"pt:tiny:{FIRST}"]
    for id_ in [*listed, "pt:film", f"pt:{SECOND}"]:
        assert names.find(id_).id == id_
    for id_ in (
        "film",
        "pt:",
        "pt:film:",
        ":film",
        "pt:other:film",
        "pt:none",
        "ft:film",
        f"pt:tiny:{EMPTY}",
        "pt:a:tiny:film",
        "pt:film\n",
    ):
        with pytest.raises(NoSuchModel):
            names.find(id_)


def test_refusals(names: Names) -> None:
    for name in ("", "Film", "a b", "-a", "a" * 65, FIRST, "a:b"):
        with pytest.raises(BadId):
            names.promote(name, FIRST)
    with pytest.raises(NoSuchJob):
        names.promote("film", "job_none")
    with pytest.raises(NothingToPromote):
        names.promote("film", EMPTY)
    names.promote("film", FIRST)
    with pytest.raises(NoSuchName, match="did you mean 'film'"):
        names.current("fillm")
    with pytest.raises(NoSuchVersion):
        names.version("film", 2)
    with pytest.raises(NoSuchVersion):
        names.roll_back("film", 7)
    assert names.current("film").version == 1


# over HTTP, with the real model


def promoted(service: Service, name: str, job: str) -> dict[str, Any]:
    answer = service.http.post("/api/prompts", json={"name": name, "job": job})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_name_answers_as_a_model(tuning: Service, finished: dict[str, Any]) -> None:
    made = promoted(tuning, "colors", finished["id"])
    assert (made["version"], made["model"], made["kind"]) == (1, "pt:minilm:colors", "soft")
    assert promoted(tuning, "colors", finished["id"])["version"] == 2
    assert tuning.get("/api/prompts/colors")["version"] == 2
    back = tuning.http.post("/api/prompts/colors/rollback", json={})
    assert (back.status_code, back.json()["version"]) == (200, 1)
    with client(tuning) as ours:
        by_name = ours.completions.create(model="pt:colors", prompt="the sky is", logprobs=2)
        by_job = ours.completions.create(
            model=f"pt:minilm:{finished['id']}", prompt="the sky is", logprobs=2
        )
        assert by_name.choices == by_job.choices and by_name.choices[0].text == "blue"
        assert "pt:minilm:colors" in [model.id for model in ours.models.list()]
        with pytest.raises(openai.NotFoundError):
            ours.completions.create(model="pt:digits-clip:colors", prompt="the sky is")


def test_lists_and_pages(tuning: Service, finished: dict[str, Any]) -> None:
    for _ in range(3):
        promoted(tuning, "paged", finished["id"])
    first = tuning.get("/api/prompts/paged/versions", limit=2)
    assert [row["version"] for row in first["data"]] == [3, 2] and first["has_more"] is True
    rest = tuning.get("/api/prompts/paged/versions", limit=2, after=2)
    assert [row["version"] for row in rest["data"]] == [1] and rest["has_more"] is False
    assert "paged" in [row["name"] for row in tuning.get("/api/prompts")["data"]]


@pytest.mark.parametrize(
    ("verb", "path", "sent", "status", "code"),
    [
        ("POST", "", {"name": "Bad Name", "job": "{job}"}, 422, "bad_id"),
        ("POST", "", {"name": "x", "job": "none"}, 404, "no_such_job"),
        ("GET", "/none", None, 404, "no_such_name"),
        ("GET", "/none/versions", None, 404, "no_such_name"),
        ("POST", "/refused/rollback", {}, 409, "nothing_earlier"),
        ("POST", "/refused/rollback", {"version": 9}, 404, "no_such_version"),
        ("GET", "/refused/diff?first=1&second=1", None, 422, "not_a_text"),
        ("GET", "/refused/diff?first=9&second=1", None, 404, "no_such_version"),
    ],
)
def test_refusals_over_http(
    verb: str,
    path: str,
    sent: Any,
    status: int,
    code: str,
    tuning: Service,
    finished: dict[str, Any],
) -> None:
    if tuning.http.get("/api/prompts/refused").status_code == 404:
        promoted(tuning, "refused", finished["id"])
    if sent and sent.get("job") == "{job}":
        sent = {**sent, "job": finished["id"]}
    answer = tuning.http.request(verb, f"/api/prompts{path}", json=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_job_without_a_prompt_cannot_be_promoted(idle: Service, waiting: str) -> None:
    answer = idle.http.post("/api/prompts", json={"name": "early", "job": waiting})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_prompt_yet")
    assert answer.headers["x-should-retry"] == "false"
    assert idle.http.get("/api/prompts/early").status_code == 404
