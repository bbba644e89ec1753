"""What the case-management team does: intake, consent, contacts, shares (T:403, T:843, T:1145)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain import report, roi
from domain.calendar import days_after, end_of_day
from domain.contact import ContactKind, ContactMade
from domain.event import Event, LongText, Recorded, ShortText
from domain.labels import Label, Reader
from domain.participant import IntakeCompleted, Participant, complete_intake, enrol, living, participant
from domain.plan import plan, plan_stream
from domain.protocol import Protocol
from domain.referral import ReferralOffered, referrals, untold
from domain.refusal import Fault, Refused, Unknown
from domain.registry import ADDRESSED_AS, CARE, READS_AS, ParticipantAccess, PartyKind, Role, staff_stream
from domain.share import ShareMade, share, share_item
from services.consent import Sha256, load_client
from services.directory import Party
from services.person import on_each, others, reached
from services.ports import Caller
from services.referrals import latches
from services.site import (
    Command,
    Outcome,
    Site,
    append,
    example,
    handles,
    happened,
    last_day,
    load_participant,
    reference,
)
from services.status import latch_all


class CompleteIntake(Command):
    """The psychosocial interview took place; `document_sha256` is that of the paper form's photo."""

    model_config = example(narrative="Lost his room last year; wants to see his daughter.", phone="206-555-0199")

    completed_at: AwareDatetime | None = None
    narrative: LongText
    race_self: ShortText | None = None
    phone: ShortText | None = None
    document_sha256: Sha256 | None = None


@handles(CompleteIntake, *CARE)
def intake(site: Site, caller: Caller, command: CompleteIntake, *, participant_id: str) -> Outcome:
    """Record the intake; enrol if the ROI is signed already."""
    who, history = load_participant(site, caller, participant_id)
    state = participant(who, history)
    completed_at = happened(site, "completed_at", command.completed_at)
    events = complete_intake(
        state,
        IntakeCompleted(
            participant_id=who,
            party_id=caller.party,
            occurred_at=completed_at,
            narrative=command.narrative,
            race_self=command.race_self,
            phone=command.phone,
            document_sha256=command.document_sha256,
        ),
    )
    consent = roi.consent(who, history)
    enrolled = enrol(state, caller.party, completed_at, consent.first_signed_at)
    enrolled_at = _enrolled_at(state, enrolled)
    return Outcome(
        [
            append(who, state.version, *events, *enrolled),
            append(roi.consent_stream(who), consent.version),
            *latches(caller.party, history, enrolled_at, consent.hear_completed(site.now()), site.now()),
            *latch_all(site, caller.party, others(site, state), enrolled_at),
        ],
        {"participant": participant_id},
    )


class GrantTo(Command):
    """What the ROI gives one party. `covers_from`: older facts stay dark; the time of signing if left out.

    `notify_completion`: a prosecutor's office hears the closed code `completed`; without any label, that alone.
    """

    party: ShortText
    labels: frozenset[Label]
    purpose: ShortText
    covers_from: AwareDatetime | None = None
    notify_completion: bool = False


class _Roi(Command):
    signed_at: AwareDatetime | None = None
    expires_on: date
    form_version: ShortText
    explained_by: ShortText
    language: ShortText
    interpreter: ShortText | None = None
    artefact_sha256: Sha256 | None = None
    grants: Annotated[tuple[GrantTo, ...], Field(max_length=50)]
    warned: tuple[ShortText, ...] = ()


class SignRoi(_Roi):
    """The participant signed an ROI; it takes the place of the one before. `struck_out`: parties it strikes out.

    `warned`: the offices that hold a charge and will not hear `completed`, once the participant was told what that
    means, and would not sign for `completed` alone.
    """

    model_config = example(
        expires_on="2027-02-10",
        form_version="ROI-3",
        explained_by="Dana Reyes",
        language="English",
        grants=[
            {"party": "city-pd", "labels": ["enrolment.status", "case_manager.contact"], "purpose": "coordination"},
            {
                "party": "county-pa",
                "labels": ["identity.legal", "enrolment.status", "iip.progress"],
                "purpose": "coordination of pending cases",
                "notify_completion": True,
            },
        ],
        struck_out=["transit-pd"],
    )

    struck_out: tuple[ShortText, ...] = ()


class AmendRoi(_Roi):
    """The participant signed a change of the standing ROI; parties it does not name keep what they have.

    `warned`: as of an ROI, of the offices that it names.
    """

    model_config = example(
        expires_on="2027-02-10",
        form_version="ROI-3",
        explained_by="Dana Reyes",
        language="English",
        grants=[{"party": "housing-co", "labels": ["need.housing"], "purpose": "an application for a room"}],
    )


@handles(SignRoi, *CARE)
def sign_roi(site: Site, caller: Caller, command: SignRoi, *, participant_id: str) -> Outcome:
    """Sign an ROI; enrol if the intake is done already."""
    who, history = load_participant(site, caller, participant_id)
    state = living(participant(who, history))
    consent = roi.consent(who, history)
    number = site.new_id()
    signed, offers, protocol = _signed(site, who, history, number, command, struck_out=command.struck_out)
    events = roi.sign(consent, signed, offers, protocol, site.now())
    _require_warned(site, command, signed)
    enrolled = enrol(state, caller.party, state.intake_at, consent.first_signed_at or signed.occurred_at)
    enrolled_at = _enrolled_at(state, enrolled)
    tell = frozenset(o.party for o in offers if o.notify_completion)
    return Outcome(
        [
            append(roi.consent_stream(who), consent.version, *events),
            append(who, state.version, *enrolled),
            *latches(caller.party, history, enrolled_at, tell, site.now()),
            *latch_all(site, caller.party, others(site, state), enrolled_at),
        ],
        {"participant": participant_id, "roi": site.ids.seal(caller.party, number)},
    )


@handles(AmendRoi, *CARE)
def amend_roi(site: Site, caller: Caller, command: AmendRoi, *, participant_id: str, roi_id: str) -> Outcome:
    """Amend the standing ROI."""
    who, history = load_participant(site, caller, participant_id)
    state = living(participant(who, history))
    consent = roi.consent(who, history)
    number = reference(site, caller, "roi", roi_id)
    signed, offers, protocol = _signed(site, who, history, number, command, amends=True)
    events = roi.amend(consent, signed, offers, protocol, site.now())
    _require_warned(site, command, signed)
    tell = frozenset(o.party for o in offers if o.notify_completion)
    return Outcome(
        [
            append(roi.consent_stream(who), consent.version, *events),
            append(who, state.version),
            *latches(caller.party, history, state.enrolled_at, tell, site.now()),
        ],
        {"participant": participant_id, "roi": roi_id},
    )


class RevokeRoi(Command):
    """The participant, or counsel for it, revoked: for these parties, or for all. Word of mouth is enough (T:893).

    `read_back`: the word was read back and confirmed; nothing waits for that. Its paper may join later.
    """

    model_config = example(parties=["city-pd"], word_of="counsel", medium="oral", counsel="R. Patel", read_back=True)

    parties: Annotated[tuple[ShortText, ...], Field(min_length=1)] | None = None
    word_of: Literal[roi.WordOf.PARTICIPANT, roi.WordOf.COUNSEL]
    medium: Literal[roi.Medium.ORAL, roi.Medium.WRITTEN]
    counsel: ShortText | None = None
    read_back: bool = False


@handles(RevokeRoi, *CARE, Role.COUNSEL)
def revoke_roi(site: Site, caller: Caller, command: RevokeRoi, *, participant_id: str, roi_id: str) -> Outcome:
    """Revoke; every path of those parties is dark when this is answered."""
    who, history, own = load_client(site, caller, participant_id)
    by_counsel = caller.role is Role.COUNSEL
    if by_counsel and command.word_of is not roi.WordOf.COUNSEL:
        raise Refused("word_of", "you file your own word, for your client.", "Say that it is counsel's.")
    number = reference(site, caller, "roi", roi_id)
    if not any(isinstance(r.event, roi.RoiSigned) and r.event.roi == number for r in history):
        raise Unknown
    parties, protocol = None, site.protocol()
    if command.parties is not None:
        parties = [_recipient(site, code, f"parties[{n}]")[0].id for n, code in enumerate(command.parties)]
    revocation = site.new_id()

    def revoked(consent: roi.Consent) -> list[Event]:
        return roi.revoke(
            consent,
            parties,
            site.now(),
            word_of=command.word_of,
            medium=command.medium,
            counsel=caller.name if by_counsel else command.counsel,
            revocation=revocation,
            read_back=command.read_back,
            paper_by=end_of_day(days_after(site.now(), protocol.paper_days, protocol.tz), protocol.tz),
        )

    return Outcome(
        on_each(site, reached(site, caller, who), own, revoked),  # whatever record of this person a party reads by
        {
            "participant": participant_id,
            "roi": roi_id,
            "parties": command.parties,
            "revocation": site.ids.seal(caller.party, revocation),
        },
    )


class ConsentItem(Command):
    """The participant signed that this very sentence goes to this one party; counsel was offered (T:1089)."""

    model_config = example(
        party="county-pa",
        text="He can be reached at the day centre on Jackson St.",
        labels=["contact.location"],
        expires_on="2026-04-30",
        counsel_offered=True,
    )

    party: ShortText
    text: ShortText
    labels: frozenset[Label]
    signed_at: AwareDatetime | None = None
    expires_on: date
    counsel_offered: bool


@handles(ConsentItem, *CARE)
def consent_item(site: Site, caller: Caller, command: ConsentItem, *, participant_id: str) -> Outcome:
    """Share one sentence under its own consent."""
    who, history = load_participant(site, caller, participant_id)
    state = living(participant(who, history))
    consent = roi.consent(who, history)
    party, reader = _recipient(site, command.party, "party", ADDRESSED_AS)
    protocol = site.protocol()
    signed_at = happened(site, "signed_at", command.signed_at)
    expires_at = end_of_day(last_day(site, "expires_on", command.expires_on), protocol.tz)
    if not command.counsel_offered:
        raise Refused("counsel_offered", "counsel must be offered first.", "Offer it, then record the signature.")
    if not 0 <= (expires_at - signed_at).days <= protocol.item_days_most:
        raise Refused(
            "expires_on",
            f"{protocol.version} lets one sentence stand {protocol.item_days_most} days at most.",
            "Give an earlier day, not in the past.",
        )
    item = site.new_id()
    told = ShareMade(
        participant_id=who,
        party_id=party.id,
        occurred_at=signed_at,
        text=command.text,
        labels=command.labels,
        item_id=item,
    )
    consented = roi.ItemConsented(
        participant_id=who,
        party_id=party.id,
        expires_at=expires_at,
        occurred_at=signed_at,
        item_id=item,
        reader=reader,
        labels=command.labels,
        counsel_offered=command.counsel_offered,
    )
    return Outcome(
        [
            append(item, 0, *share_item(told, reader, protocol)),
            append(roi.consent_stream(who), consent.version, *roi.consent_item(consent, consented, site.now())),
            append(who, state.version),
        ],
        {"participant": participant_id, "share": site.ids.seal(caller.party, item)},
    )


class WithdrawItem(Command):
    """The consent to one sentence ends."""

    model_config = example()


@handles(WithdrawItem, *CARE)
def withdraw_item(site: Site, caller: Caller, command: WithdrawItem, *, participant_id: str, item: str) -> Outcome:
    """Withdraw one sentence."""
    who, history = load_participant(site, caller, participant_id, merged=True)
    consent = roi.consent(who, history)
    number = reference(site, caller, "item", item)
    party = next((p for p, g in consent.grants.items() if any(i == number for i, _ in g.items)), None)
    if party is None:
        raise Unknown
    event = roi.ItemWithdrawn(participant_id=who, party_id=party, occurred_at=site.now(), item_id=number)
    return Outcome(
        [append(roi.consent_stream(who), consent.version, event)], {"participant": participant_id, "share": item}
    )


class RecordContact(Command):
    """A contact, or an attempt. Small acts count (T:443)."""

    model_config = example(kind="visit", reached=True, note="Brought socks and water; talked about the room.")

    kind: ContactKind
    reached: bool
    met_at: AwareDatetime | None = None
    note: LongText | None = None
    location: ShortText | None = None
    current_use: LongText | None = None
    health: LongText | None = None


@handles(RecordContact, *CARE)
def record_contact(site: Site, caller: Caller, command: RecordContact, *, participant_id: str) -> Outcome:
    """Record a contact."""
    who, _ = load_participant(site, caller, participant_id)
    stream = site.new_id()
    event = ContactMade(
        participant_id=who,
        party_id=caller.party,
        occurred_at=happened(site, "met_at", command.met_at),
        **command.model_dump(exclude={"met_at"}),
    )
    return Outcome(
        [append(stream, 0, event)], {"participant": participant_id, "contact": site.ids.seal(caller.party, stream)}
    )


class MakeShare(Command):
    """One sentence for one party, under its standing grant."""

    model_config = example(party="county-pa", text="Engaged; housing application filed.", labels=["iip.progress"])

    party: ShortText
    text: ShortText
    labels: frozenset[Label]


@handles(MakeShare, *CARE)
def make_share(site: Site, caller: Caller, command: MakeShare, *, participant_id: str) -> Outcome:
    """Share a sentence, after the lint."""
    who, history = load_participant(site, caller, participant_id)
    party, reader = _recipient(site, command.party, "party", ADDRESSED_AS)
    stream = site.new_id()
    event = ShareMade(
        participant_id=who,
        party_id=party.id,
        occurred_at=site.now(),
        text=command.text,
        labels=command.labels,
    )
    grant = roi.grants(history).get(party.id)
    return Outcome(
        [append(stream, 0, *share(event, reader, grant, site.protocol()))],
        {"participant": participant_id, "share": site.ids.seal(caller.party, stream)},
    )


class MakeReport(Command):
    """The form on which a court, an office or anyone whom the ROI names is told how it goes (T:1145-T:1147).

    Each line goes as a share of its own. `entries`: steps, barriers and goals of the plan. Or `nothing_helpful` alone.
    """

    model_config = example(party="county-pa", working=True, entries=[])

    party: ShortText
    assessment: bool = False
    working: bool = False
    entries: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    nothing_helpful: bool = False


@handles(MakeReport, *CARE)
def make_report(site: Site, caller: Caller, command: MakeReport, *, participant_id: str) -> Outcome:
    """Tell one party the lines of the form, each under its label."""
    who, history = load_participant(site, caller, participant_id)
    stream = plan_stream(who)
    state = plan(who, history)
    protocol = site.protocol()
    form = report.Form(
        assessment=command.assessment,
        working=command.working,
        entries=tuple(reference(site, caller, f"entries[{n}]", text) for n, text in enumerate(command.entries)),
        nothing_helpful=command.nothing_helpful,
    )
    lines = report.lines(form, participant(who, history), state, protocol.tz)
    party, reader = _recipient(site, command.party, "party")
    grant = roi.grants(history).get(party.id)
    shares = [site.new_id() for _ in lines]
    appends = []
    for number, (name, label, text) in zip(shares, lines, strict=True):
        told = ShareMade(
            participant_id=who, party_id=party.id, occurred_at=site.now(), text=text, labels=frozenset({label})
        )
        try:
            appends.append(append(number, 0, *share(told, reader, grant, protocol)))
        except Refused as refused:
            raise Refused(name, refused.reason, refused.way_out) from None
    return Outcome(
        [*appends, append(stream, state.version)],
        {"participant": participant_id, "shares": [site.ids.seal(caller.party, number) for number in shares]},
    )


class GiveAccess(Command):
    """The participant may sign in and read its own accounting. `subject`: what the identity provider calls it."""

    model_config = example(subject="r.bell")

    subject: ShortText


@handles(GiveAccess, *CARE)
def give_access(site: Site, caller: Caller, command: GiveAccess, *, participant_id: str) -> Outcome:
    """Let a participant sign in."""
    who, history = load_participant(site, caller, participant_id)
    state = living(participant(who, history))
    stream = staff_stream(command.subject)
    if site.log.load(stream):
        raise Refused("subject", "it is registered already.", "Use another one.")
    event = ParticipantAccess(participant_id=who, party_id=who, staff_id=stream, occurred_at=site.now())
    return Outcome([append(stream, 0, event), append(who, state.version)], {"participant": participant_id})


def _recipient(
    site: Site, code: str, name: str, reads_as: Mapping[PartyKind, Reader] = READS_AS
) -> tuple[Party, Reader]:
    party = site.directory.by_code(code, name)
    reader = reads_as.get(party.kind)
    if reader is None:
        raise Refused(name, "it is not a party that an ROI names.", "Name a partner or another recipient.")
    return party, reader


def _signed(
    site: Site,
    who: UUID,
    history: list[Recorded[Event]],
    number: UUID,
    command: _Roi,
    *,
    struck_out: tuple[str, ...] = (),
    amends: bool = False,
) -> tuple[roi.RoiSigned, list[roi.Offer], Protocol]:
    protocol = site.protocol()
    signed_at = happened(site, "signed_at", command.signed_at)
    signed = roi.RoiSigned(
        participant_id=who,
        expires_at=end_of_day(last_day(site, "expires_on", command.expires_on), protocol.tz),
        occurred_at=signed_at,
        roi=number,
        form_version=command.form_version,
        explained_by=command.explained_by,
        language=command.language,
        interpreter=command.interpreter,
        artefact_sha256=command.artefact_sha256,
        struck_out=tuple(site.directory.by_code(c, f"struck_out[{n}]").id for n, c in enumerate(struck_out)),
        amends=amends,
    )
    offers: dict[UUID, roi.Offer] = {}
    for n, grant in enumerate(command.grants):
        party, reader = _recipient(site, grant.party, f"grants[{n}].party")
        if party.id in offers:
            raise Refused(f"grants[{n}].party", "it is named twice.", "Name each party once.")
        if party.id in signed.struck_out:
            raise Refused(f"grants[{n}].party", "struck_out names it too.", "Name it in one of the two.")
        offers[party.id] = roi.Offer(
            party=party.id,
            reader=reader,
            labels=grant.labels,
            purpose=grant.purpose,
            covers_from=happened(site, f"grants[{n}].covers_from", grant.covers_from or signed_at),
            notify_completion=grant.notify_completion,
        )
    unheard = tuple(sorted(_unheard(history, signed, offers)))
    return signed.model_copy(update={"warned": unheard}), list(offers.values()), protocol


def _require_warned(site: Site, command: _Roi, signed: roi.RoiSigned) -> None:
    """Let nothing be signed of which the participant was not told what an office will then not know (scenario L)."""
    told = {site.directory.by_code(code, f"warned[{n}]").id for n, code in enumerate(command.warned)}
    if faults := [_warning(site, office) for office in signed.warned if office not in told]:
        raise Refused.of(faults)


def _unheard(
    history: list[Recorded[Event]], signed: roi.RoiSigned, offers: Mapping[UUID, roi.Offer]
) -> frozenset[UUID]:
    """Return the offices that hold a charge of the participant and by this paper will not hear `completed`."""
    states = referrals(history, ReferralOffered)
    holding = frozenset(office for state in states for office in untold(state, signed.occurred_at))
    if signed.amends:
        holding &= offers.keys()
    return holding - {office for office, offer in offers.items() if offer.notify_completion}


def _warning(site: Site, office: UUID) -> Fault:
    """Return in plain words what an office will then not know, and what the participant can do."""
    party = site.directory.party(office)
    return Fault(
        "warned",
        f"{party.name} holds a charge that was diverted, and would not hear that LEAD is done with it: at the deadline "
        "it hears `no completion notice by deadline`, as of someone who never came, and it may go on with the charge.",
        f"Tell the participant, and offer `completed` alone: {party.code} in grants with notify_completion and no "
        f"labels. If the participant will not have that either, name {party.code} in warned.",
    )


def _enrolled_at(state: Participant, enrolled: list[Event]) -> datetime | None:
    """Return when the participant enrolled: now, or before."""
    return enrolled[0].occurred_at if enrolled else state.enrolled_at
