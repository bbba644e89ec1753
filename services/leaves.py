"""The leaves of the log: the bytes that stand for one stored row for ever.

A leaf's hash is `leaf_hash(salt + body)` (`services/tree.py`). The salt is 16 random bytes of the row's own, so that a
hash tells nothing of a body. A body is JSON in UTF-8: keys sorted, no spaces, non-ASCII as itself; `f` is the version
of this format. A format once used is never changed; another gets another number (1 was used by no site). In every body:

- `f` 2, `index` of the leaf from 0, `kind` "event", "disclosure", "access" (a reading by role) or "padding".

In all but padding, which has nothing more:

- `position` in the log; `recorded_at`;
- `participant` or null; `number` of the leaf among that participant's, from 1 and without gaps, or null;
  `previous`, the hash of that participant's leaf before, or null. So nothing of one participant can be left out unseen.

An event: `stream`, `version`, `topic`, `matter`, `party`, `staff`, `expires_at`, `state` (the SHA-256 of the stored
bytes, sealed as they are: a destroyed key changes no leaf). A disclosure or access: `reader`, `party`, `staff`,
`epoch`, `as_of`, `view_version`, `labels`, `grants`, `purpose`, `surface`, `digest`, `marks`, `correlation`.

Ids are lower-case with hyphens, hashes and digests lower-case hex, times UTC as in 2026-01-31T08:00:00.000000+00:00.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.tree import leaf_hash

FORMAT = 2


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leaf stands: its index, and its number and predecessor among its participant's."""

    index: int
    number: int | None = None
    previous: bytes | None = None


def body(stored: StoredEvent | StoredDisclosure, place: Place) -> bytes:
    """Return the canonical bytes of a stored row at its place."""
    facts = {name: _plain(value) for name, value in stored._asdict().items() if name != "salt"}
    return _canonical(
        {
            **facts,
            "kind": stored.kind,
            "index": place.index,
            "number": place.number,
            "previous": _plain(place.previous),
        }
    )


def padding_body(index: int) -> bytes:
    """Return the canonical bytes of a leaf that stands for nothing, so that the log's size tells less."""
    return _canonical({"kind": "padding", "index": index})


def hashed(stored: StoredEvent | StoredDisclosure, place: Place) -> bytes:
    """Return the leaf hash of a stored row at its place: 32 bytes."""
    return leaf_hash(stored.salt + body(stored, place))


def hashed_padding(index: int, salt: bytes) -> bytes:
    """Return the leaf hash of padding: 32 bytes."""
    return leaf_hash(salt + padding_body(index))


def _canonical(facts: dict[str, Any]) -> bytes:
    return orjson.dumps({**facts, "f": FORMAT}, option=orjson.OPT_SORT_KEYS)


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
