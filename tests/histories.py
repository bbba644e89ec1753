"""Small histories for tests: given what happened, told through the domain's own deciders, as it would stand in the log.

ray = Given().referred().met().accepted().released().signed({PD: {Label.ENROLMENT_STATUS}}).intake()
rows = list(police.rows(ray.history, P7.ceiling, ray.now))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from domain import contact, legal_case, roi, roster
from domain import referral as ref
from domain.calendar import end_of_day
from domain.event import COORDINATES, Envelope, Event, PersonName, Recorded, sealed_fields
from domain.identity import RecordSubject
from domain.labels import Label, Reader, Seal
from domain.participant import (
    Enrolment,
    Ground,
    IntakeCompleted,
    NameCorrected,
    ParticipantIdentified,
    PhoneChanged,
    StatusChanged,
    become,
    come_back,
    complete_intake,
    die,
    discharge,
    enrol,
    participant,
)
from domain.protocol import Door, Protocol
from domain.share import ShareMade, share, share_item
from projections.lens import History

ZONE = ZoneInfo("America/Los_Angeles")
NAMES = UUID("00000000-0000-5000-8000-000000000001")


def named(name: str) -> UUID:
    """Return an id that is the same in every run."""
    return uuid5(NAMES, name)


def local(month: int, day: int, hour: int = 12, minute: int = 0, second: int = 0, *, year: int = 2026) -> datetime:
    """Return a moment at the site, by its own clock on the wall."""
    return datetime(year, month, day, hour, minute, second, tzinfo=ZONE)


CARE, PD, CAMPUS_PD, COURT = named("care"), named("city pd"), named("campus pd"), named("district court")
DA, CITY_ATTORNEY, HOUSING, CLINIC = (
    named("county prosecutor"),
    named("city attorney"),
    named("housing"),
    named("clinic"),
)
DEFENSE, PATEL, COURT = named("public defense"), named("patel"), named("court")
READS_AS: dict[UUID, Reader] = {
    PD: Reader.POLICE,
    CAMPUS_PD: Reader.POLICE,
    DA: Reader.PROSECUTOR,
    CITY_ATTORNEY: Reader.PROSECUTOR,
    HOUSING: Reader.RECIPIENT,
    CLINIC: Reader.RECIPIENT,
    DEFENSE: Reader.OBSERVER,
    COURT: Reader.COURT,
}
ADDRESSED_AS = READS_AS | {PATEL: Reader.COUNSEL}
THEFT = ref.Charge(code="23C", description="theft", severity="misdemeanor")
TRESPASS = ref.Charge(code="90J", description="trespass", severity="misdemeanor")
P7 = Protocol(
    version="P-7",
    effective_from=date(2026, 1, 1),
    zone="America/Los_Angeles",
    handoff_minutes=30,
    intake_days=30,
    non_return_hours=24,
    caseload_intensive_least=12,
    caseload_intensive_most=15,
    caseload_average=20,
    caseload_most=25,
    priorities=tuple(Door),
    roi_days_most=366,
    roi_notice_days=30,
    item_days_most=30,
    paper_days=7,
    review_days=90,
    finding_hours=24,
    small_cell=11,
    retention_days=2200,
    retention_days_not_enrolled=365,
    public_referrals_per_hour=60,
    public_referrals_per_address=6,
    feed_hours=72,
    set_aside_days=30,
    lease_hours=24,
    receipt_days=7,
    acknowledgement_days=30,
    name_likeness=0.85,
    review_likeness=0.75,
    divertible=frozenset({"23C", "90J"}),
    exclusions=frozenset({"prior felony"}),
    override_ranks=frozenset({"sergeant", "commander"}),
    on_call="555-0100",
    team_number="555-0101",
)

Grants = Mapping[UUID, Iterable[Label]]


class Given:
    """A participant's history in the making. `now` moves one minute with each thing recorded, or with `at`.

    Facts occur when they are recorded, unless a method takes another time. Every method raises `Refused` where the
    domain does.
    """

    def __init__(self, name: str = "ray", *, now: datetime | None = None, protocol: Protocol = P7) -> None:
        self.name, self.who, self.protocol = name, named(name), protocol
        self.referral, self.matter = named(f"{name} referral"), named(f"{name} charge 0")
        self.now = now or local(2, 14, 2, 10)
        self.recorded: list[Recorded[Event]] = []
        self._chain = 0

    @property
    def history(self) -> History:
        """What the log holds about the participant."""
        return History(self.who, tuple(self.recorded))

    @property
    def consent(self) -> roi.Consent:
        """The participant's consent as it stands."""
        return roi.consent(self.who, self.stream(roi.consent_stream(self.who)))

    @property
    def state(self) -> ref.Referral:
        """The referral as it stands."""
        found = ref.referral(self.stream(self.referral))
        assert found is not None
        return found

    def stream(self, stream: UUID) -> list[Recorded[Event]]:
        """Return one stream of the history."""
        return [r for r in self.recorded if r.stream == stream]

    def of(self, kind: type[Event]) -> list[Any]:
        """Return the events of one kind."""
        return [r.event for r in self.recorded if isinstance(r.event, kind)]

    def at(self, moment: datetime) -> Self:
        """Go to a moment: what follows is recorded then."""
        assert moment >= self.now, "the log only grows"
        self.now = moment
        return self

    def record(self, stream: UUID, *events: Event, agency: UUID = CARE) -> Self:
        """Record events on a stream, as one command would."""
        chain = named(f"{self.name} command {self._chain}")
        for event in events:
            self.recorded.append(
                Recorded(
                    position=len(self.recorded) + 1,
                    recorded_at=self.now,
                    stream=stream,
                    version=len(self.stream(stream)) + 1,
                    envelope=Envelope(actor=None, role="test", agency=agency, correlation_id=chain),
                    event=event,
                )
            )
        return self

    def then(self) -> Self:
        """End a command: a minute passes."""
        self._chain += 1
        self.now += timedelta(minutes=1)
        return self

    # Referral ---------------------------------------------------------------------------------------------------------

    def identified(self, party: UUID = PD, given: str = "Ray", surname: str = "Lewis") -> Self:
        """A party says who the person is."""
        event = ParticipantIdentified(
            participant_id=self.who,
            party_id=party,
            occurred_at=self.now,
            name=PersonName(given=given, surname=surname),
            birth_date=date(1980, 5, 17),
        )
        return self.record(self.who, event, agency=party)

    def referred(
        self,
        charges: Iterable[ref.Charge] = (THEFT,),
        *,
        department: UUID = PD,
        prosecutor: UUID = DA,
        exclusions: tuple[str, ...] = (),
        history: str | None = None,
    ) -> Self:
        """An officer offers diversion for these charges, the n-th of them the matter `named("<name> charge <n>")`."""
        offered = ref.ReferralOffered(
            participant_id=self.who,
            party_id=department,
            occurred_at=self.now,
            door=Door.ARREST_DIVERSION,
            incident_number="26-0214",
            place="Third and Pike",
            facts="took a jacket",
            agreed_at=self.now,
            protocol_version=self.protocol.version,
        )
        held = [
            ref.ChargeHeld(
                participant_id=self.who,
                party_id=department,
                matter_id=named(f"{self.name} charge {n}"),
                occurred_at=self.now,
                charge=charge,
                incident_number="26-0214",
                prosecutor=prosecutor,
                exclusions=exclusions,
                criminal_history=history,
                race_as_perceived="white",
            )
            for n, charge in enumerate(charges)
        ]
        self.record(self.referral, *ref.offer(offered, held, self.protocol), agency=department)
        return self.identified(department).then()

    def overridden(self, rank: str = "sergeant", exclusion: str = "prior felony") -> Self:
        """A sergeant overrides an exclusion."""
        event = ref.ExclusionOverridden(
            participant_id=self.who,
            party_id=self.state.department,
            matter_id=self.matter,
            occurred_at=self.now,
            exclusion=exclusion,
            rank=rank,
            reason="first contact in years",
            protocol_version=self.protocol.version,
        )
        return self.record(self.referral, *ref.override(self.state, event, self.protocol), agency=PD).then()

    def met(self, requested_at: datetime | None = None) -> Self:
        """A case manager meets the person where the officer is."""
        events = ref.meet(self.state, CARE, requested_at or self.now, self.now, self.protocol, self.now)
        return self.record(self.referral, *events).then()

    def accepted(self, found_at: str | None = "under the viaduct") -> Self:
        """LEAD accepts."""
        event = ref.ReferralAccepted(
            participant_id=self.who,
            party_id=CARE,
            occurred_at=self.now,
            found_at=found_at,
            protocol_version=self.protocol.version,
        )
        return self.record(self.referral, *ref.accept(self.state, event))._latched().then()

    def released(self, at: datetime | None = None) -> Self:
        """The officer releases the person."""
        events = ref.release(self.state, at or self.now, self.protocol, self.now, codefendants=False)
        return self.record(self.referral, *events, agency=self.state.department).then()

    def diverted(self) -> Self:
        """The whole of an ordinary arrest diversion, to the release."""
        return self.referred().met().accepted().released()

    def extension_asked(self, until: date, reason: str = "in hospital") -> Self:
        """Care asks for more time."""
        event = ref.ExtensionRequested(
            participant_id=self.who, party_id=CARE, occurred_at=self.now, until=until, reason=reason
        )
        return self.record(self.referral, *ref.request_extension(self.state, event, self.protocol, self.now)).then()

    def extension_agreed(self, until: date) -> Self:
        """The department agrees."""
        events = ref.agree_extension(self.state, until, self.now, self.protocol, self.now)
        return self.record(self.referral, *events, agency=self.state.department)._latched().then()

    # Enrolment --------------------------------------------------------------------------------------------------------

    def intake(self, at: datetime | None = None, phone: str | None = None) -> Self:
        """The intake interview takes place."""
        state = participant(self.who, self.stream(self.who))
        event = IntakeCompleted(
            participant_id=self.who,
            party_id=CARE,
            occurred_at=at or self.now,
            narrative="grew up in foster care",
            race_self="Samish",
            phone=phone,
        )
        self.record(self.who, *complete_intake(state, event))
        return self._enrol().then()

    def _enrol(self) -> Self:
        state, consent = participant(self.who, self.stream(self.who)), self.consent
        enrolled = enrol(state, CARE, state.intake_at, consent.first_signed_at)
        self.record(self.who, *enrolled)
        return self._latched() if enrolled else self

    def _latched(self) -> Self:
        enrolled_at = participant(self.who, self.stream(self.who)).enrolled_at
        if enrolled_at is not None and self.stream(self.referral):
            events = ref.latch(self.state, CARE, enrolled_at, self.consent.completion, self.now)
            self.record(self.referral, *events)
        return self

    def _status(self, status: Enrolment, **said: Any) -> StatusChanged:
        return StatusChanged(participant_id=self.who, party_id=CARE, occurred_at=self.now, status=status, **said)

    def became(self, status: Enrolment) -> Self:
        """The team says that the participant is active, or inactive."""
        state = participant(self.who, self.stream(self.who))
        return self.record(self.who, *become(state, self._status(status, note="not at the shelter"))).then()

    def discharged(self, ground: Ground = Ground.NO_ENGAGEMENT, *, by_supervisor: bool = False) -> Self:
        """The team discharges the participant; the slot is free."""
        state = participant(self.who, self.stream(self.who))
        event = self._status(Enrolment.DISCHARGED, ground=ground, note="asked for since May")
        self.record(self.who, *discharge(state, event, by_supervisor=by_supervisor))
        return self.off_the_roster(roster.Leaving.DISCHARGED).then()

    def returned(self) -> Self:
        """The participant is back."""
        state = participant(self.who, self.stream(self.who))
        self.record(self.who, *come_back(state, self._status(Enrolment.ACTIVE)))
        return self._latched().then()

    def died(self) -> Self:
        """The participant has died."""
        state = participant(self.who, self.stream(self.who))
        self.record(self.who, *die(state, self._status(Enrolment.DECEASED)))
        self.record(roi.consent_stream(self.who), *roi.end(self.consent, self.now))
        return self.off_the_roster(roster.Leaving.DECEASED).then()

    def off_the_roster(self, reason: roster.Leaving) -> Self:
        """Nobody carries the participant any more."""
        event = roster.ParticipantReleased(participant_id=self.who, party_id=CARE, occurred_at=self.now, reason=reason)
        state = roster.roster(self.stream(roster.ROSTER))
        return self.record(roster.ROSTER, *roster.release(state, event))

    def renamed(self, given: str, surname: str) -> Self:
        """Care writes down the participant's own name."""
        event = NameCorrected(
            participant_id=self.who,
            party_id=CARE,
            occurred_at=self.now,
            name=PersonName(given=given, surname=surname),
            birth_date=date(1980, 5, 17),
        )
        return self.record(self.who, event).then()

    def reached_at(self, phone: str | None, *, shared: bool = False) -> Self:
        """The participant's number is another."""
        event = PhoneChanged(participant_id=self.who, party_id=CARE, occurred_at=self.now, phone=phone, shared=shared)
        return self.record(self.who, event).then()

    def assigned(self, case_manager: str = "Dana") -> Self:
        """A case manager carries the participant."""
        event = roster.ParticipantAssigned(
            participant_id=self.who,
            party_id=CARE,
            staff_id=named(case_manager),
            occurred_at=self.now,
            case_manager=case_manager,
            phone=self.protocol.team_number,
        )
        return self.record(roster.ROSTER, event).then()

    # Consent ----------------------------------------------------------------------------------------------------------

    def signed(
        self,
        given: Grants,
        *,
        at: datetime | None = None,
        until: date = date(2027, 2, 1),
        covers_from: datetime | None = None,
        purpose: str = "coordination",
        completion: Iterable[UUID] = (),
        amends: bool = False,
    ) -> Self:
        """The participant signs an ROI that gives each party these labels; `amends`: changes the standing one."""
        consent, signed_at = self.consent, at or self.now
        number = consent.roi if amends and consent.roi else named(f"{self.name} roi {self._chain}")
        signed = roi.RoiSigned(
            participant_id=self.who,
            expires_at=end_of_day(until, self.protocol.tz),
            occurred_at=signed_at,
            roi=number,
            form_version="4",
            explained_by="Dana",
            language="en",
            amends=amends,
        )
        offers = [
            roi.Offer(party, READS_AS[party], frozenset(labels), purpose, covers_from or signed_at, party in completion)
            for party, labels in given.items()
        ]
        events = (roi.amend if amends else roi.sign)(consent, signed, offers, self.protocol, self.now)
        self.record(roi.consent_stream(self.who), *events)
        return self._enrol().then()

    def revoked(self, *parties: UUID) -> Self:
        """The participant revokes, by word of mouth, for these parties; for all if none is named."""
        events = roi.revoke(
            self.consent,
            list(parties) or None,
            self.now,
            word_of=roi.WordOf.PARTICIPANT,
            medium=roi.Medium.ORAL,
            counsel=None,
        )
        return self.record(roi.consent_stream(self.who), *events).then()

    def authorised(
        self,
        labels: Iterable[Label],
        *,
        counsel: UUID = PATEL,
        at: datetime | None = None,
        until: date = date(2027, 2, 1),
        covers_from: datetime | None = None,
    ) -> Self:
        """The client signs an authority for its counsel."""
        signed_at = at or self.now
        event = roi.CounselAuthorised(
            participant_id=self.who,
            party_id=counsel,
            expires_at=end_of_day(until, self.protocol.tz),
            occurred_at=signed_at,
            roi=named(f"{self.name} authority {self._chain}"),
            reader=Reader.COUNSEL,
            labels=frozenset(labels),
            purpose="representation",
            covers_from=covers_from or signed_at,
        )
        events = roi.authorise(self.consent, counsel, event, self.protocol, self.now)
        return self.record(roi.consent_stream(self.who), *events).then()

    def counsel_ended(self, counsel: UUID = PATEL) -> Self:
        """Counsel's authority ends by the client's word."""
        events = roi.end_authority(self.consent, counsel, roi.WordOf.PARTICIPANT, self.now)
        return self.record(roi.consent_stream(self.who), *events).then()

    def conflict(self, office: UUID = DEFENSE) -> Self:
        """A defender's office declares a conflict of interest."""
        event = roi.ConflictDeclared(participant_id=self.who, party_id=office, occurred_at=self.now)
        return self.record(roi.consent_stream(self.who), *roi.declare_conflict(self.consent, event)).then()

    def expired(self) -> Self:
        """What came to its end is written down."""
        return self.record(roi.consent_stream(self.who), *roi.expire(self.consent, self.now)).then()

    def item(self, party: UUID, text: str, labels: Iterable[Label], days: int = 7) -> UUID:
        """The participant signs for one sentence to one party; returns the item."""
        item = named(f"{self.name} item {self._chain}")
        told = ShareMade(
            participant_id=self.who,
            party_id=party,
            occurred_at=self.now,
            text=text,
            labels=frozenset(labels),
            item_id=item,
        )
        consented = roi.ItemConsented(
            participant_id=self.who,
            party_id=party,
            expires_at=self.now + timedelta(days=days),
            occurred_at=self.now,
            item_id=item,
            reader=ADDRESSED_AS[party],
            labels=frozenset(labels),
            counsel_offered=True,
        )
        self.record(item, *share_item(told, ADDRESSED_AS[party], self.protocol))
        self.record(roi.consent_stream(self.who), consented).then()
        return item

    def withdrawn(self, item: UUID) -> Self:
        """The consent to one sentence ends."""
        party = next(p for p, g in self.consent.grants.items() if item in dict(g.items))
        event = roi.ItemWithdrawn(participant_id=self.who, party_id=party, occurred_at=self.now, item_id=item)
        return self.record(roi.consent_stream(self.who), event).then()

    # Care -------------------------------------------------------------------------------------------------------------

    def shared(self, party: UUID, text: str, labels: Iterable[Label]) -> Self:
        """Care shares a sentence under a party's standing grant."""
        event = ShareMade(
            participant_id=self.who, party_id=party, occurred_at=self.now, text=text, labels=frozenset(labels)
        )
        grant = roi.grants(self.recorded).get(party)
        stream = named(f"{self.name} share {self._chain}")
        return self.record(stream, *share(event, READS_AS[party], grant, self.protocol)).then()

    def contact(self, *, at: datetime | None = None, **told: Any) -> Self:
        """A contact takes place."""
        made = {"kind": contact.ContactKind.VISIT, "reached": True, **told}
        event = contact.ContactMade(participant_id=self.who, party_id=CARE, occurred_at=at or self.now, **made)
        return self.record(named(f"{self.name} contact {self._chain}"), event).then()

    # Prosecution ------------------------------------------------------------------------------------------------------

    def case(self, office: UUID = DA, docket: str = "26-CR-9", incident_number: str | None = None) -> UUID:
        """An office files a case; returns the matter."""
        matter = uuid5(office, docket)
        event = legal_case.CaseFiled(
            participant_id=self.who,
            party_id=office,
            matter_id=matter,
            occurred_at=self.now,
            docket=docket,
            incident_number=incident_number,
            defendant=RecordSubject(name=PersonName(given="Ray", surname="Lewis"), birth_date=date(1980, 5, 17)),
            charges=(THEFT,),
            offense_on=date(2026, 2, 2),
            filed_on=self.now.date(),
            received_at=self.now,
        )
        self.record(matter, *legal_case.file(event, self.now.date()), agency=office).then()
        return matter

    def decided(self, matter: UUID, kind: legal_case.DecisionKind, *, office: UUID = DA, **said: Any) -> Self:
        """An office decides in a case."""
        event = legal_case.DecisionRecorded(
            participant_id=self.who, party_id=office, matter_id=matter, occurred_at=self.now, kind=kind, **said
        )
        return self.record(matter, *legal_case.decide(event), agency=office).then()

    def told_of(self, matter: UUID, what: type[legal_case.CourtRecord], /, *, by: UUID = DA, **said: Any) -> Self:
        """A party tells of a case or a warrant that it keeps; the office's own is of its jurisdiction."""
        values = {"office": by if by in (DA, CITY_ATTORNEY) else None, "public_record": by == COURT, **said}
        event = what(participant_id=self.who, party_id=by, matter_id=matter, occurred_at=self.now, **values)
        return self.record(matter, event, agency=by).then()


def erased(history: History, *keys: UUID) -> History:
    """Return a history as it reads once the keys of these subjects (a participant, a matter) have been destroyed."""
    return History(history.subject, tuple(_erased(recorded, keys) for recorded in history.events))


def _erased(recorded: Recorded[Event], keys: tuple[UUID, ...]) -> Recorded[Event]:
    event = recorded.event
    subjects = {Seal.PARTICIPANT: event.participant_id, Seal.MATTER: event.matter_id}
    gone = frozenset(
        name for seal, subject in subjects.items() if subject in keys for name in sealed_fields(type(event), seal)
    )
    if not gone:
        return recorded
    names = (*COORDINATES, *(n for n in type(event).model_fields if n not in COORDINATES))
    values: dict[str, Any] = {name: None if name in gone else getattr(event, name) for name in names}
    if "occurred_at" in gone:
        values["occurred_at"] = recorded.recorded_at
    return replace(recorded, event=type(event).model_construct(**values), erased=gone)
