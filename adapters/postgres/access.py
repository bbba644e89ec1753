"""Sessions, and the measures of how much anyone may ask, on PostgreSQL: the same for every process of a site."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from services.ports import Unavailable

SECRET_BYTES: Final = 32
_ADMIT: Final = (
    b"select person, recent, admitted, acr from access.admit(%b::bytea, %b::uuid, %b::timestamptz, %b::interval,"
    b" %b::interval, %b, %b::text[], %b::bytea[], %b::int[], %b::interval[])"
)


@dataclass(frozen=True, slots=True)
class Measure:
    """How many requests of one kind may be sent in a period: by a person, or from an `address`."""

    kind: str
    most: int
    period: timedelta
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom the site knows a request to be from, if anyone; whether that person signed in lately; if it is not too much.

    Where `admitted` is false nothing else counts. `acr`: how strongly the person of a session signed in.
    """

    person: UUID | None
    recent: bool
    admitted: bool
    acr: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A session of someone, known by a digest (`id`) of what the browser holds."""

    id: bytes
    authenticated_at: datetime
    begun_at: datetime
    seen_at: datetime
    ends_at: datetime


def new_secret() -> str:
    """Return what a browser holds for a session: 256 random bits."""
    return os.urandom(SECRET_BYTES).hex()


def known_as(secret: str) -> bytes:
    """Return the digest under which a session is kept."""
    return sha256(secret.encode()).digest()


class Access:
    """Who is signed in and how much each has asked, read and kept by the login of the role `access`.

    `key` makes digests of addresses. Thread-safe; `close` when done. Every
    method raises `Unavailable` where the server does not answer.
    """

    def __init__(self, url: str, key: bytes, *, pool_size: int = 4, wait: float = 5, statement: float = 5) -> None:
        self._key = key
        self._attempts = pool_size + 1
        self._pool = ConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "options": f"-c timezone=UTC -c statement_timeout={int(statement * 1000)}",
            },
            min_size=1,
            max_size=pool_size,
            timeout=wait,
            name="access",
            open=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def admit(
        self,
        measures: Sequence[Measure],
        *,
        secret: str | None = None,
        staff: UUID | None = None,
        authenticated_at: datetime | None = None,
        idle: timedelta,
        recently: timedelta,
        looks: bool = False,
    ) -> Admitted:
        """Count a request, and say who sends it: of a session's `secret`, or (a bearer) of a member of staff.

        `looks`: it is only looked whether the session is still there, which does not keep it from being idle.
        """
        (found,) = self._ask(
            _ADMIT,
            None if secret is None else known_as(secret),
            staff,
            authenticated_at,
            idle,
            recently,
            looks,
            [m.kind for m in measures],
            [None if m.address is None else self._digest(f"{m.kind}|{m.address}") for m in measures],
            [m.most for m in measures],
            [m.period for m in measures],
        )
        return Admitted(*found)

    def begin(
        self,
        staff: UUID,
        authenticated_at: datetime,
        *,
        acr: str | None = None,
        lasts: timedelta,
        most: int,
        before: str | None = None,
    ) -> str | None:
        """Begin a session and return its secret; None for someone without a living authority.

        `acr`: how strongly that person signed in. The session of the secret `before` ends, and the oldest of more than
        `most`.
        """
        secret = new_secret()
        ends = None if before is None else known_as(before)
        query = b"select access.begin(%b::bytea, %b::bytea, %b::uuid, %b::timestamptz, %b::text, %b::interval, %b::int)"
        ((begun,),) = self._ask(query, known_as(secret), ends, staff, authenticated_at, acr, lasts, most)
        return secret if begun else None

    def end(self, staff: UUID, session: bytes | None = None) -> int:
        """End a session of someone, or all of them; return how many there were."""
        ((ended,),) = self._ask(b"select access.end(%b::uuid, %b::bytea)", staff, session)
        return int(ended)

    def sessions(self, staff: UUID, idle: timedelta) -> list[Session]:
        """Return someone's sessions, newest first."""
        query = b"select * from access.sessions(%b::uuid, %b::interval)"
        return [Session(*found) for found in self._ask(query, staff, idle)]

    def sweep(self) -> None:
        """Let go of what is over."""
        self._ask(b"select access.sweep()")

    def _digest(self, name: str) -> bytes:
        return hmac.digest(self._key, name.encode(), sha256)

    def _ask(self, query: bytes, *values: Any) -> list[tuple[Any, ...]]:
        for _ in range(self._attempts):  # a pooled connection may have died with a server's restart
            try:
                with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                    return cursor.execute(query, values).fetchall()
            except (psycopg.errors.QueryCanceled, PoolTimeout):
                break
            except psycopg.OperationalError:
                continue
            except psycopg.Error as error:
                raise RuntimeError(f"the database refused to say who asks: SQLSTATE {error.sqlstate}") from None
        raise Unavailable("the database did not answer in time")
