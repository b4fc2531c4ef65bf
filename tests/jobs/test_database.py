import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

import jobs.models
import jobs.webhook_rows  # noqa: F401  and these
from jobs.database import BUSY_TIMEOUT, Database
from jobs.models import CheckpointRow, JobRow, Status, now
from tests.conftest import eventually

ROOT = Path(__file__).parents[2]
COUNT = """
import sys
from jobs.database import Database
from jobs.models import JobRow
database = Database(sys.argv[1])
for _ in range(200):
    with database.writing() as session:
        session.get(JobRow, "counter").queries += 1
"""


@pytest.fixture
def counter(database):
    with database.writing() as session:
        session.add(JobRow(id="counter", spec={}))
    return database


def count(database, times):
    for _ in range(times):
        with database.writing() as session:
            session.get(JobRow, "counter").queries += 1  # reads, then writes


def start(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def ended_well(process):
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()


def counted(database):
    with database.reading() as session:
        return session.get(JobRow, "counter").queries


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("foreign_keys", 1),
        ("busy_timeout", BUSY_TIMEOUT),
        ("synchronous", 1),
    ],
)
def test_every_connection_is_tuned(database, pragma, value):
    with database.reading() as one, database.reading() as two, database.writing() as three:
        for session in (one, two, three):
            assert session.exec(text(f"PRAGMA {pragma}")).scalar() == value


def test_the_migrated_schema_is_the_models_schema(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_changes_nothing(counter):
    count(counter, 1)
    counter.migrate()
    assert counted(counter) == 1


def test_several_services_may_start_at_once(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/new.db")
    migrate = "import sys; from jobs.database import Database; Database(sys.argv[1]).migrate()"
    other = start(migrate, database.url)
    database.migrate()
    ended_well(other)
    with database.writing() as session:
        session.add(JobRow(id="counter", spec={}))
    assert counted(database) == 0
    database.close()


def test_a_failed_transaction_leaves_nothing(counter):
    with pytest.raises(KeyError), counter.writing() as session:
        session.add(JobRow(id="other", spec={}))
        session.get(JobRow, "counter").queries = 5
        session.flush()
        raise KeyError
    with counter.reading() as session:
        assert session.get(JobRow, "other") is None
    assert counted(counter) == 0
    count(counter, 1)  # and no lock


def test_references_are_kept(database):
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(CheckpointRow(job_id="nobody", number=0, queries=0, state=b""))


def test_reading_neither_waits_nor_blocks(counter):
    with counter.reading() as reader:
        assert reader.get(JobRow, "counter").queries == 0
        with counter.writing() as writer:
            writer.get(JobRow, "counter").queries = 1
            writer.flush()
            with counter.reading() as other:
                assert other.get(JobRow, "counter").queries == 0
        reader.expire_all()
        assert reader.get(JobRow, "counter").queries == 0, "one transaction, one view"
    assert counted(counter) == 1


def test_threads_never_find_the_database_locked(counter):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: count(counter, 20), range(6)))
    assert counted(counter) == 120


def test_processes_never_find_the_database_locked(counter):
    other = start(COUNT, counter.url)
    eventually(lambda: counted(counter), 60)
    count(counter, 200)  # while the other one does the same
    ended_well(other)
    assert counted(counter) == 400


def test_instants_keep_their_zone(counter):
    before = now()
    with counter.writing() as session:
        session.get(JobRow, "counter").started_at = before
    with counter.reading() as session:
        row = session.get(JobRow, "counter")
        assert row.started_at == before and row.created_at.utcoffset() == before.utcoffset()
        assert row.finished_at is None
        assert row.status == Status.QUEUED
