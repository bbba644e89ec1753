"""What the site publishes: `services.ports.Outbox`. The key of each lies with the others, wrapped by the site key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import args_row, tuple_row

from adapters.postgres.keyring import NONCE_BYTES, Keyring
from adapters.postgres.recorder import available
from services.ports import Acknowledged, Conflict, Published, Telling, Untold

_COLUMNS = (
    "party_id, participant_id, version, generation, epoch, content, lease_until, withdrawn, sent, key_subject as key"
)
_MOVED_ON = "GT006"
_UNTOLD = """
    select party_id, coalesce(s.n, 0), s.since, coalesce(a.n, 0), a.since, coalesce(g.acknowledgements, 0)
    from (select party_id, count(*) n, min(unsent_since) since from stream.published where not sent group by 1) s
    full join (select party_id, count(*) n, min(taken_at) since from stream.acknowledgement group by 1) a
         using (party_id)
    full join stream.never_told g using (party_id)
    order by party_id
"""


class PostgresOutbox:
    """The outward side of a site's streams. Thread-safe. Every method raises `Unavailable`."""

    def __init__(self, datastore: PostgresDatastore, keyring: Keyring) -> None:
        self._datastore = datastore
        self._keyring = keyring

    def acknowledged(self, most: int) -> list[Acknowledged]:
        """Return what became of messages that the broker does not have yet: so many of each party, oldest first."""
        with (
            available(),
            self._datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            found = cursor.execute(
                b"select party_id, source, message, code, faults, correlation_id, until, id, taken_at"
                b" from (select a.*, row_number() over (partition by party_id order by id) as n"
                b" from stream.acknowledgement a) a where n <= %s order by id",
                (most,),
            ).fetchall()
        return [
            Acknowledged(party, source, message, code, tuple(faults), *rest)
            for party, source, message, code, faults, *rest in found
        ]

    def forget(self, each: Sequence[Acknowledged]) -> None:
        """Let go of acknowledgements that the broker has."""
        self._call("select stream.acknowledged(%s::bigint[])", [one.id for one in each])

    def published(self, party: UUID | None = None, keys: Sequence[UUID] | None = None) -> list[Published]:
        """Return what was published, to all or to one party, under any key or under these."""
        return self._ask(
            f"select {_COLUMNS} from stream.published"  # noqa: S608 - our own names
            " where (%s::uuid is null or party_id = %s) and (%s::uuid[] is null or key_subject = any(%s))",
            party,
            party,
            None if keys is None else list(keys),
            None if keys is None else list(keys),
        )

    def publish(self, each: Sequence[Published]) -> list[Published]:
        """Keep what is about to be sent, each one version after what is kept; return it with its keys.

        A key that is thereby without use is destroyed. Raises `Conflict` where another relay was here meanwhile.
        """
        kept = [replace(one, key=key_subject(one), sent=False) for one in each]
        with available():
            for one in kept:
                if not one.withdrawn:  # made first: what is withdrawn has a key to destroy, whoever stops where
                    self._keyring.for_sealing(one.key)
        arguments = (
            [one.party for one in kept],
            [one.participant for one in kept],
            [one.version for one in kept],
            [one.generation for one in kept],
            [one.epoch for one in kept],
            [one.content for one in kept],
            [one.lease_until for one in kept],
            [one.withdrawn for one in kept],
        )
        self._call(
            "select stream.publish(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %b::bytea[],"
            " %s::timestamptz[], %s::boolean[])",
            *arguments,
        )
        return kept

    def sent(self, each: Sequence[Published]) -> None:
        """Keep that the broker has these."""
        self._call(
            "select stream.sent(%s::uuid[], %s::uuid[], %s::bigint[])",
            [one.party for one in each],
            [one.participant for one in each],
            [one.version for one in each],
        )

    def seal(self, published: Published, body: bytes, place: bytes) -> tuple[bytes, bytes]:
        """Return the nonce and the body sealed under its key, bound to a place. Raises `KeyDestroyed`."""
        nonce = os.urandom(NONCE_BYTES)
        with available():
            return nonce, self._keyring.for_sealing(published.key).cipher.encrypt(nonce, body, place)

    def key_of(self, published: Published) -> bytes | None:
        """Return the key itself, 32 bytes; None where it was destroyed."""
        with available():
            return self._keyring.bare(published.key)

    def beaten(self, failure: str | None) -> None:
        """Keep that the relay has beaten, and the kind of what went wrong, if anything did."""
        self._call("select stream.beaten(%s)", failure)

    def health(self) -> Telling:
        """Return how the telling goes; counts and times alone."""
        with available(), self._datastore.get_connection() as connection, connection.transaction():
            untold = connection.cursor(row_factory=args_row(Untold)).execute(_UNTOLD.encode()).fetchall()
            beat = connection.cursor(row_factory=tuple_row).execute(
                b"select beat_at, failure, failing_since from stream.beat"
            )
            return Telling(untold, *(beat.fetchone() or (None, None, None)))

    def _ask(self, query: str, *parameters: Any) -> list[Published]:
        with (
            available(),
            self._datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=args_row(Published)) as cursor,
        ):
            return cursor.execute(query.encode(), parameters, prepare=True).fetchall()

    def _call(self, query: str, *parameters: Any) -> None:
        with available(), self._datastore.get_connection() as connection:
            try:
                connection.execute(query.encode(), parameters, prepare=True)
            except psycopg.Error as error:
                if error.sqlstate == _MOVED_ON:
                    raise Conflict("another relay was here meanwhile") from None
                raise


def key_subject(published: Published) -> UUID:
    """Return under whose name its key lies: as `stream.key_subject` says."""
    name = f"stream {published.party} {published.participant} {published.generation}"
    return UUID(bytes=sha256(name.encode()).digest()[:16])
