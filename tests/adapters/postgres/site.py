"""A small site for the tests of the database: parties, staff, and the events of its participants, recorded for real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import psycopg

from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector
from adapters.postgres.readers import PostgresReaders
from domain.contact import ContactKind, ContactMade
from domain.event import Envelope, Event, PersonName
from domain.identity import RecordSubject
from domain.labels import Ceiling, Label, Reader
from domain.legal_case import CaseFiled, DecisionKind, DecisionRecorded
from domain.participant import ParticipantEnrolled, ParticipantIdentified
from domain.protocol import Door
from domain.referral import Charge, ChargeHeld, ReferralOffered
from domain.registry import PartyKind, Role, StaffEnded, StaffRegistered
from domain.roi import ItemConsented, Medium, RoiGranted, RoiNarrowed, RoiRevoked, RoiSigned, WordOf, consent_stream
from domain.share import ShareMade
from domain.stop_record import StopRecorded
from projections.rows import Model, Row
from projections.views import View
from services.ports import Append, Caller, Conflict
from tests.conftest import Database

LABELS = frozenset({
    Label.CONSENT_SCOPE,
    Label.IDENTITY_LEGAL,
    Label.ENROLMENT_STATUS,
    Label.NEED_HOUSING,
    Label.CONTACT_FACT,
})  # fmt: skip
WIDE = timedelta(days=90)
CEILING = Ceiling("test/1")


def ceiling(_at: datetime) -> Ceiling:
    """Return the ceiling of a protocol that lowers nothing."""
    return CEILING


@dataclass
class Site:
    """One site: its database, its log, and one member of staff of each party."""

    database: Database
    log: PostgresLog
    care: UUID = field(default_factory=uuid4)
    police: UUID = field(default_factory=uuid4)
    other_police: UUID = field(default_factory=uuid4)
    office: UUID = field(default_factory=uuid4)
    clinic: UUID = field(default_factory=uuid4)
    program: UUID = field(default_factory=uuid4)
    staff: dict[UUID, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for party, role in (
            (self.care, Role.CASE_MANAGER),
            (self.police, Role.OFFICER),
            (self.other_police, Role.OFFICER),
            (self.office, Role.LIAISON_PROSECUTOR),
            (self.clinic, Role.RECIPIENT_CONTACT),
            (self.program, Role.PROJECT_MANAGER),
        ):
            member = self.staff[party] = uuid4()
            self.record(
                StaffRegistered(
                    party_id=party,
                    staff_id=member,
                    occurred_at=self.log.now(),
                    name="Staff",
                    role=role,
                    subject=str(member),
                ),
                stream=member,
            )

    def record(self, *events: Event, stream: UUID | None = None) -> int:
        """Append events to one stream, a new one by default; return the position of the last."""
        envelope = Envelope(actor=None, role="service", agency=self.care, correlation_id=uuid4())
        stream = stream or uuid4()
        while True:
            try:
                return self.log.record([Append(stream, len(self.log.load(stream)), events)], envelope)
            except Conflict:
                continue

    def caller(self, party: UUID, reader: Reader) -> Caller:
        """Return the party's member of staff as a caller."""
        role, kind = {
            Reader.CASE_MANAGER: (Role.CASE_MANAGER, PartyKind.CARE),
            Reader.POLICE: (Role.OFFICER, PartyKind.POLICE),
            Reader.PROSECUTOR: (Role.LIAISON_PROSECUTOR, PartyKind.PROSECUTOR),
            Reader.RECIPIENT: (Role.RECIPIENT_CONTACT, PartyKind.RECIPIENT),
            Reader.PROGRAM: (Role.PROJECT_MANAGER, PartyKind.PROGRAM),
        }[reader]
        return Caller(self.staff[party], party, kind, role, reader, "Staff", uuid4())

    def readers(self, **other: Any) -> PostgresReaders:
        """Return every reader's sessions."""
        return PostgresReaders(
            {
                reader: self.database.login(reader.value)
                for reader in (
                    Reader.CASE_MANAGER,
                    Reader.POLICE,
                    Reader.PROSECUTOR,
                    Reader.RECIPIENT,
                    Reader.PROGRAM,
                )
            },
            self.database.secrets.context,
            **other,
        )

    def owner(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement as the database's owner."""
        with psycopg.connect(self.database.owner_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def ahead(self, interval: str) -> None:
        """Move the clock."""
        self.owner("select site.set_clock(%s::interval)", interval)

    def identify(self, participant: UUID | None = None, surname: str = "Doe") -> UUID:
        """Record who a participant is."""
        participant = participant or uuid4()
        self.record(
            ParticipantIdentified(
                participant_id=participant,
                party_id=self.care,
                occurred_at=self.log.now(),
                name=PersonName(given="Jo", surname=surname),
                birth_date=date(1990, 1, 2),
            ),
            stream=participant,
        )
        return participant

    def grant(
        self,
        participant: UUID,
        party: UUID,
        reader: Reader,
        *,
        labels: frozenset[Label] = LABELS,
        until: timedelta = WIDE,
        narrower: bool = False,
    ) -> int:
        """Record a standing ROI for one party; return its position."""
        now = self.log.now()
        roi, expires_at = uuid4(), now + until
        signed = RoiSigned(
            participant_id=participant,
            expires_at=expires_at,
            occurred_at=now,
            roi=roi,
            form_version="1",
            explained_by="Staff",
            language="en",
        )
        given = (RoiNarrowed if narrower else RoiGranted)(
            participant_id=participant,
            party_id=party,
            expires_at=expires_at,
            occurred_at=now,
            roi=roi,
            reader=reader,
            labels=labels,
            purpose="coordination",
            covers_from=now - timedelta(days=1),
        )
        return self.record(signed, given, stream=consent_stream(participant))

    def revoke(self, participant: UUID, party: UUID) -> int:
        """Record a revocation; return its position."""
        return self.record(
            RoiRevoked(
                participant_id=participant,
                party_id=party,
                occurred_at=self.log.now(),
                word_of=WordOf.PARTICIPANT,
                medium=Medium.ORAL,
            ),
            stream=consent_stream(participant),
        )

    def share(self, participant: UUID, party: UUID, text: str = "Moved into housing.", item: UUID | None = None) -> int:
        """Record a share; return its position."""
        labels = frozenset({Label.NEED_HOUSING if item is None else Label.SUBSTANCE_CURRENT})
        return self.record(
            ShareMade(
                participant_id=participant,
                party_id=party,
                occurred_at=self.log.now(),
                text=text,
                labels=labels,
                item_id=item,
            )
        )

    def consent_item(self, participant: UUID, party: UUID, reader: Reader, until: timedelta = WIDE) -> UUID:
        """Record an item consent; return the item."""
        item, now = uuid4(), self.log.now()
        self.record(
            ItemConsented(
                participant_id=participant,
                party_id=party,
                expires_at=now + until,
                occurred_at=now,
                item_id=item,
                reader=reader,
                labels=frozenset({Label.SUBSTANCE_CURRENT}),
                counsel_offered=True,
            ),
            stream=consent_stream(participant),
        )
        return item

    def contact(self, participant: UUID) -> int:
        """Record a contact; return its position."""
        return self.record(
            ContactMade(
                participant_id=participant,
                party_id=self.care,
                occurred_at=self.log.now(),
                kind=ContactKind.VISIT,
                reached=True,
                note="a note",
            )
        )

    def file(self, participant: UUID | None = None, *, on: date = date(2026, 1, 5)) -> UUID:
        """Record a case filing; return the case."""
        matter = uuid4()
        self.record(
            CaseFiled(
                participant_id=participant,
                party_id=self.office,
                matter_id=matter,
                occurred_at=self.log.now(),
                docket="26-1",
                defendant=RecordSubject(name=PersonName(given="Jo", surname="Doe"), birth_date=date(1990, 1, 2)),
                charges=(Charge(code="35A", description="Possession", severity="felony"),),
                offense_on=on,
                filed_on=on,
                received_at=self.log.now(),
            ),
            stream=matter,
        )
        return matter

    def decide(self, matter: UUID, participant: UUID | None) -> int:
        """Record a decision in a case; return its position."""
        return self.record(
            DecisionRecorded(
                participant_id=participant,
                party_id=self.office,
                matter_id=matter,
                occurred_at=self.log.now(),
                kind=DecisionKind.MONITOR,
                note="work product",
            )
        )

    def refer(self, participant: UUID) -> int:
        """Record an arrest diversion's offer with one charge; return its position."""
        now = self.log.now()
        return self.record(
            ReferralOffered(
                participant_id=participant,
                party_id=self.police,
                occurred_at=now,
                door=Door.ARREST_DIVERSION,
                incident_number="26-100",
                place="Pike St",
                facts="facts",
                agreed_at=now,
                protocol_version="test/1",
            ),
            ChargeHeld(
                participant_id=participant,
                party_id=self.police,
                matter_id=uuid4(),
                occurred_at=now,
                charge=Charge(code="35A", description="Possession", severity="felony"),
                incident_number="26-100",
                prosecutor=self.office,
                race_as_perceived="unknown",
            ),
        )

    def stop(self, precinct: str = "West", *, arrested: bool = False) -> int:
        """Record a police stop; return its position."""
        return self.record(
            StopRecorded(
                party_id=self.police,
                occurred_at=self.log.now(),
                source="spd",
                number=str(uuid4()),
                precinct=precinct,
                race_as_perceived="unknown",
                arrested=arrested,
            )
        )

    def end(self, party: UUID) -> int:
        """Record that a member of staff's authority ended; return its position."""
        member = self.staff[party]
        return self.record(StaffEnded(party_id=party, staff_id=member, occurred_at=self.log.now()), stream=member)

    def play(self, seed: int, steps: int = 60, people: int = 4) -> None:
        """Record a random history: everything that a participant's life at this site can hold, in any order."""
        random = Random(seed)
        who = [self.identify(surname=f"Doe{n}") for n in range(people)]
        parties = [
            (self.police, Reader.POLICE),
            (self.other_police, Reader.POLICE),
            (self.office, Reader.PROSECUTOR),
            (self.clinic, Reader.RECIPIENT),
        ]
        for _ in range(steps):
            participant, (party, reader) = random.choice(who), random.choice(parties)
            match random.randrange(10):
                case 0 | 1:
                    self.grant(participant, party, reader, narrower=random.random() < 0.3)
                case 2:
                    self.revoke(participant, party)
                case 3 | 4:
                    self.share(participant, party)
                case 5:
                    self.share(participant, party, item=self.consent_item(participant, party, reader))
                case 6:
                    self.contact(participant)
                case 7:
                    self.refer(participant)
                case 8:
                    about = random.choice([participant, None])
                    self.decide(self.file(about), about)
                case _:
                    self.stop()
                    self.record(
                        ParticipantEnrolled(participant_id=participant, party_id=self.care, occurred_at=self.log.now())
                    )

    def stored(self, view: View) -> dict[str, list[Row]]:
        """Return every row of the view's tables, by table, in the order of the table."""
        found: dict[str, list[Row]] = {}
        with psycopg.connect(self.database.owner_url, autocommit=True) as connection:
            connection.execute("set timezone to 'UTC'")
            for model in view.models:
                names = [column.name for column in model.columns]
                rows = connection.execute(f"select {', '.join(names)} from {model.table}".encode())
                found[model.table] = _sorted(model, [model.row(**dict(zip(names, row, strict=True))) for row in rows])
        return found

    def expected(self, view: View) -> dict[str, list[Row]]:
        """Return the rows that the view's function gives of the whole log, by table, in the order of the table."""
        subjects = list({subject for _, subject in self.log.page(0, 100_000)})
        rows: dict[type[Row], list[Row]] = {model.row: [] for model in view.models}
        for history in self.log.histories(subjects).values():
            for row in view.rows(history, CEILING, self.log.now()):
                rows[type(row)].append(row)
        return {model.table: _sorted(model, rows[model.row]) for model in view.models}


def _sorted(model: Model, rows: list[Row]) -> list[Row]:
    return sorted(
        rows,
        key=lambda row: (row.subject_id, str(getattr(row, "party_id", "")), *(getattr(row, n) for n in model.order)),
    )


@contextmanager
def running(log: PostgresLog, *runners: Projector) -> Iterator[None]:
    """Keep views going, as `serve` does."""
    stop = threading.Event()
    threads = [threading.Thread(target=runner.run, args=[stop]) for runner in runners]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        log.wake()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)
