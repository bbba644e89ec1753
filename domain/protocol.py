"""The site's operational protocol: every number is policy with an effective date (T:515, T:835).

Two hard floors that no policy can move: 25 participants per case manager (T:1129), and the Golden Rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from domain.event import Event, ShortText, Value
from domain.labels import Ceiling, Label, Reader, by_item, grantable
from domain.refusal import Fault, Refused
from domain.registry import COMMAND, PartyCode, Role

CASELOAD_FLOOR = 25
DAYS_MOST = 3660
"""No rule of a site runs longer than ten years, but for retention."""
LIKENESS_FLOOR = 0.8
"""No site takes names less alike than this for one name."""
RETENTION_DAYS_MOST = 36_600
DAY_HOURS = 24
"""No session outlasts a day (NIST SP 800-63B-4, 2.2.3)."""

Days = Annotated[int, Field(gt=0, le=DAYS_MOST)]
Hours = Annotated[int, Field(gt=0, le=DAYS_MOST * 24)]
Caseload = Annotated[int, Field(gt=0, le=CASELOAD_FLOOR)]
Rate = Annotated[int, Field(gt=0, le=1_000_000)]


class Door(StrEnum):
    """The way in (T:346-T:378, T:467, T:493, T:1133)."""

    ARREST_DIVERSION = "arrest_diversion"
    SOCIAL_CONTACT = "social_contact"
    COMMUNITY = "community"
    DEFENDER = "defender"
    COURT = "court"
    PROSECUTOR = "prosecutor"
    PROBATION = "probation"


POST_FILING = frozenset({Door.COURT, Door.PROSECUTOR, Door.PROBATION})
"""Accepted only while no police or community referral would be delayed by it (T:1133, T:1207)."""


class Body(StrEnum):
    """A body of the site's governance (T:515, T:557, T:574)."""

    POLICY_COORDINATING_GROUP = "policy_coordinating_group"
    OPERATIONAL_WORK_GROUP = "operational_work_group"
    COMMUNITY_LEADERSHIP_TEAM = "community_leadership_team"


class SiteName(Value):
    """What this site calls a role or a body."""

    term: Role | Body
    name: ShortText


class LoweredCeiling(Value):
    """A label that this site never lets this kind of reader have, whatever is signed."""

    reader: Reader
    label: Label


class Access(Value):
    """How people sign in at a site, and how much anyone may ask of it. Durations are in the unit their name says.

    A session ends when nothing was asked in it for `idle_minutes`, and after `session_hours` whatever was asked; nobody
    has more than `sessions_most` at once. `recent_minutes`: how long ago someone may have signed in who revokes for
    another, takes a list along or changes who may do what. A person sends `requests_per_minute` at most, of them no
    more than `lookups_per_hour` lookups of people, and everyone behind one address `requests_per_address`; from one
    address `sign_ins_per_minute` are begun or finished, each within `sign_in_minutes`.
    """

    idle_minutes: Annotated[int, Field(gt=0, le=60)] = 15
    session_hours: Annotated[int, Field(gt=0, le=DAY_HOURS)] = 12
    sessions_most: Annotated[int, Field(gt=0, le=20)] = 3
    recent_minutes: Annotated[int, Field(gt=0, le=DAY_HOURS * 60)] = 10
    requests_per_minute: Rate = 300
    requests_per_address: Rate = 3000
    lookups_per_hour: Rate = 60
    sign_in_minutes: Annotated[int, Field(gt=0, le=60)] = 10
    sign_ins_per_minute: Rate = 30


class Protocol(Value):
    """One version of the site's rules. Durations are in the unit their name says; `zone` is an IANA name.

    `retroactive`: its effective day lies before its adoption, knowingly. `handoff_minutes`: within which a case
    manager meets an officer who calls (T:348); None where the site cannot come in real time (T:419). `caseload_*`
    count participants of one case manager (T:1129): the intensive standard, the average above which the site may
    decline, the most anyone has. `priorities`: the doors, first served first (T:1207). `roi_notice_days`: how long
    before its end an ROI is to be renewed. `paper_days`: how long the paper of a revocation by word of mouth may take
    (T:893). `review_days`: between two reviews of a plan or of a case held in abeyance. `finding_hours`: within which
    a finding reaches its readers. `public_referrals_per_hour`: what the public form takes, of one address no more
    than `public_referrals_per_address`. `small_cell`: no report shows a count below it. `retention_*`: how long
    records are kept after the last contact. Nothing reads these yet: no report is published, and nothing is erased by
    age. `feed_hours`: how long a message is kept that is about nobody whom LEAD knows. `set_aside_days`: how long one
    that could not be taken waits for somebody to look. `lease_hours`: how long what is published to an agency can be
    read without being renewed. `receipt_days`: how long an agency may take to say that it has let go.
    `acknowledgement_days`: how long it waits to be told to an agency what became of a message; then it is not told any
    more. `name_likeness`: how alike (0 to 1, Jaro-Winkler) names are that a rule which links records takes for one;
    `review_likeness`: that a reviewer looks at. `public_dockets`: the courts, by their codes, whose stream is kept of
    everybody and is public record; of any other court's only those are kept whom LEAD may know, and no partner is told.
    `access`: how people sign in, and how much anyone may ask; a site that says nothing of it, or has none yet, has
    the numbers that stand there. `names`: what the site calls its roles and bodies.
    """

    version: ShortText
    effective_from: date
    zone: str
    retroactive: bool = False
    handoff_minutes: Annotated[int, Field(gt=0, le=DAYS_MOST * 24 * 60)] | None
    intake_days: Days
    non_return_hours: Hours
    caseload_intensive_least: Caseload
    caseload_intensive_most: Caseload
    caseload_average: Caseload
    caseload_most: Caseload
    priorities: tuple[Door, ...]
    roi_days_most: Days
    roi_notice_days: Days
    item_days_most: Days
    paper_days: Days
    review_days: Days
    finding_hours: Hours
    small_cell: Annotated[int, Field(ge=2)]
    retention_days: Annotated[int, Field(gt=0, le=RETENTION_DAYS_MOST)]
    retention_days_not_enrolled: Annotated[int, Field(gt=0, le=RETENTION_DAYS_MOST)]
    public_referrals_per_hour: Annotated[int, Field(gt=0)]
    public_referrals_per_address: Annotated[int, Field(gt=0)]
    feed_hours: Hours
    set_aside_days: Days
    lease_hours: Hours
    receipt_days: Days
    acknowledgement_days: Days
    name_likeness: Annotated[float, Field(ge=LIKENESS_FLOOR, le=1)]
    review_likeness: Annotated[float, Field(gt=0, le=1)]
    divertible: frozenset[ShortText]
    exclusions: frozenset[ShortText]
    override_ranks: frozenset[ShortText]
    on_call: ShortText
    team_number: ShortText
    access: Access = Access()
    public_dockets: frozenset[PartyCode] = frozenset()
    lowered: tuple[LoweredCeiling, ...] = ()
    names: tuple[SiteName, ...] = ()

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError):  # neither of them a ValueError
            raise ValueError("no such time zone") from None
        return name

    @property
    def tz(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.zone)

    @property
    def ceiling(self) -> Ceiling:
        """What this version takes away from the table of labels."""
        return Ceiling(self.version, frozenset((low.reader, low.label) for low in self.lowered))

    def called(self, term: Role | Body) -> str:
        """Return what the site calls a role or a body."""
        return next((each.name for each in self.names if each.term is term), term)

    @property
    def handoff(self) -> timedelta:
        """Within which a case manager is there. Raises `Refused` where the site has no warm handoff."""
        if self.handoff_minutes is None:
            raise Refused(
                "referral", "this site has no warm handoff.", "Record how you reached the person as a contact."
            )
        return timedelta(minutes=self.handoff_minutes)

    @property
    def non_return(self) -> timedelta:
        """How long a released person is asked not to return (T:413): a request, not a condition."""
        return timedelta(hours=self.non_return_hours)


def _with_toolkits_numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Give a protocol of version 1 the numbers that it left to the toolkit."""
    toolkit = {
        "retroactive": False,
        "caseload_intensive_least": min(12, values["protocol"]["caseload_average"]),
        "caseload_intensive_most": min(15, values["protocol"]["caseload_average"]),
        "priorities": [door.value for door in Door],
        "roi_notice_days": 30,
        "paper_days": 7,
        "review_days": 90,
        "finding_hours": 24,
        "small_cell": 11,
        "retention_days": 6 * 365,
        "retention_days_not_enrolled": 365,
        "public_referrals_per_hour": 60,
        "names": [],
    }
    return values | {"protocol": toolkit | values["protocol"]}


def _with_a_tenth_for_one_address(values: dict[str, Any]) -> dict[str, Any]:
    """Give a protocol of version 2 the share of the public form that the code gave to each address."""
    tenth = max(1, values["protocol"]["public_referrals_per_hour"] // 10)
    return values | {"protocol": {"public_referrals_per_address": tenth} | values["protocol"]}


def _with_numbers_of_the_stream(values: dict[str, Any]) -> dict[str, Any]:
    """Give a protocol from before the stream the numbers that the code had when it came.

    The thresholds of likeness are those at which no pair of 5,000 known ones was linked wrongly.
    """
    stream = {
        "feed_hours": 72,
        "set_aside_days": 30,
        "lease_hours": 24,
        "receipt_days": 7,
        "name_likeness": 0.85,
        "review_likeness": 0.75,
    }
    return values | {"protocol": stream | values["protocol"]}


def _without_public_dockets(values: dict[str, Any]) -> dict[str, Any]:
    """Give a protocol of version 4 what was so under it: no court's stream was public record."""
    return values | {"protocol": {"public_dockets": []} | values["protocol"]}


def _with_days_of_acknowledgements(values: dict[str, Any]) -> dict[str, Any]:
    """Give a protocol of version 5, under which an acknowledgement waited for ever, an end of that."""
    return values | {"protocol": {"acknowledgement_days": 30} | values["protocol"]}


class ProtocolAdopted(Event):
    """The Policy Coordinating Group adopted a version of the protocol; it is frozen from then on."""

    topic: ClassVar[str] = "protocol.adopted"
    label: ClassVar[Label] = Label.REGISTRY
    schema_version: ClassVar[int] = 6
    upcasts: ClassVar = {
        1: _with_toolkits_numbers,
        2: _with_a_tenth_for_one_address,
        3: _with_numbers_of_the_stream,
        4: _without_public_dockets,
        5: _with_days_of_acknowledgements,
    }

    protocol: Annotated[Protocol, Label.REGISTRY]


class NoProtocol(LookupError):
    """No protocol is in force: the site is not set up yet."""


def in_force(versions: list[Protocol], at: datetime) -> Protocol:
    """Return the version in force at a moment: the latest whose effective day has begun at the site.

    `versions` stand in the order of their adoption; of two with the same day the one adopted later corrects the other.
    Raises `NoProtocol` where none is.
    """
    begun = [p for p in versions if p.effective_from <= at.astimezone(p.tz).date()]
    if not begun:
        raise NoProtocol("no protocol is in force: adopt one with an effective date that has come")
    return max(reversed(begun), key=lambda p: p.effective_from)


def adopt(adopted: Sequence[Protocol], event: ProtocolAdopted, today: date) -> list[Event]:
    """Adopt a version. Raises `Refused` for one that is adopted already, or listing all in which it contradicts itself.

    `today` is the site's.
    """
    protocol = event.protocol
    if any(known.version == protocol.version for known in adopted):
        raise Refused("protocol.version", "this version is adopted already, and frozen.", "Adopt a new version.")
    faults = list(contradictions(protocol))
    if adopted and protocol.effective_from < today and not protocol.retroactive:
        way_out = "Give a day from today on, or say that it is retroactive."
        faults.append(Fault("effective_from", "it lies in the past.", way_out))
    if adopted and protocol.effective_from <= today and protocol.public_dockets - _public_on(adopted, today):
        # What was told until then was kept of some people alone, and must not come out beside everybody's.
        way_out = "Give a day after today as effective_from, or leave the court out."
        faults.append(Fault("public_dockets", "no docket becomes public before tomorrow.", way_out))
    if faults:
        raise Refused.of(faults).within("protocol")
    return [event]


def _public_on(adopted: Sequence[Protocol], day: date) -> frozenset[str]:
    """Return the courts whose dockets are public on a day."""
    begun = [p for p in adopted if p.effective_from <= day]
    return max(reversed(begun), key=lambda p: p.effective_from).public_dockets if begun else frozenset()


def contradictions(protocol: Protocol) -> Iterator[Fault]:
    """Yield everything in which a version contradicts itself or what it stands on."""
    ascending = ("caseload_intensive_least", "caseload_intensive_most", "caseload_average", "caseload_most")
    shorter = (
        *pairwise(ascending),
        ("roi_notice_days", "roi_days_most"),
        ("retention_days_not_enrolled", "retention_days"),
        ("public_referrals_per_address", "public_referrals_per_hour"),
        ("review_likeness", "name_likeness"),
    )
    for smaller, larger in shorter:
        if getattr(protocol, smaller) > getattr(protocol, larger):
            yield Fault(smaller, f"it is above {larger}.", "Lower it, or raise the other.")
    if protocol.access.requests_per_minute > protocol.access.requests_per_address:
        yield Fault("access.requests_per_minute", "it is above requests_per_address.", "Lower it, or raise the other.")
    if protocol.non_return > timedelta(days=protocol.intake_days):
        yield Fault(
            "non_return_hours", "they outlast intake_days.", "A person is asked to come in before that: lower it."
        )
    if protocol.exclusions and not protocol.override_ranks & COMMAND:
        ranks = " or ".join(sorted(COMMAND))
        yield Fault("override_ranks", "nobody can override the exclusions (T:393).", f"Name a rank that can: {ranks}.")
    yield from _of_doors(protocol)
    for n, low in enumerate(protocol.lowered):
        if low.label is Label.CONSENT_SCOPE:
            yield Fault(
                f"lowered[{n}]", "the scope of consent goes with each disclosure (42 CFR 2.32).", "Leave it out."
            )
        elif low.label not in grantable(low.reader) | by_item(low.reader):
            yield Fault(f"lowered[{n}]", "that reader never gets this label by consent.", "Leave it out.")
    for name, items in (("lowered", protocol.lowered), ("names", [n.term for n in protocol.names])):
        if twice := [str(item) for item, count in Counter(items).items() if count > 1]:
            yield Fault(name, "it says something twice.", f"Say it once: {twice[0]}.")


def _of_doors(protocol: Protocol) -> Iterator[Fault]:
    if set(protocol.priorities) != set(Door) or len(protocol.priorities) != len(Door):
        doors = ", ".join(Door)
        yield Fault("priorities", "they do not name every door once.", f"Put these in the order of the site: {doors}.")
