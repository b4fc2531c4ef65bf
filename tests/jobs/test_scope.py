"""What a project sees of one database, store by store; the tables that must not be forgotten."""

from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import SQLModel, select, update

from jobs.access_rows import AuditRow, KeyRow
from jobs.accounts import Accounts
from jobs.audit import Audit
from jobs.catalog import Catalog, IdTaken, NoSuchDataset, NoSuchEndpoint, Upload
from jobs.census import census
from jobs.database import Database
from jobs.datasets import Reading
from jobs.keys import Keys, NoSuchKey, Role
from jobs.models import (
    DatasetRow,
    EndpointRow,
    EventRow,
    ExampleRow,
    JobRow,
    Status,
)
from jobs.projects import Projects
from jobs.scope import owned
from jobs.store import Ending, JobStore, end_job
from jobs.uploads import Uploads
from jobs.webhooks import NoSuchWebhook, Webhooks
from tests.jobs.conftest import COLORS_CSV

ONE, TWO = "one", "two"
UPLOAD = Upload("colors.csv", COLORS_CSV.encode())
# What hangs on a row of a project and is read after it, or is looked up by a hash.
THROUGH_OTHERS = {
    *("generations", "timings", "checkpoints", "prompts", "usage", "reports", "events"),
    *("deliveries", "answers", "repeats", "projects"),
}


@pytest.fixture
def one(database: Database) -> Database:
    return database.of(ONE)


@pytest.fixture
def two(database: Database) -> Database:
    return database.of(TWO)


def job(database: Database, id_: str) -> JobRow:
    row = JobRow(id=id_, spec={"endpoint": "minilm", "dataset": "colors"})
    with database.writing() as session:
        session.add(row)
    return row


def test_every_table_is_a_project_s_or_hangs_on_one_that_is() -> None:
    tables = {table.__tablename__ for table in owned()}
    assert tables | THROUGH_OTHERS == set(SQLModel.metadata.tables)
    assert not tables & THROUGH_OTHERS


STATEMENTS: list[Any] = [
    select(JobRow),
    select(JobRow.id),
    select(func.max(JobRow.id)),
    select(func.count()).select_from(JobRow),
    select(JobRow.status, func.count()).group_by(JobRow.status),
    select(JobRow.id).where(JobRow.id.in_(select(JobRow.id))),  # type: ignore[attr-defined]
    update(JobRow).values(priority=1).returning(JobRow.id),
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_a_statement_sees_no_row_of_another_project(
    statement: Any, database: Database, one: Database, two: Database
) -> None:
    job(one, "job_1")

    def seen(of: Database) -> list[Any]:
        with of.writing() as session:
            return [value for row in session.execute(statement) for value in row if value]

    assert seen(one) and seen(database)
    assert seen(two) == []
    with two.reading() as session:
        assert session.get(JobRow, "job_1") is None


def test_a_new_row_is_the_session_s_project_s(one: Database, database: Database) -> None:
    assert job(one, "job_1").project == ONE
    assert job(database, "job_2").project == "default"


def test_a_row_loaded_for_a_project_can_be_sent_to_another_process(one: Database) -> None:
    import pickle

    row = Catalog(one).endpoint("minilm")
    assert pickle.loads(pickle.dumps(row)).id == "minilm"


def test_ids_repeat_but_never_those_that_all_share(one: Database, two: Database) -> None:
    mine, yours = Catalog(one), Catalog(two)
    other = Upload("colors.csv", COLORS_CSV.replace("row", "line").encode())
    assert mine.add_dataset("colors", UPLOAD, Reading()).sha256 != (
        yours.add_dataset("colors", other, Reading()).sha256
    )
    assert all("row" in row.inputs["text"] for row in mine.rows("colors", limit=1000))
    assert len(mine.split("colors").train) == len(yours.split("colors").train) == 8
    for catalog in (mine, yours):
        catalog.add_endpoint("sharp", "encoder", "minilm", {})
        with pytest.raises(IdTaken):
            catalog.add_endpoint("minilm", "encoder", "minilm", {})
        with pytest.raises(IdTaken):
            catalog.add_dataset("tickets", UPLOAD, Reading())
    yours.delete_dataset("colors")
    yours.delete_endpoint("sharp")
    with pytest.raises(NoSuchDataset):
        yours.dataset("colors")
    with pytest.raises(NoSuchEndpoint, match=r": digits-clip, minilm$"):
        yours.endpoint("sharp")
    assert len(mine.split("colors").train) == 8 and mine.endpoint("sharp")


def test_what_comes_with_the_service_stands_there_once(database: Database, one: Database) -> None:
    Catalog(database).add_built_ins()
    Catalog(one).add_built_ins()
    with database.reading() as session:
        for table in (EndpointRow, DatasetRow):
            shared = session.exec(select(table).where(table.project == "")).all()
            assert len(shared) == 2 and all(row.built_in for row in shared)
        assert session.exec(select(ExampleRow).where(ExampleRow.project == "")).first()


def test_a_file_is_each_project_s_own(one: Database, two: Database) -> None:
    shelves = [Uploads(each, Catalog(each)) for each in (one, two)]
    rows = [shelf.add(UPLOAD, Reading(), "fine-tune") for shelf in shelves]
    assert rows[0].dataset_id == rows[1].dataset_id
    assert [row.project for row in rows] == [ONE, TWO]
    Catalog(two).delete_dataset(rows[1].dataset_id)
    assert [len(shelf.files()) for shelf in shelves] == [1, 0]


def test_a_webhook_hears_of_its_own_project(database: Database, one: Database) -> None:
    hooks = [Webhooks(each) for each in (one, database.of(TWO))]
    ids = [hook.add("http://127.0.0.1:9/", ["job.cancelled"]).id for hook in hooks]
    for project, id_ in ((ONE, "job_1"), (TWO, "job_2"), (ONE, "job_3")):
        row = job(database.of(project), id_)
        with database.writing() as session:
            end_job(session, session.merge(row), Ending(Status.CANCELLED, "cancelled"))
    Webhooks(database).collect()
    told = [
        sorted(row.job_id for row in hook.deliveries(id_))
        for hook, id_ in zip(hooks, ids, strict=True)
    ]
    assert told == [["job_1", "job_3"], ["job_2"]]
    with pytest.raises(NoSuchWebhook):
        hooks[0].one(ids[1])


def test_answers_are_remembered_for_the_project_that_paid(
    database: Database, one: Database
) -> None:
    for of, id_ in ((one, "job_1"), (database, "job_2")):
        job(of, id_)
        Accounts(of).open(id_, 1)
        Accounts(of).save(id_, 1, {"requests": 1}, {"k": id_})
    assert Accounts(one).recall(["k", "l"]) == {"k": "job_1"}
    assert Accounts(database).recall(["k"]) == {"k": "job_2"}
    assert Accounts(database.of(TWO)).recall(["k"]) == {}


def test_keys_and_the_audit_log_are_a_project_s(one: Database, two: Database) -> None:
    row, _ = Keys(one).add("k", Role.READ)
    entry = AuditRow(who="k", verb="POST", route="/", object_id="", status=200, request_id="r")
    Audit(one).add(entry)
    assert [len(Keys(each).all()) for each in (one, two)] == [1, 0]
    assert [len(Audit(each).entries()) for each in (one, two)] == [1, 0]
    with pytest.raises(NoSuchKey):
        Keys(two).delete(row.id)
    Keys(one).delete(row.id)


def test_the_census_is_of_all_projects(database: Database, one: Database, two: Database) -> None:
    job(one, "job_1")
    job(two, "job_2")
    assert census(database).jobs["queued"] == 2
    assert JobStore(one).counts() == {"queued": 1}
    assert [row.id for row in JobStore(two).jobs()] == ["job_2"]
    with database.reading() as session:
        assert session.exec(select(EventRow)).all() == []
        assert session.exec(select(KeyRow)).all() == []


def test_projects_have_ids_of_their_own(database: Database) -> None:
    projects = Projects(database)
    for _ in range(2):
        projects.add_default()
    assert projects.add("acme").id == "acme" and projects.has("acme")
    with pytest.raises(IdTaken, match="'acme'"):
        projects.add("acme")
    for bad in ("", "A", "a b", "x" * 65):
        with pytest.raises(ValueError, match="cannot be a project's id"):
            projects.add(bad)
    assert [row.id for row in projects.all()] == ["acme", "default"]
