"""A copy of a database in use, and the way back."""

import sqlite3
import threading
from contextlib import closing

import pytest

from jobs import schema
from jobs.backups import BadBackup, _put_aside, backup, check, copy, database_file, restore
from jobs.database import Database
from jobs.models import JobRow
from jobs.schema import TooNew


@pytest.fixture
def file(database, tmp_path):
    with database.writing() as session:
        session.add(JobRow(id="first", spec={}))
    return tmp_path / "jobs.db"


def ids(file):
    with closing(sqlite3.connect(file)) as connection:
        return [id_ for (id_,) in connection.execute("SELECT id FROM jobs ORDER BY id")]


def test_a_backup_and_back(file, database, tmp_path):
    target = tmp_path / "copy.db"
    assert backup(database.url, target) == schema.revisions()[0]
    with database.writing() as session:
        session.add(JobRow(id="second", spec={}))
    assert ids(target) == ["first"]
    database.close()
    kept = restore(database.url, target)
    assert (ids(file), ids(kept)) == (["first"], ["first", "second"])
    database.migrate()  # and it works
    with database.writing() as session:
        session.add(JobRow(id="third", spec={}))
    database.close()
    assert ids(file) == ["first", "third"]
    assert not [path.name for path in tmp_path.iterdir() if path.suffix == ".part"]


def test_a_backup_while_others_write_is_of_one_instant(file, database, tmp_path):
    """Two rows go in together; no copy has one without the other."""
    over = threading.Event()

    def write():
        number = 0
        while not over.is_set():
            with database.writing() as session:
                session.add_all([JobRow(id=f"{half}{number:06}", spec={}) for half in "ab"])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            target = tmp_path / f"copy{number}.db"
            backup(database.url, target)
            found = ids(target)
            assert found.count("first") == 1
            assert [i[1:] for i in found if i[0] == "a"] == [i[1:] for i in found if i[0] == "b"]
    finally:
        over.set()
        writer.join()
    assert len(ids(file)) > 1


def test_restore_refuses_while_somebody_has_it_open(file, database, tmp_path):
    target = tmp_path / "copy.db"
    backup(database.url, target)
    with database.reading() as session:
        session.get(JobRow, "first")
        with pytest.raises(BadBackup, match="stop the service first"):
            restore(database.url, target)
    assert ids(file) == ["first"]
    assert sorted(path.name for path in tmp_path.glob("jobs.db*.re*")) == []


def test_into_an_empty_folder(file, database, tmp_path):
    target = tmp_path / "copy.db"
    backup(database.url, target)
    elsewhere = tmp_path / "new" / "gradless.db"
    assert restore(f"sqlite:///{elsewhere}", target) is None
    assert ids(elsewhere) == ["first"]


def test_a_damaged_database_can_be_replaced(file, database, tmp_path):
    target = tmp_path / "copy.db"
    backup(database.url, target)
    database.close()
    file.write_bytes(b"SQLite format 3\x00" + b"?" * 5000)
    assert restore(database.url, target).read_bytes().endswith(b"?")
    assert ids(file) == ["first"]


def test_a_log_that_was_left_goes_with_its_file(tmp_path):
    """SQLite would replay it into whatever has the file's name next."""
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"jobs.db{end}").write_text(end)
    kept = _put_aside(tmp_path / "jobs.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{kept.name}{end}" for end in ("", "-shm", "-wal")
    ]


def spoil_header(file):
    file.write_text("not a database at all, but long enough to be read as one " * 20)


def spoil_page(file):
    data = bytearray(file.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    file.write_bytes(data)


def empty(file):
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")


def point_at_nothing(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO reports (job_id, body) VALUES ('nobody', '{}')")
        connection.commit()


@pytest.mark.parametrize("spoil", [spoil_header, spoil_page, empty, point_at_nothing])
def test_what_is_no_backup_is_refused(spoil, file, database, tmp_path):
    target = tmp_path / "copy.db"
    backup(database.url, target)
    spoil(target)
    with pytest.raises(BadBackup, match=r"copy\.db is"):
        restore(database.url, target)
    assert ids(file) == ["first"]


def test_a_backup_of_the_future_is_refused(file, database, tmp_path):
    target = tmp_path / "copy.db"
    copy(file, target)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
        connection.commit()
    with pytest.raises(TooNew, match="9998"):
        check(target)


def test_what_cannot_be_done_is_said(file, database, tmp_path):
    with pytest.raises(BadBackup, match="exists already"):
        backup(database.url, file)
    with pytest.raises(BadBackup, match="there is no database"):
        backup(f"sqlite:///{tmp_path}/none.db", tmp_path / "copy.db")
    with pytest.raises(BadBackup, match="there is no file"):
        restore(database.url, tmp_path / "none.db")
    with pytest.raises(BadBackup, match="could not be copied"):
        backup(database.url, tmp_path / "nowhere" / "copy.db")
    for url in ("postgresql://someone:secret@db/x", "sqlite://"):
        with pytest.raises(BadBackup) as refusal:
            database_file(url)
        assert "secret" not in str(refusal.value)


def test_an_old_backup_is_brought_up_at_the_next_start(tmp_path):
    old = Database(f"sqlite:///{tmp_path}/old.db")
    with old._writing.connect() as connection:
        schema.upgrade(connection, schema.revisions()[-1])
    old.close()
    url = f"sqlite:///{tmp_path}/data/gradless.db"
    restore(url, tmp_path / "old.db")
    database = Database(url)
    database.migrate()
    with database.reading() as session:
        assert session.get(JobRow, "first") is None
    database.close()
    assert check(tmp_path / "data" / "gradless.db") == schema.revisions()[0]
