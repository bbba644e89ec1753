"""The instruments beside the ROI: counsel's authority, conflicts of interest, paper that joins later, what was told."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from domain import roi
from domain.calendar import end_of_day
from domain.disclosure import Occasion, OralDisclosure
from domain.event import ShortText
from domain.labels import Label, Reader
from domain.participant import living, participant
from domain.refusal import Refused, Unknown
from domain.registry import CARE, PartyKind, Role
from projections.lens import History
from services.directory import Party
from services.person import on_each, reached, records
from services.ports import Caller
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

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def load_client(site: Site, caller: Caller, text: str) -> tuple[UUID, list[Any], roi.Consent]:
    """Return a participant that care names, or a partner, for a word that takes something away: history and consent.

    A record that was merged into another takes that word like any: each keeps its own consent, and its own ids for
    partners. Raises `Unknown` to counsel whose authority has ended, or who never had one.
    """
    who, history = load_participant(site, caller, text, merged=True)
    consent = roi.consent(who, history)
    if caller.role is Role.COUNSEL and consent.live(caller.party, site.now()) is None:
        raise Unknown
    return who, history, consent


class AuthoriseCounsel(Command):
    """The client signed that its counsel of record may know these labels, beside any ROI and untouched by it.

    `covers_from`: older facts stay dark; the time of signing if left out.
    """

    model_config = example(
        counsel="r-patel",
        labels=["identity.legal", "enrolment.status", "case.docket", "iip.progress"],
        expires_on="2027-02-10",
    )

    counsel: ShortText
    labels: frozenset[Label]
    signed_at: AwareDatetime | None = None
    covers_from: AwareDatetime | None = None
    expires_on: date


@handles(AuthoriseCounsel, *CARE)
def authorise_counsel(site: Site, caller: Caller, command: AuthoriseCounsel, *, participant_id: str) -> Outcome:
    """Record the client's authority for counsel."""
    who, history = load_participant(site, caller, participant_id)
    state, consent = living(participant(who, history)), roi.consent(who, history)
    counsel, protocol = _counsel(site, command.counsel), site.protocol()
    signed_at = happened(site, "signed_at", command.signed_at)
    authority = site.new_id()
    event = roi.CounselAuthorised(
        participant_id=who,
        party_id=counsel.id,
        expires_at=end_of_day(last_day(site, "expires_on", command.expires_on), protocol.tz),
        occurred_at=signed_at,
        roi=authority,
        reader=Reader.COUNSEL,
        labels=command.labels,
        purpose="representation",
        covers_from=happened(site, "covers_from", command.covers_from or signed_at),
    )
    events = roi.authorise(consent, counsel.id, event, protocol, site.now())
    return Outcome(
        [append(roi.consent_stream(who), consent.version, *events), append(who, state.version)],
        {
            "participant": participant_id,
            "counsel": command.counsel,
            "authority": site.ids.seal(caller.party, authority),
        },
    )


class EndCounsel(Command):
    """Counsel's authority ends, at once; word of mouth is enough. `counsel`: left out by counsel itself."""

    model_config = example(counsel="r-patel", word_of="participant")

    counsel: ShortText | None = None
    word_of: roi.WordOf


@handles(EndCounsel, *CARE, Role.COUNSEL)
def end_counsel(site: Site, caller: Caller, command: EndCounsel, *, participant_id: str) -> Outcome:
    """End counsel's authority; everything of it is dark when this is answered."""
    who, _, own = load_client(site, caller, participant_id)
    if caller.role is Role.COUNSEL:
        counsel, word_of = caller.party, roi.WordOf.COUNSEL
    elif command.counsel is None:
        raise Refused("counsel", "it names nobody.", "Name the counsel whose authority ends.")
    else:
        counsel, word_of = _counsel(site, command.counsel).id, command.word_of
    appends = on_each(
        site,
        reached(site, caller, who),
        own,
        lambda consent: roi.end_authority(consent, counsel, word_of, site.now()),
    )
    if not any(each.events for each in appends):
        raise Unknown
    return Outcome(appends, {"participant": participant_id, "counsel": site.directory.party(counsel).code})


class DeclareConflict(Command):
    """Your office has a conflict of interest about this participant: it is not told who this is, whatever is signed."""

    model_config = example()


@handles(DeclareConflict, Role.DEFENDER_OBSERVER)
def declare_conflict(site: Site, caller: Caller, command: DeclareConflict, *, participant_id: str) -> Outcome:
    """Declare a conflict; by whatever record the office was shown the name, it is dark when this is answered."""
    who, _, own = load_client(site, caller, participant_id)
    event = roi.ConflictDeclared(participant_id=who, party_id=caller.party, occurred_at=site.now())
    return Outcome(
        on_each(site, records(site, who), own, lambda consent: roi.declare_conflict(consent, event)),
        {"participant": participant_id},
    )


class AddPaper(Command):
    """The paper of a revocation by word of mouth came in; the revocation stood without it.

    The revocation is named as its answer calls it, or by its line in the history: who has the paper need not be who
    wrote down the word.
    """

    model_config = example(artefact_sha256="c" * 64)

    artefact_sha256: Sha256


@handles(AddPaper, *CARE, Role.COUNSEL)
def add_paper(
    site: Site, caller: Caller, command: AddPaper, *, participant_id: str, roi_id: str, revocation: str
) -> Outcome:
    """Add the paper, whoever's word it was, on each record of this person that lacks it."""
    who, history, own = load_client(site, caller, participant_id)
    number = reference(site, caller, "revocation", revocation)
    told = History(who, history)
    line = next((r.event for r in told.of(roi.RoiRevoked) if number in (r.id, told.id_of(r))), None)
    event = roi.RevocationPaper(
        participant_id=who,
        occurred_at=site.now(),
        revocation=number if line is None or line.revocation is None else line.revocation,
        artefact_sha256=command.artefact_sha256,
    )
    appends = on_each(site, reached(site, caller, who), own, lambda consent: roi.paper(consent, event))
    if not any(each.events for each in appends):
        raise Refused("revocation", "its paper is not missing.", "Leave it as it is.")
    return Outcome(appends, {"participant": participant_id, "roi": roi_id, "revocation": revocation})


class RecordOralDisclosure(Command):
    """You told somebody of a party something about this participant, and what it was about. `person`: whom you told."""

    model_config = example(party="county-pa", labels=["enrolment.status"], occasion="phone", person="Alex Chen")

    party: ShortText
    labels: Annotated[frozenset[Label], Field(min_length=1)]
    occasion: Occasion
    person: ShortText | None = None
    told_at: AwareDatetime | None = None


@handles(RecordOralDisclosure, *CARE)
def record_oral_disclosure(
    site: Site, caller: Caller, command: RecordOralDisclosure, *, participant_id: str
) -> Outcome:
    """Record what you told; it is never refused for having been told."""
    who, _ = load_participant(site, caller, participant_id)
    told = site.new_id()
    event = OralDisclosure(
        participant_id=who,
        party_id=site.directory.by_code(command.party, "party").id,
        occurred_at=happened(site, "told_at", command.told_at),
        labels=command.labels,
        occasion=command.occasion,
        person=command.person,
    )
    return Outcome(
        [append(told, 0, event)],
        {"participant": participant_id, "oral_disclosure": site.ids.seal(caller.party, told)},
    )


def _counsel(site: Site, code: str) -> Party:
    party = site.directory.by_code(code, "counsel")
    if party.kind is not PartyKind.COUNSEL:
        raise Refused("counsel", "it is not counsel of record.", "Register counsel as a party of its own.")
    return party
