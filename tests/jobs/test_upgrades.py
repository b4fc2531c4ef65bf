"""Databases of earlier schemas: brought up with nothing lost, or left as they were."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import jobs.access_rows
import jobs.name_rows
import jobs.webhook_rows  # noqa: F401  all three register tables
from jobs import schema
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.models import JobRow, Status
from jobs.schema import TooNew
from jobs.store import JobStore

OLD = schema.revisions()[1:]
JOB_ID = "job_" + "0" * 20
VALUES = {  # of columns that every schema so far had, by their types
    "INTEGER": 1,
    "BIGINT": 1,
    "BOOLEAN": 0,
    "FLOAT": 0.5,
    "BLOB": b"x",
    "JSON": "{}",
    "DATETIME": "2026-01-02 03:04:05.000000",
}
GIVEN = {"job_id": JOB_ID, "dataset_id": "words", "status": "succeeded", "kind": "text"}


def rows_of(file, table):
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def tables_of(connection):
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in found} - {"alembic_version", "sqlite_sequence"}


def fill(connection):
    """A row in every table; columns that may be left out are."""
    for table in sorted(tables_of(connection)):
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        row = {}
        for _, name, kind, needed, default, key in columns:
            if name == "id" and table == "jobs":
                row[name] = JOB_ID
            elif name == "id" and table == "datasets":
                row[name] = "words"
            elif (needed and default is None) or key:
                row[name] = GIVEN.get(name, VALUES.get(kind.split("(")[0], "text"))
        marks = ", ".join("?" * len(row))
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


@pytest.fixture
def old(tmp_path):
    """A file at an earlier revision, with a row in each table."""

    def make(revision):
        file = tmp_path / "old.db"
        database = Database(f"sqlite:///{file}")
        with database._writing.connect() as connection:
            schema.upgrade(connection, revision)
        database.close()
        with closing(sqlite3.connect(file)) as connection:
            fill(connection)
            connection.commit()
        return file

    return make


@pytest.mark.parametrize("revision", OLD)
def test_an_old_database_is_brought_up(revision, old):
    file = old(revision)
    with closing(sqlite3.connect(file)) as connection:
        before = {table: rows_of(file, table) for table in tables_of(connection)}
    assert len(before) >= 9 and all(len(rows) == 1 for rows in before.values())
    database = Database(f"sqlite:///{file}")
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    assert JobStore(database).job(JOB_ID).status == Status.SUCCEEDED
    database.close()
    for table, [row] in before.items():
        [kept] = rows_of(file, table)
        assert {name: kept.get(name) for name in row} == row, table
    copy = file.with_name(f"old.db.{revision}.bak")
    assert {table: rows_of(copy, table) for table in before} == before
    assert rows_of(copy, "alembic_version") == [{"version_num": revision}]
    assert rows_of(file, "alembic_version") == [{"version_num": schema.revisions()[0]}]


def test_what_came_with_the_service_becomes_everybody_s(old):
    """And the rest the default project's; rows still go with their dataset."""
    file = old("0007")
    with closing(sqlite3.connect(file)) as connection:
        for table, kept in (("datasets", "words"), ("endpoints", "text")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(f'"{name}"' for name in names)
            values = columns.replace('"id"', "'came'").replace('"built_in"', "1")
            connection.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id = ?",
                (kept,),
            )
        connection.execute("INSERT INTO examples VALUES ('came', 1, 'train', '{}', 'x')")
        connection.commit()
    database = Database(f"sqlite:///{file}")
    database.migrate()
    for table in ("datasets", "endpoints"):
        owners = {row["id"]: row["project"] for row in rows_of(file, table)}
        assert owners.pop("came") == "" and set(owners.values()) == {"default"}
    owners = {row["dataset_id"]: row["project"] for row in rows_of(file, "examples")}
    assert owners == {"came": "", "words": "default"}
    assert {row["project"] for row in rows_of(file, "jobs")} == {"default"}
    Catalog(database.of("default")).delete_dataset("words")
    database.close()
    assert [row["dataset_id"] for row in rows_of(file, "examples")] == ["came"]
    assert rows_of(file, "images") == rows_of(file, "files") == []


def test_a_new_database_and_one_that_is_up_leave_no_copy(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/new.db")
    database.migrate()
    database.migrate()
    database.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "new.db"]


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A history whose last version fails after it has changed a table and a row."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_broken.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '9999', {schema.revisions()[0]!r}\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (id INTEGER)')\n"
        "    op.execute(\"UPDATE jobs SET status = 'half'\")\n"
        "    raise RuntimeError('the disk is full, say')\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", folder)
        yield


@pytest.mark.parametrize("revision", [OLD[0], OLD[-1]])
def test_a_version_that_fails_leaves_the_file_usable(revision, old, broken):
    file = old(revision)
    before = rows_of(file, "jobs")
    database = Database(f"sqlite:///{file}")
    for _ in range(2):  # whoever starts it again finds the same
        with pytest.raises(RuntimeError, match="the disk is full"):
            database.migrate()
        assert rows_of(file, "jobs") == before
        assert rows_of(file, "alembic_version") == [{"version_num": revision}]
        with closing(sqlite3.connect(file)) as connection:
            assert "half" not in tables_of(connection)
            connection.execute("UPDATE jobs SET queries = queries")  # no lock is left
    assert rows_of(file.with_name(f"old.db.{revision}.bak"), "jobs") == before
    database.close()


def test_a_database_of_the_future_is_refused(database, tmp_path):
    with database.writing() as session:
        session.add(JobRow(id=JOB_ID, spec=json.loads("{}")))
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
        connection.commit()
    with pytest.raises(TooNew, match="revision 9998"):
        database.migrate()
    assert [row["id"] for row in rows_of(tmp_path / "jobs.db", "jobs")] == [JOB_ID]


def test_whether_it_can_be_written_to(database, tmp_path):
    assert database.is_writable()
    database.close()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    read_only = Database(f"sqlite:///file:{tmp_path}/jobs.db?mode=ro&uri=true")
    assert not read_only.is_writable()
    read_only.close()
