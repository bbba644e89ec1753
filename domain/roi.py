"""The Release of Information: what a participant lets each party have, for what, and until when (T:843-T:893).

An ROI permits, it never compels (T:885). Stream: a participant's consent, so that two decisions on it meet there.
A *narrowing* event takes something away from a party; its log position is the grant's epoch.

The client's authority for its counsel stands beside the ROI: another instrument with an end of its own, which no ROI
touches. A defender's office with a conflict of interest is never named (T:495).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from pydantic import AwareDatetime

from domain.event import Event, PartyIs, Recorded, ShortText
from domain.labels import Grant, Label, Reader, grantable
from domain.protocol import Protocol
from domain.refusal import Refused

_CONSENT = UUID("6f1f7b0e-4a35-5a0c-9a2e-0d2f8f0c6f51")


def consent_stream(participant: UUID) -> UUID:
    """Return the stream on which everything about one participant's consent is decided."""
    return uuid5(_CONSENT, str(participant))


class Medium(StrEnum):
    """How a person's word reached us. Word of mouth is enough to revoke (T:893)."""

    ORAL = "oral"
    WRITTEN = "written"
    REPLACED = "replaced by a new ROI"


class WordOf(StrEnum):
    """Whose word it is."""

    PARTICIPANT = "participant"
    COUNSEL = "counsel"
    NOBODY = "nobody: the participant has died"


class RoiSigned(Event):
    """The participant signed an ROI, after it was explained (T:881). What it gives each party follows as grants.

    `warned`: the offices that hold a charge and will not hear `completed`; the participant was told what that means.
    """

    topic: ClassVar[str] = "roi.signed"
    label: ClassVar[Label] = Label.CONSENT_STATE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "expires_at")

    roi: Annotated[UUID, Label.CONSENT_STATE]
    form_version: Annotated[ShortText, Label.CONSENT_STATE]
    explained_by: Annotated[ShortText, Label.CONSENT_STATE]
    language: Annotated[ShortText, Label.CONSENT_STATE]
    interpreter: Annotated[ShortText | None, Label.CONSENT_STATE] = None
    artefact_sha256: Annotated[str | None, Label.CONSENT_STATE] = None
    struck_out: Annotated[tuple[UUID, ...], Label.CONSENT_STATE] = ()
    warned: Annotated[tuple[UUID, ...], Label.CONSENT_STATE] = ()
    amends: Annotated[bool, Label.CONSENT_STATE] = False


class _Given(Event):
    label: ClassVar[Label] = Label.CONSENT_SCOPE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "expires_at")

    roi: Annotated[UUID, Label.CONSENT_SCOPE]
    reader: Annotated[Reader, Label.CONSENT_SCOPE]
    labels: Annotated[frozenset[Label], Label.CONSENT_SCOPE]
    purpose: Annotated[ShortText, Label.CONSENT_SCOPE]
    covers_from: Annotated[AwareDatetime, Label.CONSENT_SCOPE]
    notify_completion: Annotated[bool, Label.CONSENT_SCOPE] = False


class RoiGranted(_Given):
    """A party may receive these labels: for the first time, or more than before."""

    topic: ClassVar[str] = "roi.granted"


class RoiNarrowed(_Given):
    """A party may receive less than before: these labels, this period, until this time."""

    topic: ClassVar[str] = "roi.narrowed"


class RoiRevoked(Event):
    """A party may receive nothing any more, items included, from this moment.

    `expires_at`: by when the paper of one by word of mouth should be there; the revocation itself has no end.
    """

    topic: ClassVar[str] = "roi.revoked"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    word_of: Annotated[WordOf, Label.CONSENT_STATE]
    medium: Annotated[Medium, Label.CONSENT_STATE]
    counsel: Annotated[ShortText | None, Label.CONSENT_STATE] = None
    revocation: Annotated[UUID | None, Label.CONSENT_STATE] = None
    read_back: Annotated[bool, Label.CONSENT_STATE] = False


class RevocationPaper(Event):
    """The paper of a revocation by word of mouth came in; the revocation stood without it."""

    topic: ClassVar[str] = "revocation.paper"
    label: ClassVar[Label] = Label.CONSENT_STATE
    requires: ClassVar[tuple[str, ...]] = ("participant_id",)

    revocation: Annotated[UUID, Label.CONSENT_STATE]
    artefact_sha256: Annotated[str, Label.CONSENT_STATE]


class RoiExpired(Event):
    """A party's standing ROI, or counsel's authority, came to its end; the gate had closed by itself."""

    topic: ClassVar[str] = "roi.expired"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")


class ItemConsented(Event):
    """The participant signed that this very sentence goes to this one party (T:1089); counsel was offered."""

    topic: ClassVar[str] = "item.consented"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id", "expires_at")

    item_id: Annotated[UUID, Label.CONSENT_STATE]
    reader: Annotated[Reader, Label.CONSENT_STATE]
    labels: Annotated[frozenset[Label], Label.CONSENT_STATE]
    counsel_offered: Annotated[bool, Label.CONSENT_STATE]


class ItemWithdrawn(Event):
    """The consent to one item ended by its own word."""

    topic: ClassVar[str] = "item.withdrawn"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    item_id: Annotated[UUID, Label.CONSENT_STATE]


class CounselAuthorised(_Given):
    """A client signed that this counsel of record may know these labels; `roi` is that authority."""

    topic: ClassVar[str] = "counsel.authorised"


class CounselNarrowed(_Given):
    """Counsel's authority reaches less far than before."""

    topic: ClassVar[str] = "counsel.narrowed"


class CounselEnded(Event):
    """Counsel's authority ended, from this moment, by the word of either."""

    topic: ClassVar[str] = "counsel.ended"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")

    word_of: Annotated[WordOf, Label.CONSENT_STATE]


class ConflictDeclared(Event):
    """A defender's office has a conflict of interest about this participant: it is not told who this is (T:495)."""

    topic: ClassVar[str] = "conflict.declared"
    label: ClassVar[Label] = Label.CONSENT_STATE
    party_is: ClassVar[PartyIs] = PartyIs.ADDRESSEE
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "party_id")


@dataclass(frozen=True, slots=True)
class Consent:
    """A participant's consent, folded: what each party has, and the ROI that stands."""

    participant: UUID
    version: int = 0
    roi: UUID | None = None
    signed_at: datetime | None = None
    first_signed_at: datetime | None = None
    expires_at: datetime | None = None
    grants: Mapping[UUID, Grant] = field(default_factory=dict)
    completion: frozenset[UUID] = frozenset()
    revoked_at: Mapping[UUID, datetime] = field(default_factory=dict)
    authorised_at: Mapping[UUID, datetime] = field(default_factory=dict)
    """When the client last signed for each counsel."""
    conflicts: frozenset[UUID] = frozenset()
    oral: frozenset[UUID] = frozenset()
    """The revocations by word of mouth whose paper has not come in."""

    def hear_completed(self, at: datetime) -> frozenset[UUID]:
        """Return the offices that the participant signed for to hear `completed`, and whose ROI lives."""
        return frozenset(party for party in self.completion if self.live(party, at))

    def live(self, party: UUID, at: datetime) -> Grant | None:
        """Return what a party holds at a moment, or None where its standing ROI is not alive."""
        grant = self.grants.get(party)
        return grant if grant is not None and grant.live_roi(at) else None

    def by_roi(self) -> dict[UUID, Grant]:
        """Return what each party holds by ROI or item; counsel's authority is another instrument."""
        return {party: grant for party, grant in self.grants.items() if grant.reader is not Reader.COUNSEL}


NOTHING = Grant(epoch=0)


def consent(who: UUID, history: Iterable[Recorded[Event]]) -> Consent:
    """Fold a participant's consent stream, out of whatever was recorded about it."""
    state, stream = Consent(who), consent_stream(who)
    for recorded in history:
        if recorded.stream == stream:
            state = replace(_apply(state, recorded), version=recorded.version)
    return state


def grants(history: Iterable[Recorded[Event]]) -> dict[UUID, Grant]:
    """Return what each party holds, from a participant's events of any stream."""
    held: dict[UUID, Grant] = {}
    for recorded in history:
        party = recorded.event.party_id
        if party is not None and type(recorded.event) in _CHANGES:
            held[party] = change(held.get(party, NOTHING), recorded)
    return held


_CHANGES: frozenset[type[Event]] = frozenset(
    {
        RoiGranted,
        RoiNarrowed,
        RoiRevoked,
        RoiExpired,
        ItemConsented,
        ItemWithdrawn,
        CounselAuthorised,
        CounselNarrowed,
        CounselEnded,
        ConflictDeclared,
    }
)


def change(grant: Grant, recorded: Recorded[Event]) -> Grant:
    """Return what one party holds after one event of its own consent."""
    event, position = recorded.event, recorded.position
    match event:
        case RoiGranted() | RoiNarrowed() | CounselAuthorised() | CounselNarrowed():
            return replace(
                grant,
                reader=event.reader,
                epoch=position if isinstance(event, RoiNarrowed | CounselNarrowed) else grant.epoch,
                roi=event.roi,
                labels=event.labels,
                purpose=event.purpose,
                covers_from=event.covers_from,
                until=event.expires_at,
            )
        case RoiRevoked() | CounselEnded() | ConflictDeclared():
            return Grant(epoch=position, reader=grant.reader)
        case RoiExpired():
            return Grant(epoch=position, reader=grant.reader, items=grant.items)
        case ItemConsented(expires_at=datetime() as until):
            return replace(grant, reader=event.reader, items=(*grant.items, (event.item_id, until)))
        case ItemWithdrawn():
            return replace(grant, epoch=position, items=tuple(i for i in grant.items if i[0] != event.item_id))
        case _:
            return grant


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((end for end in (one, other) if end is not None), default=None)


def _apply(state: Consent, recorded: Recorded[Event]) -> Consent:
    event = recorded.event
    if isinstance(event, RoiSigned):
        return replace(
            state,
            roi=event.roi,
            signed_at=max(event.occurred_at, state.signed_at or event.occurred_at),
            first_signed_at=state.first_signed_at or event.occurred_at,
            expires_at=_later(state.expires_at, event.expires_at) if event.amends else event.expires_at,
        )
    if isinstance(event, RevocationPaper):
        return replace(state, oral=state.oral - {event.revocation})
    party = event.party_id
    if party is None or type(event) not in _CHANGES:
        return state
    completion, revoked_at, oral = state.completion, state.revoked_at, state.oral
    authorised_at = state.authorised_at
    conflicts = state.conflicts | {party} if isinstance(event, ConflictDeclared) else state.conflicts
    match event:
        case RoiGranted() | RoiNarrowed():
            completion = completion | {party} if event.notify_completion else completion - {party}
        case RoiRevoked():
            completion, revoked_at = completion - {party}, {**revoked_at, party: event.occurred_at}
            if event.medium is Medium.ORAL and event.revocation is not None:
                oral |= {event.revocation}
        case CounselAuthorised() | CounselNarrowed():
            authorised_at = {**authorised_at, party: event.occurred_at}
        case CounselEnded():
            revoked_at = {**revoked_at, party: event.occurred_at}
        case RoiExpired():
            completion -= {party}
        case _:  # an item stands beside the ROI
            pass
    grant = change(state.grants.get(party, NOTHING), recorded)
    return replace(
        state,
        grants={**state.grants, party: grant},
        completion=completion,
        revoked_at=revoked_at,
        authorised_at=authorised_at,
        conflicts=conflicts,
        oral=oral,
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """What an ROI is to give one party. `reader` is the column it reads by."""

    party: UUID
    reader: Reader
    labels: frozenset[Label]
    purpose: str
    covers_from: datetime
    notify_completion: bool = False


def sign(state: Consent, signed: RoiSigned, offers: list[Offer], protocol: Protocol, at: datetime) -> list[Event]:
    """Sign an ROI in place of the one before: parties it does not name any more lose what they had.

    Raises `Refused` for a label that no ROI can grant to that kind of party, an end beyond the protocol's, or paper
    that came in late and is not the participant's last word.
    """
    if state.signed_at is not None and signed.occurred_at < state.signed_at:
        raise Refused("signed_at", "a later ROI is recorded already.", "Keep the later one, or sign a new ROI.")
    kept = {o.party for o in offers}
    gone = [p for p, g in state.by_roi().items() if p not in kept and g.labels is not None]
    ended: list[Event] = [
        RoiRevoked(
            participant_id=state.participant,
            party_id=party,
            occurred_at=signed.occurred_at,
            word_of=WordOf.PARTICIPANT,
            medium=Medium.REPLACED,
        )
        for party in gone
    ]
    return [signed, *_given(state, signed, offers, protocol, at), *ended]


def amend(state: Consent, signed: RoiSigned, offers: list[Offer], protocol: Protocol, at: datetime) -> list[Event]:
    """Change what the standing ROI gives some parties; the others keep what they have."""
    if state.roi != signed.roi or state.expires_at is None or at >= state.expires_at:
        raise Refused("roi", "this ROI does not stand.", "Read the participant's consent, or sign a new ROI.")
    if state.signed_at is not None and signed.occurred_at < state.signed_at:
        raise Refused("signed_at", "a later paper is recorded already.", "Keep the later one, or have it signed anew.")
    return [signed, *_given(state, signed, offers, protocol, at)]


def consent_item(state: Consent, event: ItemConsented, at: datetime) -> list[Event]:
    """Consent to one sentence for one party; what was said since counts."""
    if event.expires_at is None or event.expires_at <= at:
        raise Refused("expires_on", "it is not in the future.", "Give a later day.")
    if event.party_id is not None:
        _not_taken_back(state, event.party_id, event.occurred_at, "party")
    return [event]


def revoke(
    state: Consent,
    parties: list[UUID] | None,
    at: datetime,
    *,
    word_of: WordOf,
    medium: Medium,
    counsel: str | None,
    revocation: UUID | None = None,
    read_back: bool = False,
    paper_by: datetime | None = None,
) -> list[Event]:
    """Revoke for these parties, or for all that hold something by ROI or item (T:891-893).

    A party that is named and holds nothing yet is written down too: paper signed before may still come in. The paper
    of a revocation by word of mouth is looked for until `paper_by`.
    """
    named = [p for p, g in state.by_roi().items() if g.labels is not None or g.items] if parties is None else parties
    return [
        RoiRevoked(
            participant_id=state.participant,
            party_id=party,
            expires_at=paper_by if medium is Medium.ORAL else None,
            occurred_at=at,
            word_of=word_of,
            medium=medium,
            counsel=counsel,
            revocation=revocation,
            read_back=read_back,
        )
        for party in dict.fromkeys(named)
    ]


def paper(state: Consent, event: RevocationPaper) -> list[Event]:
    """Add the paper of a revocation by word of mouth where it is missing; it changes nothing of what is shown."""
    return [event.model_copy(update={"participant_id": state.participant})] if event.revocation in state.oral else []


def authorise(state: Consent, counsel: UUID, event: CounselAuthorised, protocol: Protocol, at: datetime) -> list[Event]:
    """Give counsel the client's authority, or change it; no ROI is touched.

    Raises `Refused` for a label that no authority can carry, an end beyond the protocol's, or paper that is not the
    client's last word.
    """
    before_at = state.authorised_at.get(counsel)
    if before_at is not None and event.occurred_at < before_at:
        raise Refused("signed_at", "a later authority is recorded already.", "Keep the later one, or sign a new one.")
    offer = Offer(counsel, Reader.COUNSEL, event.labels, event.purpose, event.covers_from)
    _check_end(event.expires_at, event.occurred_at, protocol, at)
    before = _check_offer(state, event.occurred_at, offer, protocol, at, "labels", "counsel")
    if before is not None and not _covers(event.labels, offer, event.expires_at, before):
        return [CounselNarrowed(**dict(event))]
    return [event]


def end_authority(state: Consent, counsel: UUID, word_of: WordOf, at: datetime) -> list[Event]:
    """End counsel's authority, and the sentences signed for it; nothing where there is neither."""
    held = state.grants.get(counsel)
    if held is None or held.reader is not Reader.COUNSEL or (held.labels is None and not held.items):
        return []
    return [CounselEnded(participant_id=state.participant, party_id=counsel, occurred_at=at, word_of=word_of)]


def declare_conflict(state: Consent, event: ConflictDeclared) -> list[Event]:
    """Declare a conflict of interest about this person, once."""
    known = event.party_id in state.conflicts
    return [] if known else [event.model_copy(update={"participant_id": state.participant})]


def end(state: Consent, at: datetime) -> list[Event]:
    """End what every party holds, items and counsel's authority included: the participant has died."""
    ended = [event for party in state.grants for event in end_authority(state, party, WordOf.NOBODY, at)]
    return [*revoke(state, None, at, word_of=WordOf.NOBODY, medium=Medium.WRITTEN, counsel=None), *ended]


def expire(state: Consent, at: datetime) -> list[Event]:
    """Write down the standing ROIs that have come to their end."""
    return [
        RoiExpired(participant_id=state.participant, party_id=party, occurred_at=grant.until)
        for party, grant in state.grants.items()
        if grant.labels is not None and grant.until is not None and grant.until <= at
    ]


def _given(
    state: Consent, signed: RoiSigned, offers: list[Offer], protocol: Protocol, at: datetime
) -> list[RoiGranted | RoiNarrowed]:
    _check_end(signed.expires_at, signed.occurred_at, protocol, at)
    return [_grant(state, signed, n, offer, protocol, at) for n, offer in enumerate(offers)]


def _grant(
    state: Consent, signed: RoiSigned, n: int, offer: Offer, protocol: Protocol, at: datetime
) -> RoiGranted | RoiNarrowed:
    if not offer.labels and not (offer.notify_completion and offer.reader is Reader.PROSECUTOR):
        raise Refused(
            f"grants[{n}].labels",
            "it gives this party nothing.",
            "Name a label, or leave the party out; `completed` alone is for a prosecutor's office.",
        )
    before = _check_offer(state, signed.occurred_at, offer, protocol, at, f"grants[{n}].labels", f"grants[{n}].party")
    labels = offer.labels | ({Label.CONSENT_SCOPE} & grantable(offer.reader))
    narrower = before is not None and not _covers(labels, offer, signed.expires_at, before)
    return (RoiNarrowed if narrower else RoiGranted)(
        participant_id=state.participant,
        party_id=offer.party,
        expires_at=signed.expires_at,
        occurred_at=signed.occurred_at,
        roi=signed.roi,
        reader=offer.reader,
        labels=labels,
        purpose=offer.purpose,
        covers_from=offer.covers_from,
        notify_completion=offer.notify_completion,
    )


def _check_end(expires_at: datetime | None, signed_at: datetime, protocol: Protocol, at: datetime) -> None:
    if expires_at is None or expires_at <= at:
        raise Refused("expires_on", "it is not in the future.", "Give a later day.")
    if (expires_at - signed_at).days > protocol.roi_days_most:
        raise Refused(
            "expires_on",
            f"{protocol.version} lets an ROI run {protocol.roi_days_most} days.",
            "Give an earlier day, and sign again then.",
        )


def _check_offer(
    state: Consent, signed_at: datetime, offer: Offer, protocol: Protocol, at: datetime, labels: str, party: str
) -> Grant | None:
    """Return what the party had until now; raise `Refused`, naming the inputs, for what it cannot be given."""
    lowered = {label for reader, label in protocol.ceiling.lowered if reader is offer.reader}
    never = sorted(offer.labels - grantable(offer.reader) | (offer.labels & lowered))
    if never:
        raise Refused(
            labels,
            f"no ROI can grant {never[0]} to this kind of party.",
            "Leave it out; some labels can be shared one sentence at a time, when the participant signs for it.",
        )
    if offer.party in state.conflicts:
        raise Refused(party, "this office declared a conflict of interest.", "Leave it out.")
    _not_taken_back(state, offer.party, signed_at, party)
    return state.live(offer.party, at)


def _not_taken_back(state: Consent, party: UUID, signed_at: datetime, name: str) -> None:
    revoked_at = state.revoked_at.get(party)
    if revoked_at is not None and signed_at < revoked_at:
        raise Refused(
            name,
            "the participant revoked for this party after signing this.",
            "Leave it out, or have it signed again.",
        )


def _covers(labels: frozenset[Label], offer: Offer, expires_at: datetime | None, before: Grant) -> bool:
    """Return whether what is given now is no less than what the party had."""
    return (
        labels >= (before.labels or frozenset())
        and offer.purpose == before.purpose
        and (before.covers_from is None or offer.covers_from <= before.covers_from)
        and (before.until is None or (expires_at is not None and expires_at >= before.until))
    )
