# noqa: INP001 - one file, to copy
"""A consumer of participant status, to copy from: what a party's system does with what LEAD tells it.

    python consumer.py --help

It keeps what it reads as it came, sealed, in one SQLite file, and keys in memory alone. The duties are numbered as on
the page "The stream": 1 lease, 2 version, 3 tombstone and withdrawal, 4 receipt, 5 after an outage.
"""

from __future__ import annotations

import argparse
import base64
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

TABLES = """
-- What is known of each participant, by the key that is ours alone. Withdrawn, its version alone stays.
create table if not exists status (
    participant text primary key, version integer not null, lease_until text, key_id text, nonce blob, body blob,
    withdrawn integer not null default 0, part integer not null default 0, seen integer not null default 1
);
-- Whose copy a legal duty, such as a litigation hold, forbids to delete. Somebody of ours writes it here.
create table if not exists hold (participant text primary key);
-- Where each partition is read on, and when it was read last.
create table if not exists position (topic text, part integer, next integer, read_at text, primary key (topic, part));
-- What is to be answered to a withdrawal.
create table if not exists receipt (
    withdrawal text primary key, participant text not null, code text not null, at text not null,
    sent integer not null default 0
);
"""


@dataclass
class Consumer:
    """Reads the two topics of a party. `once` takes what there is; `show` is what the party's own people may see.

    `kafka`: what every client of the broker is told, `bootstrap_servers` and the like. `source`: ours, as in what we
    send. `tombstones`: how long the topic keeps them (`delete.retention.ms`): after a longer outage it is read again.
    """

    kafka: Mapping[str, Any]
    site: httpx.Client
    party: str
    source: str
    file: Path
    prefix: str = ""
    tombstones: timedelta = timedelta(hours=24)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _keys: dict[str, tuple[bytes, datetime]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.db = sqlite3.connect(self.file, isolation_level=None)
        self.db.executescript("pragma secure_delete = on;" + TABLES)
        self.status = f"{self.prefix}out.{self.party}.participant-status.v1"
        self.control = f"{self.prefix}out.{self.party}.control.v1"
        self.receipts = f"{self.prefix}in.{self.party}.receipt.v1"

    def once(self) -> None:
        """Take all there is now, and answer."""
        consumer = KafkaConsumer(
            **self.kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", allow_auto_create_topics=False,
        )  # fmt: skip
        try:
            for topic, take in ((self.status, self._status), (self.control, self._control)):
                for part in consumer.partitions_for_topic(topic) or ():
                    self._read(consumer, TopicPartition(topic, part), take)
        finally:
            consumer.close()
        self._answer()

    def show(self, participant: str) -> dict[str, Any] | None:
        """Return what may be shown of a participant now; None if that is nothing, for whatever reason."""
        row = self.db.execute(
            "select version, lease_until, key_id, nonce, body from status where participant = ? and not withdrawn",
            [participant],
        ).fetchone()
        if row is None:
            return None
        version, lease_until, key_id, nonce, body = row
        if datetime.fromisoformat(lease_until) <= self.now():  # 1
            return None
        key = self._key(key_id)
        if key is None:
            return None
        opened = AESGCM(key).decrypt(nonce, body, f"{participant} {key_id} {version}".encode())
        shown: dict[str, Any] = json.loads(opened)
        return shown

    def _key(self, key_id: str) -> bytes | None:
        """Return a key, asked of the site and remembered until its lease is over; never written down."""
        self._keys = {known: kept for known, kept in self._keys.items() if kept[1] > self.now()}
        if key_id not in self._keys:
            answer = self.site.post("/v1/stream/keys", json={"keys": [key_id]})
            answer.raise_for_status()
            (given,) = answer.json()["keys"]
            if given["key"] is None:
                return None
            self._keys[key_id] = base64.b64decode(given["key"]), datetime.fromisoformat(given["until"])
        return self._keys[key_id][0]

    def _read(self, consumer: KafkaConsumer, place: TopicPartition, take: Callable[[Any], None]) -> None:
        """Read a partition to its present end; each record and the position after it in one transaction."""
        consumer.assign([place])
        begin, end = consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
        found = self.db.execute(
            "select next, read_at from position where topic = ? and part = ?", [place.topic, place.partition]
        ).fetchone()
        next_, read_at = found or (None, None)
        anew = next_ is None or not begin <= next_ <= end
        if take == self._status and read_at is not None:
            anew = anew or datetime.fromisoformat(read_at) + self.tombstones <= self.now()
        if anew:
            self.db.execute("update status set seen = 0 where part = ? and ?", [place.partition, take == self._status])
        consumer.seek(place, begin if anew else next_)
        while consumer.position(place) < end:
            for record in consumer.poll(timeout_ms=500).get(place, []):
                with self._transaction():
                    take(record)
                    if not anew:  # begun anew and broken off, it begins anew again
                        self._at(place, record.offset + 1)
        with self._transaction():
            if anew and take == self._status:  # 5
                gone = "select participant from status where not seen and part = ?"
                for (participant,) in self.db.execute(gone, [place.partition]).fetchall():
                    self._purge(participant, None)
            self._at(place, consumer.position(place))

    def _at(self, place: TopicPartition, offset: int) -> None:
        self.db.execute(
            "insert or replace into position values (?, ?, ?, ?)",
            [place.topic, place.partition, offset, self.now().isoformat()],
        )

    def _status(self, record: Any) -> None:
        participant = record.key.decode()
        if record.value is None:
            said = dict(record.headers).get("ce_statusversion")
            self._purge(participant, int(said) if said else None)
            return
        told = json.loads(record.value)
        self.db.execute(  # 2: what comes twice, or too late, changes nothing
            "insert into status (participant, version, lease_until, key_id, nonce, body) values (?, ?, ?, ?, ?, ?)"
            " on conflict (participant) do update set"
            " version = excluded.version, lease_until = excluded.lease_until, key_id = excluded.key_id,"
            " nonce = excluded.nonce, body = excluded.body, withdrawn = 0 where excluded.version > status.version",
            [
                participant,
                told["StatusVersion"],
                told["LeaseUntil"],
                told["KeyId"],
                base64.b64decode(told["Nonce"]),
                base64.b64decode(told["EncryptedBody"]),
            ],
        )
        self.db.execute("update status set seen = 1, part = ? where participant = ?", [record.partition, participant])

    def _control(self, record: Any) -> None:
        told, withdrawal = json.loads(record.value), dict(record.headers)["ce_id"].decode()
        participant = told["ParticipantKey"]
        self._purge(participant, told["StatusVersion"])
        held = self.db.execute("select 1 from hold where participant = ?", [participant]).fetchone()
        self.db.execute(  # 4
            "insert or ignore into receipt (withdrawal, participant, code, at) values (?, ?, ?, ?)",
            [withdrawal, participant, "held" if held else "purged", self.now().isoformat()],
        )

    def _purge(self, participant: str, version: int | None) -> None:
        """Let go of what is older than a withdrawal; None: of all there is. A system deletes its own copies too."""
        if version is not None:  # so that an older status that comes later changes nothing
            self.db.execute(
                "insert or ignore into status (participant, version, withdrawn) values (?, ?, 1)",
                [participant, version],
            )
        known = "participant = :who and (:version is null or version <= :version)"
        named = {"who": participant, "version": version}
        self.db.execute(
            f"update status set body = null, nonce = null, key_id = null, lease_until = null where {known}"  # noqa: S608
            " and participant not in (select participant from hold)",
            named,
        )
        self.db.execute(
            f"update status set withdrawn = 1, seen = 1, version = coalesce(:version, version) where {known}",  # noqa: S608
            named,
        )

    def _answer(self) -> None:
        due = self.db.execute("select withdrawal, participant, code, at from receipt where not sent").fetchall()
        if not due:
            return
        producer = KafkaProducer(**self.kafka, enable_idempotence=True, acks="all", delivery_timeout_ms=15_000,
                                 request_timeout_ms=5_000, max_block_ms=5_000)  # fmt: skip
        try:
            for withdrawal, participant, code, at in due:
                said = {
                    "ParticipantKey": participant,
                    "ControlMessageID": withdrawal,
                    "ReceiptCode": code,
                    "ReceiptDate": {"DateTime": at},
                }
                headers = {
                    "ce_specversion": "1.0",
                    "ce_id": f"r-{withdrawal}-{code}",  # the same if it is sent twice
                    "ce_source": self.source,
                    "ce_type": "org.lead.receipt.v1",
                    "ce_time": at,
                    "ce_dataschema": "urn:lead:schema:receipt:receipt:1-0-0",
                    "content-type": "application/json",
                }
                producer.send(
                    self.receipts,
                    key=participant.encode(),
                    value=json.dumps(said).encode(),
                    headers=[(name, value.encode()) for name, value in headers.items()],
                ).get(timeout=15)
                self.db.execute("update receipt set sent = 1 where withdrawal = ?", [withdrawal])
        finally:
            producer.close(timeout=1)

    def _transaction(self) -> Any:
        return _transaction(self.db)


class _transaction:  # noqa: N801 - a context
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self.db.execute("rollback" if kind else "commit")


def main(arguments: list[str]) -> None:
    """Read on and on; or print what may be shown of one participant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True, help="the broker, host:port")
    parser.add_argument("--kafka-options", type=Path, help="JSON of what else its clients are told: TLS, SCRAM")
    parser.add_argument("--site", required=True, help="the site's address, https://…")
    parser.add_argument("--token", required=True, type=Path, help="file with the bearer token of the stream account")
    parser.add_argument("--party", required=True, help="your code in the site's register")
    parser.add_argument("--source", required=True, help="urn:lead:<site>:<party>:<system>")
    parser.add_argument("--file", required=True, type=Path, help="where to keep what is read")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks")
    parser.add_argument("--show", metavar="KEY", help="print what may be shown of this participant now, and end")
    said = parser.parse_args(arguments)
    options = json.loads(said.kafka_options.read_text()) if said.kafka_options else {}
    site = httpx.Client(base_url=said.site, headers={"Authorization": f"Bearer {said.token.read_text().strip()}"})
    consumer = Consumer({"bootstrap_servers": said.kafka} | options, site, said.party, said.source, said.file)
    if said.show:
        sys.stdout.write(json.dumps(consumer.show(said.show)) + "\n")
        return
    while True:
        consumer.once()
        time.sleep(said.every)


if __name__ == "__main__":
    main(sys.argv[1:])
