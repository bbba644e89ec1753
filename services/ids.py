"""Ids of a party's own: one AES block of the UUID under the party's key, so that no two parties can compare theirs."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_LENGTH = 26  # base32 of 16 bytes, without padding


class PartyIds:
    """Turns ids into those of one party and back. Every well-formed id opens to some UUID: none can be probed."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._key = lru_cache(maxsize=10_000)(self._derive)
        self._block = lru_cache(maxsize=100_000)(self._seal)  # a page shows the same ids again and again

    def _derive(self, party: UUID) -> Cipher[modes.ECB]:
        key = hmac.digest(self._master, b"party id" + party.bytes, sha256)
        return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - one block of a random id: a permutation is wanted

    def seal(self, party: UUID, value: UUID) -> str:
        """Return the id by which `party` knows `value`: 26 lower-case letters and digits."""
        return self._block(party, value)

    def _seal(self, party: UUID, value: UUID) -> str:
        block = self._key(party).encryptor().update(value.bytes)
        return base64.b32encode(block).decode().rstrip("=").lower()

    def open(self, party: UUID, text: str) -> UUID | None:
        """Return what `party` calls by this id; None for what cannot be one of its ids."""
        if len(text) != _LENGTH or not text.isascii():
            return None
        try:
            block = base64.b32decode(text.upper() + "======")
        except binascii.Error:
            return None
        return UUID(bytes=self._key(party).decryptor().update(block))
