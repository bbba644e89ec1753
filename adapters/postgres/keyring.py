"""Data keys: one per subject (a participant, a matter), wrapped by the site key, which lies outside the database.

A destroyed key is `None`, here and in every other process at once: what is kept in memory spares the unwrapping of a
key, never the question whether it lives.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.postgres import PostgresDatastore

from services.ports import Erased

NONCE_BYTES: Final = 12
_KEY_BITS: Final = 256


class KeyDestroyed(Erased):
    """The subject's key was destroyed: nothing can be sealed for it any more."""

    def __init__(self) -> None:
        super().__init__("the subject's key was destroyed: nothing more can be recorded under it")


class WrongSiteKey(Exception):
    """The site key does not open a data key: the secrets belong to another database, or the key is damaged."""

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"the site key does not open the data key {key_id}: restore this database's own secrets")


class DataKey(NamedTuple):
    """The key of one subject, ready for use."""

    key_id: UUID
    cipher: AESGCM


class Keyring:
    """The data keys of a site. Thread-safe.

    `site_key` is 32 bytes; `remembers` bounds how many unwrapped keys are kept in memory.
    """

    def __init__(self, datastore: PostgresDatastore, site_key: bytes, remembers: int = 10_000) -> None:
        self._datastore = datastore
        self._site = AESGCM(site_key)
        self._remembers = remembers
        self._known: OrderedDict[UUID, DataKey] = OrderedDict()  # by subject, the least recently used first
        self._lock = Lock()

    def for_sealing(self, subject: UUID) -> DataKey:
        """Return a subject's key, made now if it has none. Raises `KeyDestroyed`.

        The answer may be from memory: `log.record` refuses what was sealed under a key destroyed meanwhile.
        """
        if known := self._recall(subject):
            return known
        found = self.for_opening([subject])
        key = found[subject] if subject in found else self._make(subject)
        if key is None:
            raise KeyDestroyed
        return key

    def for_opening(self, subjects: Iterable[UUID]) -> dict[UUID, DataKey | None]:
        """Return the keys of many subjects by one query: None for a destroyed key, no entry for one that never was."""
        wanted = list(subjects)
        if not wanted:
            return {}
        with self._datastore.get_connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(
                "select key_id, subject_id, wrapped from log.key where subject_id = any(%s)", (wanted,), prepare=True
            )
            rows = cursor.fetchall()
        return {row["subject_id"]: self._key(row["subject_id"], row["key_id"], row["wrapped"]) for row in rows}

    def bare(self, subject: UUID) -> bytes | None:
        """Return the key itself, to be given away: 32 bytes; None where it was destroyed, or never was."""
        with self._datastore.get_connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute("select key_id, wrapped from log.key where subject_id = %s", (subject,), prepare=True)
            row = cursor.fetchone()
        return self._opened(subject, row["key_id"], row["wrapped"]) if row and row["wrapped"] else None

    def _make(self, subject: UUID) -> DataKey | None:
        key_id, nonce = uuid4(), os.urandom(NONCE_BYTES)
        offered = nonce + self._site.encrypt(nonce, AESGCM.generate_key(_KEY_BITS), key_id.bytes + subject.bytes)
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "select key_id, wrapped from log.wrapped_key(%s, %s, %s)", (subject, key_id, offered), binary=True
            ).fetchone()
        return self._key(subject, row["key_id"], row["wrapped"]) if row else None

    def _key(self, subject: UUID, key_id: UUID, wrapped: bytes | None) -> DataKey | None:
        if wrapped is None:
            with self._lock:
                self._known.pop(subject, None)
            return None
        known = self._recall(subject)
        return known if known and known.key_id == key_id else self._unwrap(subject, key_id, wrapped)

    def _unwrap(self, subject: UUID, key_id: UUID, wrapped: bytes) -> DataKey:
        key = DataKey(key_id, AESGCM(self._opened(subject, key_id, wrapped)))
        with self._lock:
            self._known[subject] = key
            if len(self._known) > self._remembers:
                self._known.popitem(last=False)
        return key

    def _opened(self, subject: UUID, key_id: UUID, wrapped: bytes) -> bytes:
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return self._site.decrypt(nonce, sealed, key_id.bytes + subject.bytes)
        except (InvalidTag, ValueError):
            raise WrongSiteKey(key_id) from None

    def _recall(self, subject: UUID) -> DataKey | None:
        with self._lock:
            if subject not in self._known:
                return None
            self._known.move_to_end(subject)
            return self._known[subject]
