"""A record of an agency that may be a participant's: as the gateway proposes it."""

from __future__ import annotations

from uuid import UUID, uuid4, uuid5

from domain.event import Envelope
from domain.identity import Agreement, MatchProposed, person_of, propose, source_person
from domain.registry import Role
from services.site import append
from tests.site import SiteUnderTest


def proposed(lead: SiteUnderTest, participant: str, matter: UUID | None = None, called: str = "MNI 77120") -> str:
    """Put a record of the court's before a reviewer; return the entry, as care calls it. `participant`: care's id."""
    site = lead.parts.site
    care, source = (site.directory.by_code(code, "party").id for code in ("lead-care", "district-court"))
    stream = source_person(source, called)
    state = person_of(stream, site.log.load(stream))
    event = MatchProposed(
        participant_id=site.ids.open(care, participant),
        matter_id=matter or uuid4(),
        occurred_at=site.now(),
        source=source,
        score=27.5,
        sid=Agreement.UNKNOWN,
        birth_date=Agreement.EQUAL,
        likeness=1.0,
        number=False,
    )
    envelope = Envelope(actor=None, role=Role.SERVICE, agency=source, correlation_id=uuid4())
    site.log.record([append(stream, state.version, *propose(state, event))], envelope)
    lead.settle()
    return site.ids.seal(care, uuid5(stream, str(state.version + 1)))
