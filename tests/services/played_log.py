"""A log in memory, kept by a site that may be honest or not: rows, leaves, signed checkpoints, and bundles of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.checkpoint import Checkpoint, sign, verifier_of
from services.heads import Head, Heads
from services.leaves import (
    Place,
    Stored,
    StoredDisclosure,
    StoredEvent,
    hashed,
    hashed_heads,
    hashed_padding,
    line_of,
    salt_for,
)
from services.ports import Seal
from services.questions import bundle
from services.tree import Tree

ORIGIN = "lead.example/county"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAY, ANA, JOE = (UUID(int=n) for n in (7, 8, 9))
POLICE = UUID(int=100)
_BEGAN = datetime(2026, 3, 18, 9, tzinfo=UTC)
_PADDING = 8


def disclosure(n: int, who: UUID, surface: str = "police.participant") -> StoredDisclosure:
    """Return what the police were shown of somebody, as the `n`th row."""
    return StoredDisclosure(
        n, _BEGAN + timedelta(minutes=n), who, _random(n), "disclosure", "police", POLICE, POLICE, 1, n, "police/1",
        "iip.progress", str(who), "coordination", surface, sha256(b"%d" % n).digest(), None, UUID(int=n),
    )  # fmt: skip


def event(n: int, who: UUID | None, topic: str = "contact.made") -> StoredEvent:
    """Return what was recorded of somebody, as the `n`th row."""
    at = _BEGAN + timedelta(minutes=n)
    return StoredEvent(n, at, who, _random(n), uuid5(RAY, f"{n}"), 1, topic, None, POLICE, None, None, bytes(32))


def _random(n: int) -> bytes:
    return sha256(b"salt%d" % n).digest()[:16]


HISTORY: tuple[Stored, ...] = (
    event(1, RAY, "participant.identified"),
    event(2, ANA, "participant.identified"),
    event(3, RAY, "roi.granted"),
    disclosure(4, RAY),
    disclosure(5, ANA),
    event(6, None),
    event(7, RAY),
    disclosure(8, RAY),
    event(9, JOE, "participant.identified"),
    disclosure(10, RAY),
)


@dataclass
class PlayedLog:
    """`services.ports.Seals` over rows in memory. `lies`: where the site says that a line ends."""

    signer: Ed25519PrivateKey = KEY
    origin: str = ORIGIN
    lies: Mapping[UUID, int] = field(default_factory=dict)
    rows: list[tuple[Place, Stored]] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    sizes: dict[int, tuple[Heads, bytes]] = field(default_factory=dict)
    _hashes: dict[UUID, list[bytes]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its verifier key."""
        return str(verifier_of(self.origin, self.signer.public_key()))

    def seal(self, rows: Iterable[Stored]) -> PlayedLog:
        """Give the rows their leaves, pad, say where each line ends, and sign."""
        for row in rows:
            place = Place(len(self.tree))
            if row.participant is not None:
                before = self._hashes.setdefault(row.participant, [])
                place = replace(place, number=len(before) + 1, previous=before[-1] if before else None)
                before.append(hashed(row, place))
            self.rows.append((place, row))
            self.tree.append(hashed(row, place))
        while (len(self.tree) + 1) % _PADDING:
            self.tree.append(hashed_padding(len(self.tree), _random(len(self.tree))))
        salt = _random(10_000 + len(self.tree))
        ends = {who: self.lies.get(who, len(hashes)) for who, hashes in self._hashes.items()}
        heads = Heads({line_of(who): Head(n, self._hashes[who][n - 1]) for who, n in ends.items()}, salt)
        self.tree.append(hashed_heads(len(self.tree), heads.root(), salt))
        self.sizes[len(self.tree)] = heads, salt_for("leaf", salt)
        return self

    def note(self, size: int | None = None) -> str:
        """Return the signed checkpoint of a size, or the last."""
        size = size or max(self.sizes)
        return sign(Checkpoint(self.origin, size, self.tree.root(size)), self.origin, self.signer)

    def latest(self) -> Seal:
        """Return the last checkpoint."""
        return Seal(max(self.sizes), self.note())

    def published(self, size: int) -> bool:
        """Return whether there is a checkpoint of this size."""
        return size in self.sizes

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that a leaf is in the log."""
        return self.tree.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of a size continues that of an earlier one."""
        return self.tree.consistency(old, new)

    def heads(self, size: int) -> tuple[Heads, bytes]:
        """Return where each line ended, and the salt of the leaf that says so."""
        return self.sizes[size]

    def checkpoint(self, since: int | None = None) -> dict[str, Any]:
        """Return what anyone is given to keep."""
        return bundle._published(self._site, self.latest(), since)

    def bundle(self, *people: UUID, since: int | None = None, most: int | None = None) -> dict[str, Any]:
        """Return what the participant is given; `most`: no more leaves than these."""
        lines = {who: [at for at in self.rows if at[1].participant == who][:most] for who in people or (RAY,)}
        proven = bundle._proven(self._site, self.latest(), since, lines, lambda _: True)
        return proven | {"names": {str(POLICE): "City Police Department"}}

    @property
    def _site(self) -> Any:
        return SimpleNamespace(seals=self)
