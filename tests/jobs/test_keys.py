"""Keys: what is kept of them, what opens, and for how long."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from jobs import keys
from jobs.database import Database
from jobs.keys import KEY, ROLES, Keys, Locksmith, Role
from jobs.models import now


def test_a_key_names_its_row_and_opens_its_project(database: Database) -> None:
    row, key = Keys(database.of("acme")).add("ci", Role.WRITE, requests_per_minute=9)
    match = KEY.fullmatch(key)
    assert match and match[1] == row.id
    locksmith = Locksmith(database)
    for _ in range(2):
        found = locksmith.check(key)
        assert found is not None
        assert (found.project, found.role, found.requests_per_minute) == ("acme", "write", 9)


def test_nothing_of_a_secret_is_kept(database: Database, tmp_path: Path) -> None:
    row, key = Keys(database).add("ci", Role.READ)
    assert Locksmith(database).check(key)
    secret = key.rsplit("_", 1)[1]
    assert secret not in repr(row) and row.hash.hex() not in repr(row)
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        assert secret.encode() not in data and bytes.fromhex(secret) not in data


def test_only_the_whole_key_opens(database: Database) -> None:
    keys_ = Keys(database)
    (row, key), (_, other) = keys_.add("a", Role.READ), keys_.add("b", Role.READ)
    locksmith, secret = Locksmith(database), other.rsplit("_", 1)[1]
    wrong = ["", "gl_", key[:-1], f"{key}0", key.upper(), f"gl_{row.id}_{secret}", f" {key}"]
    wrong += [f"gl_{'0' * 16}_{key.rsplit('_', 1)[1]}"]
    for _ in range(2):
        assert [text for text in wrong if locksmith.check(text)] == []
        assert locksmith.check(key)


def test_a_deleted_key_opens_nothing_at_once(database: Database) -> None:
    row, key = Keys(database).add("a", Role.READ)
    locksmith = Locksmith(database)
    assert locksmith.check(key)
    Keys(database).delete(row.id)
    assert locksmith.check(key) is None


def test_a_key_expires(database: Database) -> None:
    _, early = Keys(database).add("a", Role.READ, expires_at=now() - timedelta(seconds=1))
    _, late = Keys(database).add("b", Role.READ, expires_at=now() + timedelta(minutes=1))
    assert Locksmith(database).check(early) is None
    assert Locksmith(database).check(late)


def test_the_slow_hash_is_computed_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = Keys(database).add("a", Role.READ)
    calls: list[bytes] = []
    slow = keys._hash

    def counted(secret: str, salt: bytes) -> bytes:
        calls.append(salt)
        return slow(secret, salt)

    monkeypatch.setattr(keys, "_hash", counted)
    locksmith = Locksmith(database)
    for _ in range(5):
        assert locksmith.check(key)
    assert len(calls) == 1


def test_its_use_is_written_down_once_a_minute(database: Database, tmp_path: Path) -> None:
    _, key = Keys(database).add("a", Role.READ)
    locksmith = Locksmith(database)
    assert Keys(database).all()[0].last_used_at is None
    locksmith.check(key)
    first = Keys(database).all()[0].last_used_at
    assert first is not None
    locksmith.check(key)
    assert Keys(database).all()[0].last_used_at == first
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        connection.execute("UPDATE keys SET last_used_at = '2020-01-01 00:00:00.000000'")
        connection.commit()
    locksmith.check(key)
    assert Keys(database).all()[0].last_used_at != first


def test_a_role_covers_those_before_it() -> None:
    for place, role in enumerate(ROLES):
        assert [role.covers(other) for other in ROLES] == [n <= place for n in range(4)]
