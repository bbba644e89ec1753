"""The cast: who takes part in the site that is played, its protocol, and the clock that makes its past."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg

from domain.protocol import Access, Door, Protocol
from domain.referral import Charge
from domain.registry import READER_OF, PartyKind, Role
from services import register
from services.ports import NOBODY, Caller
from services.site import Command, Site, carry_out

ZONE = "America/Los_Angeles"
TZ = ZoneInfo(ZONE)
PARTIES = (
    ("lead-care", "LEAD case management", PartyKind.CARE),
    ("lead-program", "LEAD project management", PartyKind.PROGRAM),
    ("city-pd", "City Police Department", PartyKind.POLICE),
    ("transit-pd", "Transit Police", PartyKind.POLICE),
    ("county-pa", "County Prosecuting Attorney", PartyKind.PROSECUTOR),
    ("housing-co", "HousingCo", PartyKind.RECIPIENT),
    ("public-defense", "Department of Public Defense", PartyKind.DEFENDER),
    ("r-patel", "Counsel of record", PartyKind.COUNSEL),
    ("lead-legal", "LEAD Legal Services", PartyKind.LEGAL_SERVICES),
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
    ("r-patel", "R. Patel", Role.COUNSEL, "patel"),
    ("lead-legal", "Shaw Lindgren", Role.LEGAL_SERVICES, "shaw"),
    ("lead-program", "Imani Cole", Role.PRIVACY_OFFICER, "imani"),
    ("district-court", "Clerk Judd", Role.COURT_OFFICER, "judge"),
    ("probation", "Officer Brooks", Role.PROBATION_OFFICER, "brooks"),
    ("city-pd", "Commander Lang", Role.COMMANDER, "lang"),
    ("lead-care", "Teo Fuller", Role.OUTREACH, "teo"),
    ("lead-care", "Rosa Vidal", Role.LEGAL_ADVOCATE, "rosa"),
    ("lead-care", "Gil Ortega", Role.PEER, "gil"),
)
CHARGES = (
    Charge(code="23C", description="Shoplifting", severity="misdemeanor"),
    Charge(code="35A", description="Possession of a controlled substance", severity="misdemeanor"),
    Charge(code="90J", description="Trespass of real property", severity="misdemeanor"),
    Charge(code="40A", description="Prostitution", severity="misdemeanor"),
)


PLAYED = Access(session_hours=24, recent_minutes=24 * 60)
"""A demo prints its tokens once: each is of a recent sign-in for as long as it lives."""


def protocol(effective_from: date, access: Access = PLAYED) -> Protocol:
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
        public_referrals_per_address=6,
        feed_hours=72,
        set_aside_days=30,
        lease_hours=24,
        receipt_days=7,
        acknowledgement_days=30,
        name_likeness=0.85,
        review_likeness=0.75,
        divertible=frozenset(charge.code for charge in CHARGES),
        exclusions=frozenset({"prior felony", "violent history"}),
        override_ranks=frozenset({"sergeant", "commander"}),
        on_call="206-555-0100",
        team_number="206-555-0100",
        access=access,
    )


@dataclass(slots=True)
class Clock:
    """The site's one clock, moved: the year ends when it has been played. `moment`: where it was put last."""

    owner_url: str
    moment: datetime = field(init=False)
    connection: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.connection = psycopg.connect(self.owner_url, autocommit=True)
        self.connection.execute("set synchronous_commit = off")

    def at(self, moment: datetime) -> None:
        """Let it be this moment at the site, and time go on from there."""
        self.connection.execute("select site.set_clock(%s - clock_timestamp())", [moment])
        self.moment = moment

    def stand(self, moment: datetime) -> None:
        """Let it be this moment at the site, and stay so."""
        self.connection.execute("select site.stop_clock(%s)", [moment])
        self.moment = moment

    def now(self) -> None:
        """Let it be now again."""
        self.connection.execute("set synchronous_commit = on")  # and with it all that was played is on the disk
        self.connection.execute("select site.set_clock(interval '0')")
        self.connection.close()


def callers(site: Site) -> dict[str, Caller]:
    """Return the callers of the site's staff, by the name under which each signs in."""
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


def set_up(site: Site, effective_from: date, access: Access = PLAYED, *, managers: int = 0) -> None:
    """Register the cast, and adopt its protocol; with so many case managers more than the cast has by name."""
    system = Caller(NOBODY, NOBODY, PartyKind.PROGRAM, Role.SERVICE, None, "set-up", uuid4())
    commands: list[Command] = [register.AdoptProtocol(protocol=protocol(effective_from, access))]
    commands += [register.RegisterParty(code=code, name=name, kind=kind) for code, name, kind in PARTIES]
    commands += [
        register.RegisterStaff(party=party, name=name, role=role, subject=subject)
        for party, name, role, subject in (*STAFF, *_more(managers))
    ]
    for command in commands:
        carry_out(site, system, command)


def _more(managers: int) -> list[tuple[str, str, Role, str]]:
    return [("lead-care", f"Case Manager {n}", Role.CASE_MANAGER, f"manager-{n}") for n in range(1, managers + 1)]
