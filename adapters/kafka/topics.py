"""The topics of a site: which each registered party has, and how long the broker keeps what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapters.kafka.contract import (
    ACK,
    ARREST,
    CASE,
    CHARGE_TABLE,
    CONTROL,
    CUSTODY,
    PARTICIPANT_STATUS,
    RECEIPT,
    Family,
)
from adapters.kafka.envelope import BYTES_MOST
from adapters.kafka.gateway import Broker
from domain.registry import PartyKind
from services.directory import Party

_HEARS: Final = (RECEIPT, PARTICIPANT_STATUS, CONTROL, ACK)
HAS: Final[Mapping[PartyKind, tuple[Family, ...]]] = {
    PartyKind.POLICE: (ARREST, CUSTODY, *_HEARS),
    PartyKind.PROSECUTOR: (CASE, CHARGE_TABLE, *_HEARS),
    PartyKind.COURT: (CASE, CHARGE_TABLE, *_HEARS),
    PartyKind.PROBATION: _HEARS,
    PartyKind.RECIPIENT: _HEARS,
}
"""Which topics a party of each kind has."""

_HOUR: Final = 60 * 60 * 1000  # milliseconds, as the broker counts
_DAY: Final = 24 * _HOUR
_SIZE: Final = {"max.message.bytes": str(BYTES_MOST + 64 * 1024)}  # what the contract allows, with headers and key
_COMPACTED: Final = _SIZE | {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(_HOUR),  # how long a value outlives the tombstone that ends it, at most
    "segment.ms": str(_HOUR),  # the segment that is written is never compacted
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": str(7 * _DAY),  # who was away longer reads from the beginning
}
_KEPT: Final = _SIZE | {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY)}
_CONTROL: Final = _SIZE | {"cleanup.policy": "delete", "retention.ms": str(90 * _DAY)}  # longer than any outage


def wanted(parties: Iterable[Party], prefix: str) -> dict[str, dict[str, str]]:
    """Return the settings of every topic of these parties, by its name."""
    return {
        prefix + family.topic(party.code): _settings(family) for party in parties for family in HAS.get(party.kind, ())
    }


def make(broker: Broker, topics: Mapping[str, Mapping[str, str]], *, replicas: int) -> list[str]:
    """Make the topics that the broker has not; return their names. What it has is left as it is."""
    with broker.admin() as admin:
        there = {topic["name"] for topic in admin.describe_topics()}
        missing: dict[str, dict[str, Any]] = {
            name: {"num_partitions": 1, "replication_factor": replicas, "configs": dict(configs)}
            for name, configs in topics.items()
            if name not in there
        }
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
    return sorted(missing)


def _settings(family: Family) -> dict[str, str]:
    if family.compacted:
        return _COMPACTED
    return _CONTROL if family is CONTROL else _KEPT
