"""Many participants with a usual history, recorded in bulk."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4, uuid5

from adapters.postgres.log import PostgresLog
from domain.contact import ContactKind, ContactMade
from domain.event import Envelope, Event, PersonName
from domain.identity import RecordSubject
from domain.labels import Label, Reader
from domain.legal_case import CaseFiled
from domain.participant import IntakeCompleted, ParticipantEnrolled, ParticipantIdentified
from domain.referral import Charge
from domain.roi import RoiGranted, RoiSigned, consent_stream
from domain.roster import ROSTER, ParticipantAssigned
from domain.share import ShareMade
from services.ports import NOBODY, Append
from services.register import party_id

CARE, OFFICE, POLICE = party_id("lead-care"), party_id("county-pa"), party_id("city-pd")
LABELS = frozenset(
    {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS, Label.CONSENT_SCOPE}
)
EVENTS_EACH = 12


def envelope() -> Envelope:
    """Return an envelope of the site itself."""
    return Envelope(actor=None, role="service", agency=NOBODY, correlation_id=uuid4())


def populate(log: PostgresLog, participants: int, *, seed: int = 1, batch: int = 20) -> None:
    """Record `EVENTS_EACH` events for each participant, `batch` participants in one call."""
    chance = random.Random(seed)
    version = len(log.load(ROSTER))
    for start in range(0, participants, batch):
        appends: list[Append] = []
        assigned: list[Event] = []
        for n in range(start, min(start + batch, participants)):
            who = uuid4()
            own, assignment = _events(who, n, chance)
            appends += own
            assigned.append(assignment)
        appends.append(Append(ROSTER, version, assigned))
        version += len(assigned)
        log.record(appends, envelope())


def _events(who: UUID, n: int, chance: random.Random) -> tuple[list[Append], Event]:
    at = datetime.now(UTC) - timedelta(days=chance.uniform(10, 200))
    ends = datetime.now(UTC) + timedelta(days=chance.uniform(30, 300))
    roi, case = uuid4(), uuid5(OFFICE, f"bench-{who}")
    name = PersonName(given=f"Given{n}", surname=f"Surname{n}")
    born = date(1960 + n % 40, 1 + n % 12, 1 + n % 28)
    granted = [
        RoiGranted(
            participant_id=who,
            party_id=party,
            expires_at=ends,
            occurred_at=at,
            roi=roi,
            reader=reader,
            labels=LABELS,
            purpose="coordination",
            covers_from=at - timedelta(days=1),
        )
        for party, reader in ((OFFICE, Reader.PROSECUTOR), (POLICE, Reader.POLICE))
    ]
    signed = RoiSigned(
        participant_id=who,
        expires_at=ends,
        occurred_at=at,
        roi=roi,
        form_version="3",
        explained_by="x",
        language="English",
    )
    appends = [
        Append(
            who,
            0,
            [
                ParticipantIdentified(participant_id=who, party_id=CARE, occurred_at=at, name=name, birth_date=born),
                IntakeCompleted(participant_id=who, party_id=CARE, occurred_at=at, narrative="A long talk. " * 20),
                ParticipantEnrolled(participant_id=who, party_id=CARE, occurred_at=at),
            ],
        ),
        Append(consent_stream(who), 0, [signed, *granted]),
        Append(
            case,
            0,
            [
                CaseFiled(
                    participant_id=who,
                    party_id=OFFICE,
                    matter_id=case,
                    occurred_at=at,
                    docket=f"26-1-{n:06}",
                    defendant=RecordSubject(name=name, birth_date=born),
                    charges=(Charge(code="23C", description="Shoplifting", severity="misdemeanor"),),
                    offense_on=at.date(),
                    filed_on=at.date() + timedelta(days=chance.randrange(1, 9)),
                    received_at=at,
                )
            ],
        ),
    ]
    appends += [
        Append(
            uuid4(),
            0,
            [
                ContactMade(
                    participant_id=who,
                    party_id=CARE,
                    occurred_at=at + timedelta(days=k),
                    kind=ContactKind.VISIT,
                    reached=True,
                    note="Talked about the room, and the bus. " * 3,
                    location="Westlake Park",
                )
            ],
        )
        for k in range(3)
    ]
    told = ShareMade(
        participant_id=who,
        party_id=OFFICE,
        occurred_at=at + timedelta(days=3),
        text="Housing application filed.",
        labels=frozenset({Label.IIP_PROGRESS}),
    )
    assignment = ParticipantAssigned(
        participant_id=who,
        party_id=CARE,
        staff_id=uuid4(),
        occurred_at=at,
        case_manager="Dana Reyes",
        phone="206-555-0100",
    )
    return [*appends, Append(uuid4(), 0, [told])], assignment
