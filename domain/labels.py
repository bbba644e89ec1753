"""Information labels: who may ever see which fact, and on which basis.

The table is normative. Sealing, ceilings, grants, row tables and policies, the redaction trace and the page
`docs/labels.md` derive from it. A field of an event names its label; a field without one cannot be defined.
What no column allows, nobody gets (T:843, T:869, T:917).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import NamedTuple, TypeAlias
from uuid import UUID


class Reader(StrEnum):
    """A kind of reader: one column of the table."""

    CASE_MANAGER = "case_manager"
    PROGRAM = "program"
    PROSECUTOR = "liaison_prosecutor"
    POLICE = "police"
    COURT = "court"
    RECIPIENT = "recipient"
    OBSERVER = "observer"
    COUNSEL = "counsel"
    LEGAL_SERVICES = "legal_services"
    PARTICIPANT = "participant"
    PRIVACY = "privacy"


PARTNERS = frozenset({Reader.PROSECUTOR, Reader.POLICE, Reader.COURT, Reader.RECIPIENT})


class Basis(StrEnum):
    """The only reasons for which a reader may see a fact."""

    ROLE = "R"
    OWN = "O"
    NOTICE = "N"
    PUBLIC = "P"
    GRANTED = "G"
    ITEM = "I"
    EMERGENCY = "E"
    PSEUDONYM = "p"


BEHIND_THE_GATE = frozenset({Basis.GRANTED, Basis.ITEM})


class Seal(StrEnum):
    """Whose key seals a field."""

    PARTICIPANT = "S"
    MATTER = "M"
    CLEAR = "."


class Label(StrEnum):
    """What a fact is about: one row of the table."""

    IDENTITY_LEGAL = "identity.legal"
    IDENTITY_ALIAS = "identity.alias"
    IDENTITY_EXTERNAL = "identity.external"
    CONTACT_PHONE = "contact.phone"
    CONTACT_LOCATION = "contact.location"
    RELEASE_PLAN = "release.plan"
    REFERRAL_POLICE = "referral.police"
    REFERRAL_COMMUNITY = "referral.community"
    REFERRAL_STATUS = "referral.status"
    REFERRAL_DECLINED = "referral.declined"
    ENROLMENT_STATUS = "enrolment.status"
    CASE_MANAGER_CONTACT = "case_manager.contact"
    CHARGE_DIVERTED = "charge.diverted"
    CASE_DOCKET = "case.docket"
    CASE_EFFECT = "case.effect"
    WARRANT = "warrant"
    CRIMHIST = "crimhist"
    SCREENING_RISK = "screening.risk"
    PROSECUTOR_DECISION = "prosecutor.decision"
    PROSECUTOR_WORKPRODUCT = "prosecutor.workproduct"
    INTAKE_NARRATIVE = "intake.narrative"
    HEALTH_GENERAL = "health.general"
    HEALTH_MENTAL = "health.mental"
    HEALTH_HIV = "health.hiv"
    HEALTH_SUD = "health.sud"
    SUBSTANCE_CURRENT = "substance.current"
    IIP_GOAL = "iip.goal"
    IIP_PROGRESS = "iip.progress"
    IIP_CHALLENGE = "iip.challenge"
    IIP_BARRIER = "iip.barrier"
    CONTACT_FACT = "contact.fact"
    CONTACT_NOTE = "contact.note"
    NEED_HOUSING = "need.housing"
    NEED_INCOME = "need.income"
    NEED_WORK = "need.work"
    NEED_EDUCATION = "need.education"
    NEED_FAMILY = "need.family"
    LEGAL_CIVIL = "legal.civil"
    LEGAL_IMMIGRATION = "legal.immigration"
    LEGAL_STRATEGY = "legal.strategy"
    DEFENSE_COMMUNICATION = "defense.communication"
    FUND_USE = "fund.use"
    CONDUCT_UNLAWFUL = "conduct.unlawful"
    CONDUCT_ORDER = "conduct.order"
    SAFETY_THREAT = "safety.threat"
    VICTIM_PERSON = "victim.person"
    CONSENT_SCOPE = "consent.scope"
    CONSENT_STATE = "consent.state"
    DEMOGRAPHICS_SELF = "demographics.self"
    DEMOGRAPHICS_OFFICER = "demographics.officer"
    SHARE_TEXT = "share.text"
    DOCUMENT = "document"
    MESSAGE_ASK = "message.ask"
    MEETING_ITEM = "meeting.item"
    SITUATION = "situation"
    CUSTODY = "custody"
    OVERRIDE = "override"
    FINDING = "finding"
    CONCERN = "concern"
    ROSTER = "roster"
    REGISTRY = "registry"
    STOP_RECORD = "stop.record"
    AUDIT_ACCESS = "audit.access"


# label, seal (S participant's key, M matter's key, . clear), 2 (a 42 CFR Part 2 record), then a cell for each reader.
# `=` in a cell: as the labels of its subject.
_TABLE = """
                       seal  2   CM   PM   PR   PO   CT   RC   DO   DC   LS   PT   PV
identity.legal            S  .    R    R  GOE  GOE   GO    G    p    G    R    R    -
identity.alias            S  .    R    R   GO   GO    -    -    -    G    R    R    -
identity.external         S  .    R    R    O    O    O    -    -    G    R    R    -
contact.phone             S  .    R    R    I    I    I    G    -    G    R    R    -
contact.location          S  .    R    -    I   IE    I    G    -    G    R    R    -
release.plan              S  .    R    -    I    -    I    -    -    G    R    R    -
referral.police           S  .    R    R    -    O    -    -    p    G    -    R    -
referral.community        S  .    R    R    -    -    -    O    -    -    -    R    -
referral.status           .  .    R    R    N    N    -    -    p    G    -    R    -
referral.declined         S  .    R    R    -    -    -    -    -    -    -    R    -
enrolment.status          .  2    R    R    G    G    G    G    p    G    R    R    -
case_manager.contact      .  .    R    R    G    G    G    G    -    G    R    R    -
charge.diverted           M  2    R    R  GNO    O    -    -    p    G    R    R    -
case.docket               M  .    R    -  GOP    P   OP    -    p    G    R    R    -
case.effect               M  .    R    -    G    -    G    -    -    G    R    R    -
warrant                   M  .    R    -  GOP   OP   OP    -    p    G    R    R    -
crimhist                  M  .    -    -    O    O    O    -    -    -    -    -    -
screening.risk            S  .    R    R    -    O    -    -    -    -    -    -    -
prosecutor.decision       M  .    R    -    O    -   OP    -    p    G    R    R    -
prosecutor.workproduct    M  .    -    -    O    -    -    -    -    -    -    -    -
intake.narrative          S  2    R    -    -    -    -    -    -    I    -    R    -
health.general            S  2    R    -    G    -    G    G    -    G    R    R    -
health.mental             S  2    R    -    G    -    G    G    -    G    R    R    -
health.hiv                S  2    R    -    I    -    I    I    -    I    -    R    -
health.sud                S  2    R    -    G    -    G    G    -    G    R    R    -
substance.current         S  2    R    -    I    -    I    I    -    I    -    R    -
iip.goal                  S  2    R    -    G    G    G    G    -    G    R    R    -
iip.progress              S  2    R    -    G    G    G    G    -    G    R    R    -
iip.challenge             S  2    R    -    G    -    G    -    -    G    R    R    -
iip.barrier               S  .    R    R    G    G    G    G    -    G    R    R    -
contact.fact              S  2    R    R    G    G    G    G    -    G    R    R    -
contact.note              S  2    R    -    -    -    -    -    -    -    -    R    -
need.housing              S  .    R    -    G    G    G    G    -    G    R    R    -
need.income               S  .    R    -    G    G    G    G    -    G    R    R    -
need.work                 S  .    R    -    G    G    G    G    -    G    R    R    -
need.education            S  .    R    -    G    G    G    G    -    G    R    R    -
need.family               S  .    R    -    G    G    G    G    -    G    R    R    -
legal.civil               S  .    R    -    -    -    -    -    -    G    R    R    -
legal.immigration         S  .    R    -    -    -    -    -    -    G    R    R    -
legal.strategy            S  .    -    -    -    -    -    -    -    R    R    R    -
defense.communication     S  .    -    -    -    -    -    -    -    R    -    R    -
fund.use                  S  .    R    -    -    -    -    -    -    -    -    R    -
conduct.unlawful          S  2    R    -    -    -    -    -    -    I    -    R    -
conduct.order             S  2    R    -    -    -    -    -    -    I    -    R    -
safety.threat             S  .    R    R    E    E    -    -    -    -    -    -    -
victim.person             S  .    R    -   OE   OE    O    -    -    -    -    -    -
consent.scope             .  .    R    R    G    G    G    G    -    R    -    R    R
consent.state             S  .    R    -    -    -    -    -    -    R    -    R    R
demographics.self         S  .    R    R    -    -    -    -    -    G    -    R    -
demographics.officer      M  .    R    R    -    O    -    -    p    -    -    R    -
share.text                S  =    R    -    =    =    =    =    =    =    =    R    -
document                  S  =    =    =    =    =    =    =    =    =    =    =    -
message.ask               S  .    R    R    O    O    O    O    -    O    -    R    -
meeting.item              S  =    =    =    =    =    =    =    =    =    =    =    -
situation                 .  .    R    R    R    R    -    R    R    -    -    -    -
custody                   M  .    R    -   OP   OP   OP    -    p    G    R    R    -
override                  M  .    R    R    -    O    -    -    p    G    R    R    -
finding                   M  .    -    R    O    -    -    -    p    G    -    R    -
concern                   S  .    -    R    -    -    -    -    O    O    -    -    -
roster                    .  .    R    R    -    -    -    -    -    -    -    -    -
registry                  .  .    R    R    R    R    R    R    R    R    R    R    R
stop.record               .  .    -    R    O    O    -    -    p    -    -    -    -
audit.access              .  .    R    -    O    O    O    O    p    R    -    R    R
"""

_COLUMNS = tuple(Reader)


class Line(NamedTuple):
    """One line of the table: `cells[reader]` holds its bases; `as_subject` the readers whose cell is the subject's."""

    seal: Seal
    part2: bool
    cells: dict[Reader, frozenset[Basis]]
    as_subject: frozenset[Reader]


def _read(table: str) -> dict[Label, Line]:
    lines: dict[Label, Line] = {}
    for text in table.strip().splitlines()[1:]:
        name, seal, part2, *cells = text.split()
        bases = {r: frozenset(Basis(c) for c in cell if c not in "-=") for r, cell in zip(_COLUMNS, cells, strict=True)}
        subject = frozenset(r for r, cell in zip(_COLUMNS, cells, strict=True) if cell == "=")
        lines[Label(name)] = Line(Seal(seal), part2 == "2", bases, subject)
    return lines


TABLE = _read(_TABLE)

# States hold until changed, so the time at which they were first written down does not age them; every other fact is a
# happening, and one older than a grant's `covers_from` stays dark under it.
STANDING = frozenset(
    {
        Label.IDENTITY_LEGAL,
        Label.IDENTITY_ALIAS,
        Label.IDENTITY_EXTERNAL,
        Label.CONTACT_PHONE,
        Label.ENROLMENT_STATUS,
        Label.CASE_MANAGER_CONTACT,
        Label.CONSENT_SCOPE,
        Label.CHARGE_DIVERTED,
    }
)


# What says who a person is: to a reader by pseudonym only where the participant's ROI names its party.
NAMES = frozenset({Label.IDENTITY_LEGAL, Label.IDENTITY_ALIAS, Label.IDENTITY_EXTERNAL})


@cache
def grantable(reader: Reader) -> frozenset[Label]:
    """The labels that a standing ROI may grant to this kind of reader: the ceiling that no site can raise."""
    return frozenset(
        label
        for label, line in TABLE.items()
        if Basis.GRANTED in line.cells[reader] or (label in NAMES and Basis.PSEUDONYM in line.cells[reader])
    )


@cache
def by_item(reader: Reader) -> frozenset[Label]:
    """The labels that reach this reader item by item, signed by the participant for that sentence (T:1089)."""
    return frozenset(label for label, line in TABLE.items() if Basis.ITEM in line.cells[reader])


@cache
def by_role(reader: Reader) -> frozenset[Label]:
    """The labels that this reader reads by role; a reader by pseudonym none of those that name a person."""
    return frozenset(
        label
        for label, line in TABLE.items()
        if Basis.ROLE in line.cells[reader] or (label not in NAMES and Basis.PSEUDONYM in line.cells[reader])
    )


@cache
def behind_the_gate(reader: Reader) -> frozenset[Label]:
    """The labels that reach this reader by consent; counsel reads by role only while the client's authority lives."""
    return grantable(reader) | by_item(reader) | (by_role(reader) if reader is Reader.COUNSEL else frozenset())


class Rule(StrEnum):
    """Why a fact is withheld. For participant, counsel and privacy officer; never for the recipient."""

    NEVER = "no cell of the table lets this reader see this label"
    NOT_OWN = "this reader sees this label only where its party contributed the fact"
    NO_GRANT = "no live grant names this party"
    NOT_GRANTED = "the live grant does not name this label"
    BEFORE = "the fact is older than the grant's period"
    JURISDICTION = "the matter belongs to another office"
    NOT_ADDRESSED = "the fact is addressed to another party"
    NO_ITEM = "the participant has not signed for this very item"
    LOWERED = "the site's protocol lowers the ceiling"


@dataclass(frozen=True, slots=True)
class Shown:
    """The fact is shown, on this basis; `grant` is the ROI, authority or item consent it rests on, if any."""

    basis: Basis
    grant: UUID | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """The fact is withheld by this rule."""

    rule: Rule


Decision: TypeAlias = Shown | Withheld


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: a kind of reader, and the party it belongs to (for a participant: the participant)."""

    reader: Reader
    party: UUID


@dataclass(frozen=True, slots=True)
class Grant:
    """What a participant's consent gives one party at one moment.

    `reader` is the column the party reads by. `labels` None: no standing ROI, only items. `until` is the end of the
    ROI, `items` maps each item signed for to the end of its consent. `epoch` is the log position of the last narrowing
    event, 0 if none.
    """

    epoch: int
    reader: Reader | None = None
    roi: UUID | None = None
    labels: frozenset[Label] | None = None
    purpose: str = ""
    covers_from: datetime | None = None
    until: datetime | None = None
    items: tuple[tuple[UUID, datetime], ...] = ()

    def live_roi(self, at: datetime) -> bool:
        """True while the standing ROI lives."""
        return self.labels is not None and self.until is not None and at < self.until

    def live_item(self, item: UUID | None, at: datetime) -> bool:
        """True while the consent to this item lives."""
        return any(i == item and at < until for i, until in self.items)


class Fact(NamedTuple):
    """One labelled value of one event, as `decide` sees it: everything but the value.

    `form` is the value's own label where `labels` are its subject's: a share is read by its subject's labels only by
    readers whose cell for shares says so.
    """

    labels: frozenset[Label]
    subject: UUID | None
    occurred_at: datetime
    form: Label | None = None
    contributor: UUID | None = None
    addressee: UUID | None = None
    is_notice: bool = False
    is_public: bool = False
    jurisdiction: UUID | None = None
    item: UUID | None = None


class Ceiling(NamedTuple):
    """What a site's protocol takes away from the table: it may lower a ceiling, never raise it."""

    version: str
    lowered: frozenset[tuple[Reader, Label]] = frozenset()


def decide(viewer: Viewer, fact: Fact, grant: Grant | None, ceiling: Ceiling, at: datetime) -> Decision:
    """May this viewer see this fact at this moment, and on which basis? Pure and total.

    A fact of several labels (a share) is shown only if each of its labels is.
    """
    form = fact.form
    labels = fact.labels if form is None or viewer.reader in TABLE[form].as_subject else frozenset({form})
    if len(labels) == 1:
        (label,) = labels
        return _decide_label(viewer, label, fact, grant, ceiling, at)
    # In order, so that the trace names the same rule whenever it is computed again.
    decisions = [_decide_label(viewer, label, fact, grant, ceiling, at) for label in sorted(labels)]
    for decision in decisions:
        if isinstance(decision, Withheld):
            return decision
    shown = [d for d in decisions if isinstance(d, Shown)]
    if not shown:
        return Withheld(Rule.NEVER)
    return next((s for s in shown if s.basis is Basis.ITEM), shown[0])


def _decide_label(
    viewer: Viewer, label: Label, fact: Fact, grant: Grant | None, ceiling: Ceiling, at: datetime
) -> Decision:
    cell = TABLE[label].cells[viewer.reader]
    if not cell:
        return Withheld(Rule.NEVER)
    if Basis.ROLE in cell and _by_role(viewer, fact, grant, at):
        return Shown(Basis.ROLE, grant.roi if grant is not None and viewer.reader is Reader.COUNSEL else None)
    if Basis.PSEUDONYM in cell and label not in NAMES:
        return Shown(Basis.PSEUDONYM)
    if Basis.OWN in cell and fact.contributor == viewer.party:
        return Shown(Basis.OWN)
    if Basis.NOTICE in cell and fact.is_notice and fact.addressee == viewer.party:
        return Shown(Basis.NOTICE)
    if Basis.PUBLIC in cell and fact.is_public:
        return Shown(Basis.PUBLIC)
    if fact.is_notice and viewer.reader is not Reader.COUNSEL:  # its addressee's alone, and the client's own counsel's
        return Withheld(Rule.NOT_ADDRESSED)
    return _decide_consent(viewer, label, fact, grant, ceiling, at)


def _by_role(viewer: Viewer, fact: Fact, grant: Grant | None, at: datetime) -> bool:
    """A participant reads of itself; counsel by the client's living authority; the others by role."""
    if viewer.reader is Reader.PARTICIPANT:
        return viewer.party == fact.subject
    if viewer.reader is Reader.COUNSEL:
        return grant is not None and grant.live_roi(at)
    return True


def _decide_consent(
    viewer: Viewer,
    label: Label,
    fact: Fact,
    grant: Grant | None,
    ceiling: Ceiling,
    at: datetime,
) -> Decision:
    if label not in grantable(viewer.reader) and label not in by_item(viewer.reader):
        return Withheld(Rule.NOT_OWN)
    if (viewer.reader, label) in ceiling.lowered:
        return Withheld(Rule.LOWERED)
    if fact.addressee not in (None, viewer.party) and not fact.is_notice:
        return Withheld(Rule.NOT_ADDRESSED)
    if grant is not None and fact.item is not None:  # signed for as one item: the item's consent alone carries it
        return Shown(Basis.ITEM, fact.item) if grant.live_item(fact.item, at) else Withheld(Rule.NO_ITEM)
    if label not in grantable(viewer.reader):
        return Withheld(Rule.NO_ITEM)
    if grant is None or grant.labels is None or not grant.live_roi(at):
        return Withheld(Rule.NO_GRANT)
    if label not in grant.labels:
        return Withheld(Rule.NOT_GRANTED)
    if label not in STANDING and grant.covers_from is not None and fact.occurred_at < grant.covers_from:
        return Withheld(Rule.BEFORE)
    if viewer.reader in PARTNERS and fact.jurisdiction not in (None, viewer.party):
        return Withheld(Rule.JURISDICTION)
    return Shown(Basis.GRANTED, grant.roi)
