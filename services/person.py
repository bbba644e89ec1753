"""One person may have several records. Care reads them as one; each keeps its own consent, and ids for partners."""

from __future__ import annotations

from uuid import UUID

from domain import roi
from domain.participant import Participant, participant
from services.site import Site


def others(site: Site, state: Participant) -> list[Participant]:
    """Return the records that were merged into this one."""
    return [participant(other, site.log.load(other)) for other in state.records[1:]]


def records(site: Site, who: UUID) -> list[Participant]:
    """Return every record of the person that one record is about: the kept one first."""
    state = participant(who, site.log.load(who))
    kept = state if state.into is None else participant(state.into, site.log.load(state.into))
    return [kept, *others(site, kept)]


def consent_of(site: Site, record: Participant) -> roi.Consent:
    """Return the consent of one record."""
    return roi.consent(record.id, site.log.load(roi.consent_stream(record.id)))
