"""What the site keeps of the streams that agencies send: `services.ports.Stream`.

A message that is kept lies sealed under a key of the day on which it must be gone; that day over, the key is destroyed.
"""

from __future__ import annotations

import os
from binascii import a2b_base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from adapters.postgres.keyring import NONCE_BYTES, Keyring
from adapters.postgres.recorder import available
from services.ports import Acknowledged, Aside, Claimed, Keeping, Kept, Partition, Raw, Settled, Streams, Taken

_DAYS: Final = UUID("6d0d1f7a-3c6b-5f0e-9a55-0f6f5a8b7e11")
_KEPT: Final = (
    'select party_id, state, topic, partition, "offset", key, faults, kept_at, until, unread, id,'
    " body from stream.kept"
    " where until > site.clock()"
)
_json = partial(Jsonb, dumps=orjson.dumps)


class PostgresStream:
    """The streams' side of a site's database. Thread-safe. Every method raises `Unavailable`."""

    def __init__(self, datastore: PostgresDatastore, keyring: Keyring) -> None:
        self._datastore = datastore
        self._keyring = keyring

    def claim(self, topic: str, partition: int, topic_id: str) -> Claimed:
        """Take over a partition; whoever had it is fenced."""
        found = self._ask(
            "select next_offset, last_record, owner_epoch, stopped from stream.claim(%s, %s, %s)",
            topic,
            partition,
            topic_id,
        )
        return Claimed(*found[0])

    def stop(self, topic: str, partition: int, why: str) -> None:
        """Let nobody go on with a partition until a person has said how."""
        self._ask("select stream.stop(%s, %s, %s)", topic, partition, why)

    def resume(self, topic: str, partition: int, topic_id: str, offset: int) -> None:
        """Go on with a partition that was stopped, at this offset of the broker's topic as it is now."""
        self._ask("select stream.resume(%s, %s, %s, %s)", topic, partition, topic_id, offset)

    def known(self, messages: Sequence[bytes]) -> set[bytes]:
        """Return which of these messages were taken before."""
        found = self._ask("select digest from stream.message where digest = any(%b::bytea[])", list(messages))
        return {digest for (digest,) in found}

    def blocked(self, party: UUID, keys: Sequence[bytes]) -> set[bytes]:
        """Return the keys of which a message was set aside, so that later ones wait."""
        found = self._ask(
            "select distinct key from stream.kept where party_id = %s and key = any(%b::bytea[]) and state = any(%s)",
            party,
            list(keys),
            [Keeping.SET_ASIDE.value, Keeping.WAITS.value],
        )
        return {key for (key,) in found}

    def kept(
        self,
        state: Keeping | None = None,
        *,
        party: UUID | None = None,
        keys: Sequence[bytes] | None = None,
        number: int | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Kept]:
        """Return what is kept, oldest first, after an id; `number`: the one of this id."""
        asked = {
            "state = %s": state and state.value,
            "party_id = %s": party,
            "key = any(%b::bytea[])": None if keys is None else list(keys),
            "id = %s": number,
            "id > %s": after,
        }
        given = {condition: value for condition, value in asked.items() if value is not None}
        found = self._ask(f"{_KEPT} and {' and '.join(given)} order by id limit %s", *given.values(), limit)
        ciphers = self._keyring.for_opening({_day(row[8]) for row in found})
        kept = []
        for whose, why, topic, partition, offset, key, faults, kept_at, until, unread, id_, body in found:
            day = ciphers.get(_day(until))
            if day is None:
                continue  # its day is over
            nonce, sealed = body[:NONCE_BYTES], body[NONCE_BYTES:]
            said = orjson.loads(day.cipher.decrypt(nonce, sealed, _place(topic, partition, offset)))
            raw = Raw(topic, partition, offset, *_opened(said))
            kept.append(Kept(whose, Keeping(why), raw, key, tuple(faults), kept_at, until, unread, id_))
        return kept

    def released(self) -> list[tuple[UUID, bytes]]:
        """Return the parties and keys of messages that wait, and no longer behind one that was set aside."""
        return self._ask(
            "select distinct party_id, key from stream.kept w where state = %s and not exists ("
            "select from stream.kept a where a.party_id = w.party_id and a.key = w.key and a.state = %s)",
            Keeping.WAITS.value,
            Keeping.SET_ASIDE.value,
        )

    def asides(self, *, after: int = 0, number: int | None = None, limit: int | None = None) -> list[Aside]:
        """Return the messages that are set aside, oldest first, after an id; `number`: the one of this id."""
        found = self._ask(
            'select id, party_id, topic, partition, "offset", faults, kept_at, until,'
            " (select count(*) from stream.kept w where w.party_id = k.party_id and w.key = k.key and w.state = %s)"
            " from stream.kept k where state = %s and id > %s and (%s::bigint is null or id = %s)"
            " and until > site.clock() order by id limit %s",
            Keeping.WAITS.value,
            Keeping.SET_ASIDE.value,
            after,
            number,
            number,
            limit,
        )
        return [
            Aside(key, party, topic, partition, offset, tuple(faults), *rest)
            for key, party, topic, partition, offset, faults, *rest in found
        ]

    def settled(self, number: int) -> Settled | None:
        """Return what became of a message that was set aside; None if nothing did."""
        found = self._ask("select outcome from stream.settled where id = %s", number)
        return Settled(found[0][0]) if found else None

    def health(self) -> Streams:
        """Return how the streams are; counts and times alone."""
        partitions = self._ask(
            "select topic, number, topic_id, next_offset, taken_at, stopped"
            " from stream.partition order by topic, number"
        )
        kept = self._ask(
            "select state, count(*), min(kept_at) from stream.kept where until > site.clock() group by state"
        )
        ((unread,),) = self._ask("select count(*) from stream.settled where outcome = %s", Settled.GONE.value)
        return Streams(
            [Partition(*each) for each in partitions],
            {Keeping(state): (count, oldest) for state, count, oldest in kept},
            unread,
        )

    def purge(self) -> int:
        """Let go of what was kept long enough; return how many of them somebody should have looked at."""
        unread: int = self._ask("select stream.purge()")[0][0]
        return unread

    def arguments(self, taken: Taken) -> tuple[Any, ...]:
        """Return what `stream.take` is called with. Raises `KeyDestroyed` for a day gone by."""
        turn, kept = taken.turn, taken.kept
        day_keys = {until: self._keyring.for_sealing(_day(until)) for until in {k.until for k in kept}}
        return (
            *((turn.topic, turn.partition, turn.epoch, turn.expected, turn.next, turn.last_record) if turn else _FILE),
            list(taken.messages),
            [k.party for k in kept],
            [k.state.value for k in kept],
            [k.raw.topic for k in kept],
            [k.raw.partition for k in kept],
            [k.raw.offset for k in kept],
            [k.key for k in kept],
            [_json([dict(fault) for fault in k.faults]) for k in kept],
            [day_keys[k.until].key_id for k in kept],
            [_sealed(k.raw, day_keys[k.until].cipher) for k in kept],
            [k.until for k in kept],
            [k.unread for k in kept],
            list(taken.settled),
            [outcome.value for outcome in taken.settled.values()],
            taken.by,
            taken.why,
            [_json(_acknowledgement(one)) for one in taken.acknowledged],
        )

    def _ask(self, query: str, *parameters: Any) -> list[Any]:
        with (
            available(),
            self._datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            return cursor.execute(query.encode(), parameters, prepare=True).fetchall()


_FILE: Final = (None,) * 6


def _acknowledgement(one: Acknowledged) -> dict[str, Any]:
    return {
        "party": one.party,
        "source": one.source,
        "message": one.message,
        "code": one.code,
        "faults": [dict(fault) for fault in one.faults],
        "correlation_id": one.correlation_id,
        "until": one.until,
    }


def _day(until: datetime) -> UUID:
    return uuid5(_DAYS, until.astimezone(UTC).date().isoformat())


def _sealed(raw: Raw, cipher: AESGCM) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, orjson.dumps(_closed(raw)), _place(raw.topic, raw.partition, raw.offset))


def _place(topic: str, partition: int, offset: int) -> bytes:
    return f"{topic}/{partition}/{offset}".encode()


def _closed(raw: Raw) -> list[Any]:
    """Return a message as JSON holds it: each byte a character, which is shorter than Base64."""
    return [[(name, _text(value)) for name, value in raw.headers], _text(raw.key), _text(raw.value)]


def _opened(said: Any) -> tuple[tuple[tuple[str, bytes], ...], bytes | None, bytes | None]:
    read = _bytes
    if isinstance(said, dict):  # as an earlier version kept it
        said, read = (said["headers"], said["key"], said["value"]), _of_base64
    headers, key, value = said
    return tuple((name, read(text) or b"") for name, text in headers), read(key), read(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def _of_base64(text: str | None) -> bytes | None:
    return None if text is None else a2b_base64(text)
