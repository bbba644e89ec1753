"""The roster and the protocol: who carries how many, and which rules are in force (T:1129, T:835)."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from pydantic import ValidationError

from domain.protocol import CASELOAD_FLOOR, Protocol, in_force
from domain.refusal import Refused
from domain.roster import ParticipantAssigned, Roster, assign, roster
from tests.histories import CARE, P7, Given, local, named

DANA, LEE = named("dana"), named("lee")


def asked(who: str, to: UUID = DANA) -> ParticipantAssigned:
    return ParticipantAssigned(
        participant_id=named(who),
        party_id=CARE,
        staff_id=to,
        occurred_at=local(3, 1),
        case_manager="Dana",
        phone="555-0101",
    )


def carrying(n: int) -> Roster:
    return Roster(n, {named(f"p{i}"): DANA for i in range(n)})


def test_the_25th_is_carried_and_the_26th_is_not() -> None:
    assert assign(carrying(24), asked("ray"), P7)
    with pytest.raises(Refused, match="carries 25 already"):
        assign(carrying(25), asked("ray"), P7)
    assert assign(carrying(25), asked("ray", LEE), P7)


def test_a_site_may_set_less_but_no_site_more_than_25() -> None:
    with pytest.raises(Refused, match="carries 15 already"):
        assign(carrying(15), asked("ray"), P7.model_copy(update={"caseload_most": 15}))
    with pytest.raises(ValidationError, match="less than or equal to 25"):
        Protocol.model_validate(P7.model_dump() | {"caseload_most": CASELOAD_FLOOR + 1})


def test_a_participant_already_carried_counts_once() -> None:
    assert assign(carrying(25), asked("p3"), P7)


def test_who_moves_to_another_case_manager_frees_the_place() -> None:
    story = Given("ray").assigned("Dana").assigned("Lee")
    assert roster(story.recorded).carried_by == {named("ray"): named("Lee")}
    assert roster(story.recorded).version == 2


def version(name: str, day: date) -> Protocol:
    return P7.model_copy(update={"version": name, "effective_from": day})


def test_a_version_is_in_force_from_the_beginning_of_its_local_day() -> None:
    versions = [version("P-7", date(2026, 1, 1)), version("P-8", date(2026, 4, 1))]
    assert in_force(versions, local(3, 31, 23, 59, 59)).version == "P-7"
    assert in_force(versions, local(4, 1, 0)).version == "P-8"
    with pytest.raises(LookupError):
        in_force(versions, local(12, 31, year=2025))


def test_of_two_versions_of_one_day_the_one_adopted_later_corrects_the_other() -> None:
    versions = [version("P-8", date(2026, 4, 1)), version("P-9", date(2026, 4, 1)), version("P-7", date(2026, 1, 1))]
    assert in_force(versions, local(4, 2)).version == "P-9"


def test_a_site_that_knows_no_such_time_zone_cannot_adopt_it() -> None:
    with pytest.raises((ValidationError, KeyError)):
        Protocol.model_validate(P7.model_dump() | {"zone": "America/Nowhere"})
