"""Play a small LEAD site, through the same commands as the API, on a PostgreSQL of its own; then serve it."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import typer

from adapters.bootstrap import Parts, database, opened
from adapters.cli.serve import answer
from adapters.cli.tour import look_around
from adapters.identity.issuer import DemoIssuer
from adapters.settings import Settings
from domain.contact import ContactKind
from domain.labels import Label
from domain.legal_case import DecisionKind, Source
from domain.protocol import Door, Protocol
from domain.referral import Charge
from domain.registry import READER_OF, PartyKind, Role
from domain.roi import Medium, WordOf
from services import care, court, referrals, register
from services.ports import NOBODY, Caller
from services.site import Command, Site, carry_out

ZONE = "America/Los_Angeles"
SITE_DAYS = 240  # how long the site has been at work when the demo begins
PARTIES = (
    ("lead-care", "LEAD case management", PartyKind.CARE),
    ("lead-program", "LEAD project management", PartyKind.PROGRAM),
    ("city-pd", "City Police Department", PartyKind.POLICE),
    ("transit-pd", "Transit Police", PartyKind.POLICE),
    ("county-pa", "County Prosecuting Attorney", PartyKind.PROSECUTOR),
    ("housing-co", "HousingCo", PartyKind.RECIPIENT),
    ("public-defense", "Department of Public Defense", PartyKind.DEFENDER),
    ("district-court", "District Court", PartyKind.COURT),
    ("probation", "Probation Office", PartyKind.PROBATION),
)
STAFF = (
    ("lead-care", "Dana Reyes", Role.CASE_MANAGER, "dana"),
    ("lead-care", "Luis Moreno", Role.CASE_MANAGER, "luis"),
    ("lead-care", "Grace Okafor", Role.CASE_MANAGER, "grace"),
    ("lead-care", "Noor Haddad", Role.SUPERVISOR, "noor"),
    ("lead-program", "Pat Lindqvist", Role.PROJECT_MANAGER, "pat"),
    ("city-pd", "Officer Kim", Role.OFFICER, "kim"),
    ("city-pd", "Sergeant Ortiz", Role.SERGEANT, "ortiz"),
    ("transit-pd", "Officer Webb", Role.OFFICER, "webb"),
    ("county-pa", "Alex Chen", Role.LIAISON_PROSECUTOR, "chen"),
    ("housing-co", "Marta Silva", Role.RECIPIENT_CONTACT, "marta"),
    ("public-defense", "Judge (ret.) Ames", Role.DEFENDER_OBSERVER, "ames"),
    ("district-court", "Clerk Judd", Role.COURT_OFFICER, "judge"),
    ("probation", "Officer Brooks", Role.PROBATION_OFFICER, "brooks"),
    ("lead-care", "Rosa Vidal", Role.LEGAL_ADVOCATE, "rosa"),
)
PERSONAS = ("dana", "luis", "noor", "chen", "kim", "ortiz", "webb", "marta", "pat", "ames")
CHARGES = (
    Charge(code="23C", description="Shoplifting", severity="misdemeanor"),
    Charge(code="35A", description="Possession of a controlled substance", severity="misdemeanor"),
    Charge(code="90J", description="Trespass of real property", severity="misdemeanor"),
    Charge(code="40A", description="Prostitution", severity="misdemeanor"),
)
GIVEN = "Ray Ana Joe Lena Omar Tess Carl Ivy Sam Ruth Dee Hank Mina Otis Paula Vic June Abe Nell Gus".split()  # noqa: SIM905
SURNAMES = "Bell Cruz Dunn Ellis Frost Grant Hale Ingram Jacobs Kane Lowe Marsh Nash Owens Price".split()  # noqa: SIM905
PLACES = ("3rd Ave and Pine", "Jackson St", "Aurora Ave N", "Westlake Park", "Rainier Ave S")
RACES = ("Black", "White", "Hispanic", "Asian", "American Indian", "Unknown")
POLICE_LABELS = frozenset(
    {Label.IDENTITY_LEGAL, Label.ENROLMENT_STATUS, Label.CASE_MANAGER_CONTACT, Label.IIP_PROGRESS}
)
PROSECUTOR_LABELS = POLICE_LABELS | {Label.CHARGE_DIVERTED, Label.CASE_DOCKET, Label.CASE_EFFECT}
HOUSING_LABELS = frozenset({Label.IDENTITY_LEGAL, Label.CONTACT_PHONE, Label.NEED_HOUSING, Label.CONTACT_FACT})


def protocol(effective_from: date) -> Protocol:
    """Return the demo site's protocol, of the toolkit's usual numbers (T:348, T:407, T:413, T:1129)."""
    return Protocol(
        version="P-1",
        effective_from=effective_from,
        zone=ZONE,
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
        item_days_most=90,
        paper_days=7,
        review_days=90,
        finding_hours=24,
        small_cell=11,
        retention_days=2200,
        retention_days_not_enrolled=365,
        public_referrals_per_hour=60,
        divertible=frozenset(charge.code for charge in CHARGES),
        exclusions=frozenset({"prior felony", "violent history"}),
        override_ranks=frozenset({"sergeant", "commander"}),
        on_call="206-555-0100",
        team_number="206-555-0100",
    )


@dataclass(slots=True)
class Clock:
    """The site's one clock, moved: the demo's year ends when the demo begins."""

    owner_url: str
    connection: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.connection = psycopg.connect(self.owner_url, autocommit=True)

    def at(self, moment: datetime) -> None:
        """Let it be this moment at the site."""
        self.connection.execute("select site.set_clock(%s - clock_timestamp())", [moment])

    def now(self) -> None:
        """Let it be now again."""
        self.connection.execute("select site.set_clock(interval '0')")
        self.connection.close()


def callers(site: Site) -> dict[str, Caller]:
    """Return the callers of the demo's staff, by the name under which each signs in."""
    site.directory.refresh()
    return {
        person.subject: Caller(
            staff=person.id,
            party=person.party,
            party_kind=site.directory.party(person.party).kind,
            role=person.role,
            reader=READER_OF.get(person.role),
            name=person.name,
            correlation_id=uuid4(),
        )
        for person in site.directory.staff.values()
        if person.role is not Role.PARTICIPANT
    }


def set_up(site: Site, effective_from: date) -> None:
    """Register the demo's parties and staff, and adopt its protocol."""
    system = Caller(NOBODY, NOBODY, PartyKind.PROGRAM, Role.SERVICE, None, "set-up", uuid4())
    commands: list[Command] = [register.AdoptProtocol(protocol=protocol(effective_from))]
    commands += [register.RegisterParty(code=code, name=name, kind=kind) for code, name, kind in PARTIES]
    commands += [
        register.RegisterStaff(party=party, name=name, role=role, subject=subject)
        for party, name, role, subject in STAFF
    ]
    for command in commands:
        carry_out(site, system, command)


@dataclass(slots=True)
class Play:
    """Plays people's stories into a site, in the order of time."""

    site: Site
    clock: Clock
    chance: random.Random
    end: datetime
    staff: dict[str, Caller] = field(init=False)

    def __post_init__(self) -> None:
        self.staff = callers(self.site)

    def do(self, who: str, at: datetime, command: Command, **named: str) -> dict[str, Any]:
        """Let someone do something at a moment of the site's past."""
        self.clock.at(at)
        caller = self.staff[who]
        fresh = Caller(caller.staff, caller.party, caller.party_kind, caller.role, caller.reader, caller.name, uuid4())
        return carry_out(self.site, fresh, command, path=named).answer

    def person(self, n: int) -> Iterator[datetime]:
        """Play one person's story; yield before each act the moment at which it happens."""
        chance = self.chance
        given, surname = GIVEN[n % len(GIVEN)], SURNAMES[(n // len(GIVEN) + n) % len(SURNAMES)]
        born = date(1960 + chance.randrange(42), 1 + chance.randrange(12), 1 + chance.randrange(28))
        person = referrals.Person(given=given, surname=surname, birth_date=born)
        offered = self.end - timedelta(days=chance.uniform(40, SITE_DAYS - 10))
        officer = "webb" if n % 6 == 1 else "kim"
        charge = chance.choice(CHARGES)
        excluded = officer == "kim" and n % 7 == 0
        yield offered
        made = self.do(
            officer,
            offered,
            referrals.OfferDiversion(
                door="arrest_diversion",
                person=person,
                incident_number=f"{offered:%Y}-{100000 + n}",
                place=chance.choice(PLACES),
                facts=f"{charge.description}; probable cause; the person agreed to be referred.",
                charges=(
                    referrals.HeldCharge(
                        **charge.model_dump(),
                        prosecutor="county-pa",
                        exclusions=("prior felony",) if excluded else (),
                        criminal_history="One felony conviction, 2014." if excluded else None,
                        race_as_perceived=chance.choice(RACES),
                    ),
                ),
            ),
        )
        referral = made["referral"]
        if excluded:
            yield (at := offered + timedelta(minutes=1))
            self.do(
                "ortiz",
                at,
                referrals.OverrideExclusion(
                    charge=made["charges"][0], exclusion="prior felony", rank="sergeant", reason="old and unrelated"
                ),
                referral=referral,
            )
        yield from self.handoff(n, person, referral, officer, offered)

    def handoff(
        self, n: int, person: referrals.Person, referral: str, officer: str, offered: datetime
    ) -> Iterator[datetime]:
        """Play the warm handoff, the release, and what follows."""
        chance = self.chance
        manager = ("dana", "luis", "grace")[n % 3]
        call, met = offered + timedelta(minutes=2), offered + timedelta(minutes=chance.randrange(12, 45))
        yield met
        ours = self.ours(officer, manager, referral)
        self.do(manager, met, referrals.RecordHandoff(requested_at=call), referral=ours)
        yield (accepted := met + timedelta(minutes=5))
        found = f"Near {chance.choice(PLACES)}, mornings"
        self.do(manager, accepted, referrals.AcceptReferral(found_at=found), referral=ours)
        yield (released := accepted + timedelta(minutes=3))
        self.do(officer, released, referrals.RecordRelease(in_presence_of_codefendants=False), referral=referral)
        history = self.site.log.load(self.opened(officer, referral))
        participant = history[0].event.participant_id
        if participant is None:
            return
        theirs = self.site.ids.seal(self.staff[manager].party, participant)
        yield (at := released + timedelta(hours=chance.uniform(4, 30)))
        self.do(manager, at, care.AssignParticipant(), participant_id=theirs)
        if n % 10 == 1:
            return  # in the wind before the intake
        yield from self.enrol(n, person, theirs, participant.hex[:6], manager, released)

    def enrol(
        self, n: int, person: referrals.Person, theirs: str, docket: str, manager: str, released: datetime
    ) -> Iterator[datetime]:
        """Play intake, ROI, contacts, shares; a court case for some, a revocation for some."""
        chance = self.chance
        yield (intake := released + timedelta(days=chance.uniform(2, 25)))
        self.do(
            manager,
            intake,
            care.CompleteIntake(
                narrative="Grew up here; lost housing two years ago; wants a room and to see his daughter.",
                race_self=chance.choice(RACES),
                phone=f"206-555-{1000 + n}",
            ),
            participant_id=theirs,
        )
        yield (signed := intake + timedelta(minutes=20))
        grants = [
            care.GrantTo(party="city-pd", labels=POLICE_LABELS, purpose="coordination in the field"),
            care.GrantTo(
                party="county-pa",
                labels=PROSECUTOR_LABELS,
                purpose="coordination of pending cases",
                notify_completion=True,
            ),
        ]
        if n % 2 == 0:
            grants.append(care.GrantTo(party="housing-co", labels=HOUSING_LABELS, purpose="an application for a room"))
        given = self.do(
            manager,
            signed,
            care.SignRoi(
                expires_on=(signed + timedelta(days=360)).date(),
                form_version="ROI-3",
                explained_by=self.staff[manager].name,
                language="English",
                grants=tuple(grants),
            ),
            participant_id=theirs,
        )
        at = signed
        for k in range(chance.randrange(2, 5)):
            at += timedelta(days=chance.uniform(2, 12))
            if at > self.end:
                return
            yield at
            note = care.RecordContact(
                kind=chance.choice(tuple(ContactKind)),
                reached=chance.random() < 0.8,  # noqa: PLR2004 - the demo's luck
                note="Brought socks and water; talked about the room.",
                location=chance.choice(PLACES),
                current_use="Used again this week, and said so." if k == 1 else None,
            )
            self.do(manager, at, note, participant_id=theirs)
        yield (at := at + timedelta(days=1))
        self.do(
            manager,
            at,
            care.MakeShare(
                party="county-pa", text="Engaged; housing application filed.", labels=frozenset({Label.IIP_PROGRESS})
            ),
            participant_id=theirs,
        )
        if n % 3 == 0:
            yield from self.court(person, theirs, manager, docket, at)
        if n % 8 == 4 and (at := at + timedelta(days=3)) < self.end:  # noqa: PLR2004 - one in eight
            yield at
            self.do(
                "noor",
                at,
                care.RevokeRoi(
                    parties=("city-pd", "county-pa"),
                    word_of=WordOf.COUNSEL,
                    medium=Medium.ORAL,
                    counsel="R. Patel",
                ),
                participant_id=theirs,
                roi_id=given["roi"],
            )

    def court(
        self, person: referrals.Person, theirs: str, manager: str, docket: str, after: datetime
    ) -> Iterator[datetime]:
        """Play a filing and a decision of the prosecutor's office."""
        care_party, office = self.staff[manager].party, self.staff["chen"].party
        participant = self.site.ids.open(care_party, theirs)
        if participant is None:
            return
        yield (at := after + timedelta(days=1))
        day = at.date()
        case = self.do(
            "chen",
            at,
            court.FileCase(
                docket=f"{day:%y}-1-{docket}",
                participant=self.site.ids.seal(office, participant),
                defendant=person,
                charges=(CHARGES[2],),
                offense_on=day - timedelta(days=90),
                arrested_on=day - timedelta(days=90),
                filed_on=day - timedelta(days=1),
            ),
        )
        yield (at := at + timedelta(hours=5))
        self.do(
            "chen",
            at,
            court.DecideCase(
                kind=self.chance.choice((DecisionKind.ABEYANCE, DecisionKind.DISMISS, DecisionKind.STANDARD)),
                reason="Engaged with LEAD.",
                source=Source.NOT_STATED,
            ),
            case=case["case"],
        )

    def opened(self, who: str, text: str) -> Any:
        """Return what someone's party calls by this id."""
        return self.site.ids.open(self.staff[who].party, text)

    def ours(self, theirs: str, mine: str, text: str) -> str:
        """Return the id by which one's own party knows what another party calls by this id."""
        return self.site.ids.seal(self.staff[mine].party, self.opened(theirs, text))


def play(parts: Parts, owner_url: str, *, seed: int, participants: int) -> None:
    """Play the site's past into it, with progress."""
    end = datetime.now(UTC)
    clock = Clock(owner_url)
    begin = end - timedelta(days=SITE_DAYS)
    clock.at(datetime.combine(begin.date(), time(16), tzinfo=UTC))
    set_up(parts.site, begin.date() - timedelta(days=1))
    show = Play(parts.site, clock, random.Random(seed), end)  # noqa: S311 - a story, not a secret
    stories = [show.person(n) for n in range(participants)]
    waiting = [(next(story), n) for n, story in enumerate(stories)]
    with typer.progressbar(length=participants, label="Playing the site's past", show_eta=False) as bar:
        while waiting:
            waiting.sort()
            at, n = waiting.pop(0)
            following = next(stories[n], None) if at <= end else None
            if following is None or following > end:
                bar.update(1)
            else:
                waiting.append((following, n))
    clock.now()


def personas(site: Site, issuer: DemoIssuer) -> list[dict[str, str]]:
    """Return who may sign in, each with a token."""
    listed = []
    for subject in (*PERSONAS, "ray"):
        if person := site.directory.by_subject(subject):
            party = site.directory.parties.get(person.party)
            listed.append(
                {
                    "name": person.name,
                    "role": person.role.value,
                    "agency": party.name if party else "",
                    "token": issuer.token(subject),
                }
            )
    return listed


def run_demo(*, port: int, seed: int, participants: int, data_dir: Path | None, ready_file: Path | None) -> None:
    """Play a site on a PostgreSQL of its own, and serve it until interrupted."""
    with _folder(data_dir) as folder:
        settings = Settings(
            data_dir=folder,
            secrets_dir=folder / "secrets",
            database_url=None,
            environment="demo",
            origin="goldenthread.invalid/demo",  # never a real site's name, keys or collector, whatever the shell has
            otlp_endpoint=None,
            host="127.0.0.1",
            port=port,
        )
        typer.echo("Starting a PostgreSQL of the demo's own.")
        with database(settings) as db, opened(db, settings) as parts:
            fresh = not parts.site.directory.parties
            if not fresh:
                Clock(db.url).now()  # a demo that was killed while it played left its clock in the past
            else:
                play(parts, db.url, seed=seed, participants=participants)
                _participant_access(parts)
            parts.site.directory.refresh()
            issuer = DemoIssuer(settings.audience)
            listed = personas(parts.site, issuer)

            def first() -> None:
                if fresh:
                    look_around(parts, callers(parts.site))
                _print(listed)

            answer(parts, settings, issuer, ready_file=ready_file, ready={"personas": listed}, first=first)


def _participant_access(parts: Parts) -> None:
    """Let the first participant sign in, to read its own accounting."""
    staff = callers(parts.site)
    found = parts.log.of_topics(["participant.identified"])
    if found and found[0].event.participant_id:
        theirs = parts.site.ids.seal(staff["noor"].party, found[0].event.participant_id)
        carry_out(parts.site, staff["noor"], care.GiveAccess(subject="ray"), path={"participant_id": theirs})


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    """Give the demo's folder: the one that was named, which stays, or one that goes with the demo."""
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="goldenthread-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user than root; what lies within is closed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print(listed: list[dict[str, str]]) -> None:
    typer.echo("\nWho may sign in (Authorization: Bearer TOKEN):\n")
    for persona in listed:
        typer.echo(f"  {persona['name']}, {persona['role']}, {persona['agency']}\n    {persona['token']}")
    typer.echo("")
