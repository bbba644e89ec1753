"""A policy that contradicts itself is refused, with everything in which it does."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from domain.labels import Label, Reader
from domain.protocol import Body, Door, LoweredCeiling, Protocol, ProtocolAdopted, SiteName, adopt, contradictions
from domain.refusal import Refused
from domain.registry import Role
from tests.histories import P7, local

TODAY = date(2026, 3, 1)


def adopted(protocol: Protocol) -> ProtocolAdopted:
    return ProtocolAdopted(occurred_at=local(3, 1), protocol=protocol)


def test_the_usual_protocol_contradicts_nothing() -> None:
    assert list(contradictions(P7)) == []
    assert adopt([], adopted(P7), TODAY) == [adopted(P7)]


def test_every_contradiction_is_listed_at_once() -> None:
    wrong = P7.model_copy(
        update={
            "caseload_intensive_most": 21,
            "caseload_average": 20,
            "roi_notice_days": P7.roi_days_most + 1,
            "retention_days_not_enrolled": P7.retention_days + 1,
            "public_referrals_per_address": P7.public_referrals_per_hour + 1,
            "review_likeness": 0.9,
            "non_return_hours": 24 * P7.intake_days + 1,
            "override_ranks": frozenset(),
            "priorities": (Door.COMMUNITY, Door.COMMUNITY),
            "lowered": (
                LoweredCeiling(reader=Reader.POLICE, label=Label.CONSENT_SCOPE),
                LoweredCeiling(reader=Reader.POLICE, label=Label.CONTACT_NOTE),
            ),
            "names": (SiteName(term=Role.PEER, name="Peer"), SiteName(term=Role.PEER, name="Guide")),
        }
    )
    with pytest.raises(Refused) as refused:
        adopt([], adopted(wrong), TODAY)
    assert [fault.field for fault in refused.value.faults] == [
        "protocol.caseload_intensive_most",
        "protocol.roi_notice_days",
        "protocol.retention_days_not_enrolled",
        "protocol.public_referrals_per_address",
        "protocol.review_likeness",
        "protocol.non_return_hours",
        "protocol.override_ranks",
        "protocol.priorities",
        "protocol.lowered[0]",
        "protocol.lowered[1]",
        "protocol.names",
    ]


def test_what_a_site_calls_its_bodies_contradicts_nothing() -> None:
    named = P7.model_copy(update={"names": (SiteName(term=Body.OPERATIONAL_WORK_GROUP, name="KSPC"),)})
    assert list(contradictions(named)) == []


def test_a_version_is_frozen_and_a_later_one_says_so_where_it_reaches_back() -> None:
    later = P7.model_copy(update={"version": "P-8", "effective_from": TODAY})
    assert adopt([P7], adopted(later), TODAY)
    with pytest.raises(Refused, match="frozen"):
        adopt([P7], adopted(P7), TODAY)
    back = later.model_copy(update={"effective_from": TODAY - timedelta(days=1)})
    with pytest.raises(Refused) as refused:
        adopt([P7], adopted(back), TODAY)
    assert refused.value.field == "protocol.effective_from"
    assert adopt([P7], adopted(back.model_copy(update={"retroactive": True})), TODAY)
