"""One participant's way through LEAD, played at random against a small model written without the domain.

`Model` says in plain words where the participant stands and what each party holds. After every step what partners have
is what the model says: enrolled or not, whom to call, the name, the latch; never more, and after a death nothing. What
only care may know (how active someone is, why it was discharged) changes no row of a partner's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.labels import Label, Reader
from domain.participant import Enrolment, Ground
from domain.referral import Charge
from domain.refusal import Refused
from projections import case_manager
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import GrantedRow, OwnRow, Row
from projections.views import VIEWS
from tests.histories import DA, HOUSING, PD, THEFT, TRESPASS, Given, local
from tests.projections import promises

PARTIES = [PD, DA, HOUSING]
PARTNERS = [VIEWS[reader] for reader in (Reader.POLICE, Reader.PROSECUTOR, Reader.RECIPIENT)]
EVERYTHING = {
    PD: {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT},
    DA: {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.CHARGE_DIVERTED},
    HOUSING: {Label.ENROLMENT_STATUS, Label.CONTACT_PHONE},
}
NEVER = ("inactive", "active", "discharge", "deceased", "died", "engagement", "shelter", "asked for", "returned")


@dataclass
class Model:
    """Where the participant stands, as someone would tell it."""

    stage: str = "nobody"  # nobody, offered, accepted, released
    has_intake: bool = False
    has_signed: bool = False
    standing: str = "referred"  # referred, enrolled, active, inactive, discharged, dead
    carried_by: str | None = None
    name: str = "Ray Lewis"
    phone: str | None = None
    latched: bool = False
    holds: set[UUID] = field(default_factory=set)

    @property
    def is_in_lead(self) -> bool:
        return self.standing in ("enrolled", "active", "inactive")

    def settle(self) -> None:
        """Both steps enrol once; whoever is in LEAD has its accepted charges latched."""
        if self.has_intake and self.has_signed and self.standing == "referred":
            self.standing = "enrolled"
        if self.is_in_lead and self.stage in ("accepted", "released"):
            self.latched = True


class Status(RuleBasedStateMachine):
    """Police refer, care accepts, the participant signs, comes, goes, returns, dies."""

    @initialize()
    def begin(self) -> None:
        self.story, self.model = Given(now=local(2, 14)), Model()
        self.seen: tuple[int, datetime, list[Row]] | None = None

    # Referral and enrolment -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.stage == "nobody")
    @rule(charges=st.sampled_from([(THEFT,), (THEFT, TRESPASS)]))
    def refer(self, charges: tuple[Charge, ...]) -> None:
        self.story.referred(charges)
        self.model.stage = "offered"

    @precondition(lambda self: self.model.stage == "offered")
    @rule()
    def accept(self) -> None:
        self.story.accepted()
        self.model.stage = "accepted"
        self.model.settle()

    @precondition(lambda self: self.model.stage == "accepted")
    @rule()
    def release(self) -> None:
        self.story.released()
        self.model.stage = "released"

    @precondition(lambda self: self.model.stage != "nobody" and not self.model.has_intake)
    @rule(phone=st.none() | st.just("206-555-0199"))
    def intake(self, phone: str | None) -> None:
        self.story.intake(phone=phone)
        self.model.has_intake = True
        self.model.phone = phone or self.model.phone
        self.model.settle()

    @precondition(lambda self: self.model.stage != "nobody" and self.model.standing != "dead")
    @rule(parties=st.sets(st.sampled_from(PARTIES)))
    def sign(self, parties: set[UUID]) -> None:
        self.story.signed(
            {party: EVERYTHING[party] for party in sorted(parties)}, completion=[DA] if DA in parties else []
        )
        self.model.has_signed, self.model.holds = True, set(parties)
        self.model.settle()

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        party = data.draw(st.sampled_from(sorted(self.model.holds)))
        self.story.revoked(party)
        self.model.holds.remove(party)

    @precondition(lambda self: self.model.stage != "nobody" and self.model.standing != "dead")
    @rule(who=st.sampled_from(["Dana", "Luis"]))
    def assign(self, who: str) -> None:
        self.story.assigned(who)
        self.model.carried_by = who

    # Status -----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.stage != "nobody")
    @rule(status=st.sampled_from([Enrolment.ACTIVE, Enrolment.INACTIVE]))
    def become(self, status: Enrolment) -> None:
        before = self._partners()
        try:
            self.story.became(status)
        except Refused:
            assert not self.model.is_in_lead
        else:
            assert self.model.is_in_lead
            self.model.standing = status.value
        assert self._told(self._partners()) == self._told(before), "how active someone is, no partner hears"

    @precondition(lambda self: self.model.stage != "nobody")
    @rule(ground=st.sampled_from(Ground), by_supervisor=st.booleans())
    def discharge(self, ground: Ground, by_supervisor: bool) -> None:
        may = by_supervisor or ground in (Ground.NO_ENGAGEMENT, Ground.NO_CHANGE)
        before = self._own()
        try:
            self.story.discharged(ground, by_supervisor=by_supervisor)
        except Refused:
            assert not (may and self.model.is_in_lead)
        else:
            assert may
            assert self.model.is_in_lead
            self.model.standing, self.model.carried_by = "discharged", None
        assert self._own() == before

    @precondition(lambda self: self.model.stage != "nobody")
    @rule()
    def come_back(self) -> None:
        try:
            self.story.returned()
        except Refused:
            assert self.model.standing != "discharged"
        else:
            assert self.model.standing == "discharged"
            self.model.standing = "active"
            self.model.settle()

    @precondition(lambda self: self.model.stage != "nobody" and self.model.standing != "dead")
    @rule(chance=st.integers(0, 4))
    def die(self, chance: int) -> None:
        if chance:  # rarely, so that there is a life before it
            return
        before = self._own()
        self.story.died()
        self.model.standing, self.model.carried_by, self.model.holds = "dead", None, set()
        assert self._own() == before, "its own records tell an office nothing of a death"

    @precondition(lambda self: self.model.standing == "dead")
    @rule()
    def nobody_dies_twice(self) -> None:
        with pytest.raises(Refused):
            self.story.died()

    # Identity ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.stage != "nobody")
    @rule(given=st.sampled_from(["Rae", "Raya"]))
    def correct_the_name(self, given: str) -> None:
        self.story.renamed(given, "Lewis")
        self.model.name = f"{given} Lewis"

    @precondition(lambda self: self.model.stage != "nobody")
    @rule()
    def police_use_the_name_of_before(self) -> None:
        self.story.identified().then()

    @precondition(lambda self: self.model.stage != "nobody")
    @rule(phone=st.none() | st.just("206-555-0147"))
    def change_the_phone(self, phone: str | None) -> None:
        self.story.reached_at(phone, shared=phone is not None)
        self.model.phone = phone

    @rule(days=st.sampled_from([1, 9]))
    def wait(self, days: int) -> None:
        if self.story.now < local(3, 1):  # every intake is in time
            self.story.at(min(self.story.now + timedelta(days=days), local(3, 1)))

    @precondition(lambda self: self.model.latched)
    @rule()
    def the_office_files_the_incident_when_the_day_of_the_intake_is_over(self) -> None:
        self.story.at(max(self.story.now, local(4, 1))).case(
            docket=f"26-{len(self.story.recorded)}", incident_number="26-0214"
        )

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def partners_have_what_the_model_says(self) -> None:
        rows, model = self._partners(), self.model
        named = {row.party_id: row for row in rows if isinstance(row, GrantedParticipant)}
        assert set(named) == model.holds
        for party, row in named.items():
            labels = EVERYTHING[party]
            assert row.enrolment == ("enrolled" if model.is_in_lead else None)
            assert row.name == (model.name if Label.IDENTITY_LEGAL in labels else None)
            assert row.case_manager == (model.carried_by if Label.CASE_MANAGER_CONTACT in labels else None)
            assert (row.call is None) == (row.case_manager is None)
            assert getattr(row, "phone", None) == (model.phone if Label.CONTACT_PHONE in labels else None)
        latches = [r for r in rows if isinstance(r, GrantedEntry) and r.kind == "charge.latched" and r.party_id == DA]
        assert bool(latches) == (model.latched and DA in model.holds)
        said = str([row for row in rows if isinstance(row, GrantedRow)] + self._own()).lower()
        assert not [word for word in NEVER if word in said]

    @invariant()
    def care_reads_where_the_participant_stands(self) -> None:
        rows = case_manager.rows(self.story.history, self.story.protocol.ceiling, self.story.now)
        row = next((row for row in rows if isinstance(row, case_manager.Participant)), None)
        assert (row is None) == (self.model.stage == "nobody")
        if row:
            assert row.enrolment == self.model.standing.replace("dead", "deceased")
            assert (row.name, row.phone) == (self.model.name, self.model.phone)
            assert row.case_manager == self.model.carried_by
            assert (row.carried_by is None) == (row.case_manager is None)
            assert (row.ground is not None) == (self.model.standing == "discharged")

    def teardown(self) -> None:
        promises.hold(self.story)

    def _partners(self) -> list[Row]:
        """Return every row of a partner's, made once for each moment of the story."""
        history, now = self.story.history, self.story.now
        if self.seen is None or self.seen[:2] != (history.position, now):
            rows = [row for view in PARTNERS for row in view.rows(history, self.story.protocol.ceiling, now)]
            self.seen = history.position, now, rows
        return self.seen[2]

    def _own(self) -> list[Row]:
        return [row for row in self._partners() if isinstance(row, OwnRow)]

    def _told(self, rows: list[Row]) -> list[str]:
        """What rows show, without how far the participant's history has come."""
        hidden = ("as_of",)
        return [
            str({name: getattr(row, name) for name in row.__dataclass_fields__ if name not in hidden}) for row in rows
        ]


Status.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStatus = Status.TestCase
