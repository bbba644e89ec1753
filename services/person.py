"""One person may have several records. Care reads them as one; each keeps its own consent, and ids for partners."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from domain import roi
from domain.event import Event
from domain.participant import Participant, participant
from domain.registry import CARE
from services.ports import Append, Caller
from services.site import Site, append


def others(site: Site, state: Participant) -> list[Participant]:
    """Return the records that were merged into this one."""
    return [participant(other, site.log.load(other)) for other in state.records[1:]]


def records(site: Site, who: UUID) -> list[Participant]:
    """Return every record of the person that one record is about: the kept one first."""
    state = participant(who, site.log.load(who))
    kept = state if state.into is None else participant(state.into, site.log.load(state.into))
    return [kept, *others(site, kept)]


def reached(site: Site, caller: Caller, who: UUID) -> list[Participant]:
    """Return the records that a word about one of them reaches: care's, whatever is known of the person.

    Anyone else's, the participant's own too, reaches that record and those merged into it: who has the one merged away
    does not know of the one that is kept.
    """
    if caller.role in CARE:
        return records(site, who)
    state = participant(who, site.log.load(who))
    return [state, *others(site, state)]


def on_each(
    site: Site, person: Iterable[Participant], own: roi.Consent, decide: Callable[[roi.Consent], list[Event]]
) -> list[Append]:
    """Return what a word comes to on the consent of each of these records; nothing is merged meanwhile.

    `own`: the consent of the record that was named, as it stood when the caller's right to it was looked at.
    """
    appends = []
    for record in person:
        consent = own if record.id == own.participant else consent_of(site, record)
        stream = roi.consent_stream(record.id)
        appends += [append(record.id, record.version), append(stream, consent.version, *decide(consent))]
    return appends


def consent_of(site: Site, record: Participant) -> roi.Consent:
    """Return the consent of one record."""
    return roi.consent(record.id, site.log.load(roi.consent_stream(record.id)))
