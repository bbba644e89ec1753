"""The leaves of the log: the bytes that stand for one stored row for ever.

A leaf's hash is `leaf_hash(salt + body)` (`services/tree.py`). A body is JSON in UTF-8: keys sorted, no spaces,
non-ASCII as itself; `f` is the version of this format. A format once used is never changed; another gets another number
(1 and 2 were used by no site). There are three bodies, and `index`, from 0, is in each of them:

- that of a row: `line`, `number`, `previous`, `facts`, `bearings`. `line` is whose leaf it is, the SHA-256 of a
  participant's id, or null; `number` counts the leaves of that line, from 1 and without gaps; `previous` is the hash of
  the line's leaf before, or null. `facts` and `bearings` are hashes of what the row says;
- padding: `kind` "padding", which stands for nothing;
- heads: `kind` "heads", and `root`: where each line ends (`services/heads.py`). Every checkpoint's last leaf is one.

What a row says is committed to in two parts, each the SHA-256 of a salt and of JSON as above, so that a leaf can be
shown to someone who may not read it. `facts` are what the accounting tells. Of an event: `kind`, `recorded_at`,
`topic`, `party`, `staff`, `expires_at`, `state` (the SHA-256 of the stored bytes, sealed as they are: a destroyed key
changes no leaf). Of a disclosure or access: `kind`, `recorded_at`, `reader`, `party`, `staff`, `view_version`,
`labels`, `grants`, `purpose`, `surface`, `digest`. `bearings` are shown to nobody, for they count the whole log or tie
rows together: `position`, and `stream`, `version`, `matter`; or `epoch`, `as_of`, `marks`, `correlation`.

Each row has 16 random bytes of its own, from which the three salts derive: so no hash tells anything of what is not
shown.

Ids are lower-case with hyphens, hashes and digests lower-case hex, times UTC as in 2026-01-31T08:00:00.000000+00:00.
Of the library this needs nothing but Python, so that whoever verifies needs no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.tree import leaf_hash

FORMAT: Final = 3
SALT_SIZE: Final = 16
_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_NOT_FACTS: Final = frozenset(
    {"salt", "participant", "position", "stream", "version", "matter", "epoch", "as_of", "marks", "correlation"}
)
_NOT_BEARINGS: Final = frozenset({"salt", "participant"})


class StoredEvent(NamedTuple):
    """A row of the events, as stored; `state` is the SHA-256 of its stored bytes."""

    position: int
    recorded_at: datetime
    participant: UUID | None
    salt: bytes
    stream: UUID
    version: int
    topic: str
    matter: UUID | None
    party: UUID | None
    staff: UUID | None
    expires_at: datetime | None
    state: bytes

    @property
    def kind(self) -> str:
        """What the leaf calls it."""
        return "event"


class StoredDisclosure(NamedTuple):
    """A row of the disclosures, as stored; `kind` is "disclosure" or "access"."""

    position: int
    recorded_at: datetime
    participant: UUID
    salt: bytes
    kind: str
    reader: str
    party: UUID
    staff: UUID
    epoch: int | None
    as_of: int
    view_version: str
    labels: str
    grants: str
    purpose: str
    surface: str
    digest: bytes
    marks: bytes | None
    correlation: UUID


Stored = StoredEvent | StoredDisclosure


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leaf stands: its index, and its number and predecessor in its line."""

    index: int
    number: int | None = None
    previous: bytes | None = None


def line_of(participant: UUID) -> bytes:
    """Return what a participant's line of leaves is known by: 32 bytes, which tell nobody whose it is."""
    return sha256(b"line\0" + participant.bytes).digest()


def salt_for(part: str, salt: bytes) -> bytes:
    """Return the salt of one part of a leaf; it tells nothing of the salt it derives from, or of another part's."""
    return sha256(part.encode() + b"\0" + salt).digest()[:SALT_SIZE]


def facts(stored: Stored) -> dict[str, Any]:
    """Return what the accounting tells of a row, as it is written."""
    return {n: _plain(v) for n, v in stored._asdict().items() if n not in _NOT_FACTS} | {"kind": stored.kind}


def bearings(stored: Stored) -> dict[str, Any]:
    """Return what is shown of a row to nobody, as it is written."""
    kept = _NOT_FACTS - _NOT_BEARINGS
    return {name: _plain(value) for name, value in stored._asdict().items() if name in kept}


def committed(salt: bytes, part: Mapping[str, Any]) -> bytes:
    """Return the hash that stands for a part of a row: 32 bytes."""
    return sha256(salt + _canonical(part)).digest()


def body(place: Place, line: bytes | None, told: bytes, untold: bytes) -> bytes:
    """Return the canonical bytes of a row's leaf, from the hashes of its facts and of its bearings."""
    return _canonical(
        {
            "f": FORMAT,
            "index": place.index,
            "line": _plain(line),
            "number": place.number,
            "previous": _plain(place.previous),
            "facts": told.hex(),
            "bearings": untold.hex(),
        }
    )


def hashed(stored: Stored, place: Place) -> bytes:
    """Return the leaf hash of a stored row at its place: 32 bytes."""
    line = None if stored.participant is None else line_of(stored.participant)
    told = committed(salt_for("facts", stored.salt), facts(stored))
    untold = committed(salt_for("bearings", stored.salt), bearings(stored))
    return leaf_hash(salt_for("leaf", stored.salt) + body(place, line, told, untold))


def hashed_padding(index: int, salt: bytes) -> bytes:
    """Return the leaf hash of padding, so that the log's size and indexes tell less: 32 bytes."""
    return leaf_hash(salt_for("leaf", salt) + _canonical({"f": FORMAT, "index": index, "kind": "padding"}))


def heads_body(index: int, root: bytes) -> bytes:
    """Return the canonical bytes of the leaf that says where each line ends."""
    return _canonical({"f": FORMAT, "index": index, "kind": "heads", "root": root.hex()})


def hashed_heads(index: int, root: bytes, salt: bytes) -> bytes:
    """Return the leaf hash of what says where each line ends: 32 bytes."""
    return leaf_hash(salt_for("leaf", salt) + heads_body(index, root))


def _canonical(part: Mapping[str, Any]) -> bytes:
    return _JSON.encode(part).encode()


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case _:
            return value
