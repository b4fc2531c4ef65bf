"""API keys: made, shown once, checked, forgotten. Every SQL statement about them."""

import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from jobs.access_rows import KeyRow
from jobs.database import Database
from jobs.models import now

KEY = re.compile(r"gl_([0-9a-f]{16})_([0-9a-f]{64})")
PREFIX = "gl_"
COST, BLOCK = 2**14, 8  # of scrypt: some 50 ms and 16 MB
SEEN_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is


class Role(StrEnum):
    """What a caller may do; each may also do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"  # of one project
    OPERATOR = "operator"  # of the whole service; no stored key has it

    def covers(self, needed: "Role") -> bool:
        return ROLES.index(self) >= ROLES.index(needed)


ROLES = tuple(Role)
logger = logging.getLogger(__name__)


class NoSuchKey(LookupError):
    """No key has this id."""


class Keys:
    """The keys of a project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        role: Role,
        *,
        requests_per_minute: int | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[KeyRow, str]:
        """A new key, and the text of it, which nobody can tell later."""
        id_, secret, salt = secrets.token_hex(8), secrets.token_hex(32), secrets.token_bytes(16)
        row = KeyRow(
            id=id_,
            name=name,
            role=role,
            salt=salt,
            hash=_hash(secret, salt),
            requests_per_minute=requests_per_minute,
            expires_at=expires_at,
        )
        with self._database.writing() as session:
            session.add(row)
        return row, f"{PREFIX}{id_}_{secret}"

    def all(self) -> Sequence[KeyRow]:
        """The oldest first."""
        query = select(KeyRow).order_by(col(KeyRow.created_at), col(KeyRow.id))
        with self._database.reading() as session:
            return session.exec(query).all()

    def opens(self, id_: str) -> bool:
        """Whether the key is there and has not expired."""
        with self._database.reading() as session:
            row = session.get(KeyRow, id_)
        return row is not None and not _is_over(row)

    def delete(self, id_: str) -> None:
        """From now on the key opens nothing."""
        with self._database.writing() as session:
            row = session.get(KeyRow, id_)
            if row is None:
                raise NoSuchKey(f"no key {id_!r}; GET /api/keys lists them all")
            session.delete(row)


class Locksmith:
    """Tells whose a key is.

    A key's row is read each time, so that one that is deleted opens nothing from then on; its
    slow hash is computed once, and after that a fast one of it is compared.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, bytes] = {}  # a row's hash -> SHA-256 of the secret it is of
        self._hashing = threading.Lock()  # guessing must not take every core and thread's memory

    def check(self, text: str) -> KeyRow | None:
        """The key's row; None: there is no such key, or it has expired."""
        match = KEY.fullmatch(text)
        if match is None:
            return None
        with self._database.reading() as session:
            row = session.get(KeyRow, match[1])
        if row is None or not self._is_right(row, match[2]):
            return None
        if _is_over(row):
            return None
        self._mark(row)
        return row

    def _is_right(self, row: KeyRow, secret: str) -> bool:
        fast = hashlib.sha256(secret.encode()).digest()
        if (known := self._known.get(row.hash)) is not None:
            return hmac.compare_digest(known, fast)
        with self._hashing:
            is_right = hmac.compare_digest(_hash(secret, row.salt), row.hash)
        if is_right:
            self._known[row.hash] = fast
        return is_right

    def _mark(self, row: KeyRow) -> None:
        """Writes down that the key is used: not each time, and not at any price."""
        at = now()
        if row.last_used_at is not None and at - row.last_used_at < SEEN_EVERY:
            return
        try:
            with self._database.writing() as session:
                if (kept := session.get(KeyRow, row.id)) is not None:
                    kept.last_used_at = at
                    session.add(kept)
        except DBAPIError as error:  # a full disk must not lock anybody out
            logger.warning("key %s: its use was not written down: %s", row.id, error.orig)


def _is_over(row: KeyRow) -> bool:
    return row.expires_at is not None and row.expires_at <= now()


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=COST, r=BLOCK, p=1)
