"""Data keys: one per subject (a participant, a matter), wrapped by a site key, which lies outside the database.

A destroyed key is `None`, here and in every other process at once: what is kept in memory spares the unwrapping of a
key, never the question whether it lives. A wrapped key says which site key wrapped it: while one replaces the other
(`renewal`), each is opened by its own.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from threading import Lock
from typing import Final, NamedTuple, Self
from uuid import UUID, uuid4

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from eventsourcing.postgres import PostgresDatastore

from services.ports import Erased

NONCE_BYTES: Final = 12
ALGORITHMS: Final[Mapping[str, type[AESGCM | ChaCha20Poly1305]]] = {
    "AES-256-GCM": AESGCM,
    "ChaCha20-Poly1305": ChaCha20Poly1305,
}
"""With what a site key may wrap, by the first part of its name: both take keys of 32 bytes, and nonces of 12."""
DEFAULT: Final = "AES-256-GCM"
_KEY_BITS: Final = 256
_NAME_DIGITS: Final = 16
_ANOTHER_IN_USE: Final = "GT008"


class KeyDestroyed(Erased):
    """The subject's key was destroyed: nothing can be sealed for it any more."""

    def __init__(self) -> None:
        super().__init__("the subject's key was destroyed: nothing more can be recorded under it")


class WrongSiteKey(Exception):
    """No site key opens a data key, or the one in use is missing: the secrets are another database's, or older."""

    @classmethod
    def of(cls, key_id: UUID) -> Self:
        """Return what to say of a data key that nothing opens."""
        return cls(f"no site key opens the data key {key_id}: restore this database's own secrets")


class WrappedKey(NamedTuple):
    """A data key as it is stored: whose, `wrapped` None once it is destroyed, and the site key that wrapped it.

    `wrapped_by` is None where that was before site keys had names.
    """

    key_id: UUID
    subject_id: UUID
    wrapped: bytes | None
    wrapped_by: str | None


class SiteKeys:
    """The site keys there are, by name: algorithm, and digits of a digest. A key has a name for each algorithm."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {site_key_name(key, each): cipher(key) for key in keys for each, cipher in ALGORITHMS.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._ciphers

    def wrap(self, name: str, key_id: UUID, subject: UUID, key: bytes) -> bytes:
        """Return a data key, wrapped by the site key of this name and bound to its subject."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[name].encrypt(nonce, key, key_id.bytes + subject.bytes)

    def opened(self, key: WrappedKey) -> bytes | None:
        """Return a data key, 32 bytes; None where none of these site keys opens it."""
        wrapped = key.wrapped or b""
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        for name in self._ciphers if key.wrapped_by is None else {key.wrapped_by} & self._ciphers.keys():
            with suppress(InvalidTag, ValueError):
                return self._ciphers[name].decrypt(nonce, sealed, key.key_id.bytes + key.subject_id.bytes)
        return None


def site_key_name(key: bytes, algorithm: str = DEFAULT) -> str:
    """Return the name of a site key: the algorithm by which it wraps, and by what it is told from others."""
    return f"{algorithm} {sha256(algorithm.encode() + key).hexdigest()[:_NAME_DIGITS]}"


class DataKey(NamedTuple):
    """The key of one subject, ready for use."""

    key_id: UUID
    cipher: AESGCM


class Keyring:
    """The data keys of a site. Thread-safe.

    `site_keys` returns the site keys there are, 32 bytes each; it is asked again when none of those known fits.
    `remembers` bounds how many unwrapped keys are kept in memory.
    """

    def __init__(
        self, datastore: PostgresDatastore, site_keys: Callable[[], Sequence[bytes]], remembers: int = 10_000
    ) -> None:
        self._datastore = datastore
        self._find = site_keys
        self._site = SiteKeys(site_keys())
        self._in_use: str | None = None
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
                "select key_id, subject_id, wrapped, wrapped_by from log.key where subject_id = any(%s)",
                (wanted,),
                prepare=True,
            )
            rows = cursor.fetchall()
        return {row["subject_id"]: self._key(WrappedKey(**row)) for row in rows}

    def bare(self, subject: UUID) -> bytes | None:
        """Return the key itself, to be given away: 32 bytes; None where it was destroyed, or never was."""
        with self._datastore.get_connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(
                "select key_id, subject_id, wrapped, wrapped_by from log.key where subject_id = %s",
                (subject,),
                prepare=True,
            )
            row = cursor.fetchone()
        return self._opened(WrappedKey(**row)) if row and row["wrapped"] else None

    def _make(self, subject: UUID) -> DataKey | None:
        key_id, key = uuid4(), AESGCM.generate_key(_KEY_BITS)
        while True:
            by = self._in_use or self._ask_in_use()
            if by not in self._site:
                self._look_again()
            if by not in self._site:
                raise WrongSiteKey(f"the site key in use, {by}, is not among the secrets: copy it there")
            offered = self._site.wrap(by, key_id, subject, key)
            with self._datastore.get_connection() as connection:
                try:
                    row = connection.execute(
                        "select key_id, wrapped, wrapped_by from log.wrapped_key(%s, %s, %s, %s)",
                        (subject, key_id, offered, by),
                        binary=True,
                    ).fetchone()
                except psycopg.Error as error:
                    if error.sqlstate != _ANOTHER_IN_USE:
                        raise
                    self._in_use = None  # it was replaced since we asked
                    continue
            self._in_use = by
            return self._key(WrappedKey(subject_id=subject, **row)) if row else None

    def _ask_in_use(self) -> str:
        with self._datastore.get_connection() as connection:
            row = connection.execute("select name from log.site_key").fetchone()
        return str(row["name"]) if row else site_key_name(self._find()[0])

    def _key(self, stored: WrappedKey) -> DataKey | None:
        if stored.wrapped is None:
            with self._lock:
                self._known.pop(stored.subject_id, None)
            return None
        known = self._recall(stored.subject_id)
        return known if known and known.key_id == stored.key_id else self._unwrap(stored)

    def _unwrap(self, stored: WrappedKey) -> DataKey:
        key = DataKey(stored.key_id, AESGCM(self._opened(stored)))
        with self._lock:
            self._known[stored.subject_id] = key
            if len(self._known) > self._remembers:
                self._known.popitem(last=False)
        return key

    def _opened(self, stored: WrappedKey) -> bytes:
        key = self._site.opened(stored)
        if key is None:  # by a site key that came into use since we looked
            self._look_again()
            key = self._site.opened(stored)
        if key is None:
            raise WrongSiteKey.of(stored.key_id)
        return key

    def _look_again(self) -> None:
        self._site, self._in_use = SiteKeys(self._find()), None

    def _recall(self, subject: UUID) -> DataKey | None:
        with self._lock:
            if subject not in self._known:
                return None
            self._known.move_to_end(subject)
            return self._known[subject]
