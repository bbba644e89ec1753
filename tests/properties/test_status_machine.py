"""One participant's way through LEAD, played at random against a small model written without the domain.

`Model` says in plain words where the participant stands, what each party holds, and how full a small team is. After
every step what partners have is what the model says: enrolled or not, whom to call, the name, the latch, the notices;
never more, and after a death nothing. What only care may know (how active someone is, why it was discharged, how a
referral ended) changes no row of a partner's own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import deadline, roster, screening
from domain.calendar import end_of_day
from domain.door import Decline, ReferralDeclined
from domain.event import Event
from domain.labels import Label, Reader
from domain.participant import Enrolment, Ground
from domain.protocol import Door
from domain.referral import Charge, ChargeLatched, NoticeCode, ProsecutorNotified
from domain.refusal import Refused
from domain.roster import ROSTER, ParticipantAssigned, SlotReserved
from projections import case_manager
from projections.partner import GrantedEntry, GrantedParticipant
from projections.rows import GrantedRow, OwnRow, Row
from projections.views import VIEWS
from tests.histories import CARE, DA, HOUSING, P7, PD, THEFT, TRESPASS, Given, local, named
from tests.projections import promises

PARTIES = [PD, DA, HOUSING]
PARTNERS = [VIEWS[reader] for reader in (Reader.POLICE, Reader.PROSECUTOR, Reader.RECIPIENT)]
EVERYTHING = {
    PD: {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT},
    DA: {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.CHARGE_DIVERTED},
    HOUSING: {Label.ENROLMENT_STATUS, Label.CONTACT_PHONE},
}
MOST = 2
SMALL = P7.model_copy(
    update=dict.fromkeys(("caseload_intensive_least", "caseload_intensive_most"), 1)
    | dict.fromkeys(("caseload_average", "caseload_most"), MOST)
)
TEAM = ("Dana", "Luis")
LAST_DAY = local(7, 1)
NEVER = (
    "offer declined",
    "withdrawn",
    "inactive",
    "active",
    "discharge",
    "deceased",
    "died",
    "engagement",
    "shelter",
    "asked for",
    "returned",
)


@dataclass
class Model:
    """Where the participant stands, as someone would tell it."""

    stage: str = "offered"  # offered, declined, accepted, released
    has_intake: bool = False
    has_signed: bool = False
    standing: str = "referred"  # referred, enrolled, active, inactive, discharged, dead
    carried_by: str | None = None
    name: str = "Ray Lewis"
    phone: str | None = None
    latched: bool = False
    enrolled_at: datetime | None = None
    due_on: date | None = None
    due_heard: bool = False
    has_slot: bool = False
    others: Counter[str] = field(default_factory=Counter)
    holds: set[UUID] = field(default_factory=set)

    @property
    def is_in_lead(self) -> bool:
        return self.standing in ("enrolled", "active", "inactive")

    @property
    def full(self) -> bool:
        return self.others.total() + self.has_slot == MOST * len(TEAM)

    def carries(self, who: str) -> int:
        return self.others[who] + (self.carried_by == who)

    def in_time(self, at: datetime) -> bool:
        return self.due_on is None or at <= end_of_day(self.due_on, SMALL.tz)

    def settle(self, at: datetime) -> None:
        """Both steps enrol once; whoever is in LEAD, and came in time, has its accepted charges latched."""
        if self.has_intake and self.has_signed and self.standing == "referred":
            self.standing, self.enrolled_at = "enrolled", at
        if self.is_in_lead and self.enrolled_at and self.stage in ("accepted", "released"):
            self.latched |= self.in_time(self.enrolled_at)


class Status(RuleBasedStateMachine):
    """Police refer, care accepts, the participant signs, comes, goes, returns, dies."""

    @initialize(
        others=st.integers(0, MOST * len(TEAM)),
        released=st.booleans(),
        charges=st.sampled_from([(THEFT,), (THEFT, TRESPASS)]),
    )
    def begin(self, others: int, released: bool, charges: tuple[Charge, ...]) -> None:
        """Someone is referred to a team that carries some already; perhaps LEAD has come to the release."""
        self.story, self.model = Given(now=local(2, 14), protocol=SMALL), Model()
        self.others = Given("others", now=local(2, 14), protocol=SMALL)
        self.seen: tuple[int, datetime, list[Row]] | None = None
        for n in range(others):
            self.somebody_else_comes(TEAM[n % len(TEAM)])
        self.story.referred(charges)
        self.charges = len(charges)
        if released and not self.model.full:
            self.accept()
            self.release()

    # Referral and enrolment -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.stage == "offered")
    @rule()
    def accept(self) -> None:
        """Whoever has no slot takes one; where there is none, nobody is accepted."""
        model, at = self.model, self.story.now
        try:
            slot = self._slot()
        except Refused:
            assert model.full
            assert not model.has_slot
            return
        assert model.has_slot or not model.full
        self.story.record(ROSTER, *slot).accepted()
        model.stage, model.has_slot = "accepted", True
        model.settle(at)

    @precondition(lambda self: self.model.stage == "offered")
    @rule(how=st.sampled_from([Decline.OFFER_DECLINED, Decline.WITHDRAWN, Decline.NO_CAPACITY]))
    def decline(self, how: Decline) -> None:
        """The officer hears `no capacity`, where that is so, and of no other end."""
        story, model, before = self.story, self.model, self._told(self._partners())
        event = ReferralDeclined(
            participant_id=story.who,
            party_id=CARE,
            staff_id=named("Dana"),
            occurred_at=story.now,
            how=how,
            decided_by="Dana",
            protocol_version=SMALL.version,
        )
        no_capacity, has_slot = how is Decline.NO_CAPACITY, self._has_slot()
        try:
            ended = screening.decline(story.state, event, story.recorded, SMALL, story.now, has_slot=has_slot)
        except Refused:
            assert no_capacity
            assert model.has_slot or not model.full
            return
        assert not no_capacity or (model.full and not model.has_slot)
        story.record(story.referral, *ended).then()
        model.stage = "declined"
        assert (self._told(self._partners()) == before) is not no_capacity

    @precondition(lambda self: self.model.stage == "declined")
    @rule()
    def nobody_accepts_what_has_ended(self) -> None:
        with pytest.raises(Refused):
            self.story.accepted()

    @precondition(lambda self: self.model.stage == "accepted")
    @rule()
    def release(self) -> None:
        self.model.due_on = self.story.now.date() + timedelta(days=SMALL.intake_days)
        self.story.released()
        self.model.stage = "released"

    @precondition(lambda self: self.model.stage == "released")
    @rule(days=st.sampled_from([20, 31, 45]), agreed=st.booleans())
    def ask_for_more_time(self, days: int, agreed: bool) -> None:
        """If it is agreed the last day moves; who enrolled late for the one before may be in time for this one."""
        model, until = self.model, self.story.now.date() + timedelta(days=days)
        assert model.due_on
        try:
            self.story.extension_asked(until)
        except Refused:
            assert until <= model.due_on
            return
        assert until > model.due_on
        if agreed:
            at = self.story.now
            self.story.extension_agreed(until)
            model.due_on, model.due_heard = until, False
            model.settle(at)

    @precondition(lambda self: not self.model.has_intake)
    @rule(phone=st.none() | st.just("206-555-0199"))
    def intake(self, phone: str | None) -> None:
        at = self.story.now
        self.story.intake(phone=phone)
        self.model.has_intake = True
        self.model.phone = phone or self.model.phone
        self.model.settle(at)

    @precondition(lambda self: self.model.standing != "dead")
    @rule(parties=st.sets(st.sampled_from(PARTIES)))
    def sign(self, parties: set[UUID]) -> None:
        at = self.story.now
        self.story.signed(
            {party: EVERYTHING[party] for party in sorted(parties)}, completion=[DA] if DA in parties else []
        )
        self.model.has_signed, self.model.holds = True, set(parties)
        self.model.settle(at)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        party = data.draw(st.sampled_from(sorted(self.model.holds)))
        self.story.revoked(party)
        self.model.holds.remove(party)

    @precondition(lambda self: self.model.standing != "dead")
    @rule(who=st.sampled_from(TEAM))
    def assign(self, who: str) -> None:
        model = self.model
        if self._assigned(self.story, self.story.who, who):
            assert model.carried_by == who or model.carries(who) < MOST
            assert model.has_slot or not model.full
            model.carried_by, model.has_slot = who, True
        else:
            assert model.carries(who) == MOST or (model.full and not model.has_slot)

    @rule(who=st.sampled_from(TEAM))
    def somebody_else_comes(self, who: str) -> None:
        model = self.model
        if self._assigned(self.others, named(f"other {len(self.others.recorded)}"), who):
            assert model.carries(who) < MOST
            assert not model.full
            model.others[who] += 1
        else:
            assert model.carries(who) == MOST or model.full

    # Status -----------------------------------------------------------------------------------------------------------

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
            self.model.standing, self.model.carried_by, self.model.has_slot = "discharged", None, False
        assert self._own() == before

    @rule()
    def come_back(self) -> None:
        try:
            self.story.returned()
        except Refused:
            assert self.model.standing != "discharged"
        else:
            assert self.model.standing == "discharged"
            self.model.standing = "active"
            self.model.settle(self.story.now)

    @precondition(lambda self: self.model.standing != "dead")
    @rule(chance=st.integers(0, 4))
    def die(self, chance: int) -> None:
        if chance:  # rarely, so that there is a life before it
            return
        before = self._own()
        self.story.died()
        self.model.standing, self.model.carried_by, self.model.has_slot = "dead", None, False
        self.model.holds = set()
        assert self._own() == before, "its own records tell an office nothing of a death"

    @precondition(lambda self: self.model.standing == "dead")
    @rule()
    def nobody_dies_twice(self) -> None:
        with pytest.raises(Refused):
            self.story.died()

    # Identity ---------------------------------------------------------------------------------------------------------

    @rule(given=st.sampled_from(["Rae", "Raya"]))
    def correct_the_name(self, given: str) -> None:
        self.story.renamed(given, "Lewis")
        self.model.name = f"{given} Lewis"

    @rule()
    def police_use_the_name_of_before(self) -> None:
        self.story.identified().then()

    @rule(phone=st.none() | st.just("206-555-0147"))
    def change_the_phone(self, phone: str | None) -> None:
        self.story.reached_at(phone, shared=phone is not None)
        self.model.phone = phone

    @rule(days=st.sampled_from([1, 16, 31]))
    def wait(self, days: int) -> None:
        """Days go by, and what falls due meanwhile is written down, once."""
        if self.story.now < LAST_DAY:
            self.story.at(min(self.story.now + timedelta(days=days), LAST_DAY))
        for _ in range(2):
            fell_due = deadline.due(self.story.stream(self.story.referral), self.story.now, SMALL)
            self.story.record(self.story.referral, *fell_due)
        self.model.due_heard |= not self.model.in_time(self.story.now)

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
        assert bool(self.story.of(ChargeLatched)) == model.latched
        said = str([row for row in rows if isinstance(row, GrantedRow)] + self._own()).lower()
        assert not [word for word in NEVER if word in said]

    @invariant()
    def care_reads_where_the_participant_stands(self) -> None:
        rows = case_manager.rows(self.story.history, self.story.protocol.ceiling, self.story.now)
        (row,) = (row for row in rows if isinstance(row, case_manager.Participant))
        assert row.enrolment == self.model.standing.replace("dead", "deceased")
        assert (row.name, row.phone) == (self.model.name, self.model.phone)
        assert row.case_manager == self.model.carried_by
        assert (row.carried_by is None) == (row.case_manager is None)
        assert (row.ground is not None) == (self.model.standing == "discharged")

    @invariant()
    def the_office_hears_of_the_last_day_once_and_never_why(self) -> None:
        """Where the day has passed without `completed`, it hears that; a latch it was told of, it heard before."""
        heard = [event.code for event in self.story.of(ProsecutorNotified)]
        assert set(heard) <= {NoticeCode.DIVERSION_PENDING, NoticeCode.NO_COMPLETION, NoticeCode.COMPLETED}
        assert heard.count(NoticeCode.COMPLETED) <= self.model.latched * self.charges
        if self.model.due_heard:
            assert heard[-1] in (NoticeCode.NO_COMPLETION, NoticeCode.COMPLETED)
        elif heard:
            assert heard[-1] is not NoticeCode.NO_COMPLETION

    @invariant()
    def nobody_carries_more_than_the_most(self) -> None:
        state = self._roster()
        assert max(state.loads.values(), default=0) <= MOST
        assert state.loads.total() + len(state.reserved) == self.model.others.total() + self.model.has_slot

    def _roster(self) -> roster.Roster:
        return roster.roster([*self.others.stream(ROSTER), *self.story.stream(ROSTER)])

    def _slot(self) -> list[Event]:
        event = SlotReserved(
            participant_id=self.story.who,
            party_id=CARE,
            occurred_at=self.story.now,
            door=Door.ARREST_DIVERSION,
            protocol_version=SMALL.version,
        )
        return roster.take(self._roster(), {named(who) for who in TEAM}, event, SMALL)

    def _has_slot(self) -> bool:
        try:
            self._slot()
        except Refused:
            return False
        return True

    def _assigned(self, story: Given, who: UUID, to: str) -> bool:
        """Assign a participant, and write it into a story; return whether the roster allows it."""
        event = ParticipantAssigned(
            participant_id=who,
            party_id=CARE,
            staff_id=named(to),
            occurred_at=self.story.now,
            case_manager=to,
            phone=SMALL.team_number,
        )
        try:
            events = roster.assign(self._roster(), {named(each) for each in TEAM}, event, SMALL)
        except Refused:
            return False
        story.record(ROSTER, *events).then()
        return True

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
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStatus = Status.TestCase
