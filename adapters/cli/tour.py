"""A look around, printed when a demo begins: one participant as each reader sees it, before and after a revocation."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import typer

from adapters.bootstrap import Parts
from domain.labels import Reader
from domain.roi import Consent, Medium, WordOf, consent, consent_stream
from projections.views import VIEWS
from services import care
from services.ports import Caller
from services.questions import case_manager, partner
from services.site import carry_out

PARTNERS = {"kim": Reader.POLICE, "chen": Reader.PROSECUTOR, "marta": Reader.RECIPIENT}
REVOKED = ("city-pd", "county-pa")


def look_around(parts: Parts, staff: dict[str, Caller]) -> None:
    """Print what each reader sees of someone whose ROI names them all; then counsel revokes, and print it again."""
    found = named_to_all(parts, staff)
    if found is None or found.roi is None:
        return
    typer.echo("\nOne participant, as each may know that person now:\n")
    _print(parts, staff, found.participant)
    noor = staff["noor"]
    ids = parts.site.ids
    revoked = care.RevokeRoi(parties=REVOKED, word_of=WordOf.COUNSEL, medium=Medium.ORAL, counsel="R. Patel")
    path = {"participant_id": ids.seal(noor.party, found.participant), "roi_id": ids.seal(noor.party, found.roi)}
    begun = time.perf_counter()
    done = carry_out(parts.site, noor, revoked, path=path)
    took = (time.perf_counter() - begun) * 1000
    typer.echo(f"\nCounsel calls: revoked for police and prosecutor. Acknowledged in {took:.0f} ms; from then on:\n")
    while any(parts.log.view_position(reader) < done.position for reader in VIEWS):
        time.sleep(0.005)  # for care's own view alone: partners are dark already
    _print(parts, staff, found.participant)


def named_to_all(parts: Parts, staff: dict[str, Caller]) -> Consent | None:
    """Return the consent of the first participant whom every partner of the look around is named to."""
    now = parts.log.now()
    wanted = [staff[subject].party for subject in PARTNERS]
    signed = dict.fromkeys(r.event.participant_id for r in parts.log.of_topics(["roi.granted"]))
    for participant in signed:
        if participant is None:
            continue
        state = consent(participant, parts.log.load(consent_stream(participant)))
        if all(state.live(party, now) for party in wanted):
            return state
    return None


def _print(parts: Parts, staff: dict[str, Caller], participant: UUID) -> None:
    dana = staff["dana"]
    body, _ = case_manager.participant(parts.site, dana, parts.site.ids.seal(dana.party, participant))
    _line(dana, f"{body['name']}, {body['enrolment']}; {len(body['history'])} entries of history")
    for subject, reader in PARTNERS.items():
        caller = staff[subject]
        text = parts.site.ids.seal(caller.party, participant)
        seen = partner.participant(parts.site, caller, reader, text)
        _line(caller, f"{_shared(seen)}; of their own: {len(seen['own'])}")


def _shared(seen: dict[str, Any]) -> str:
    if not seen["shared"]:
        return "nothing from LEAD"
    (person,) = seen["shared"]
    known = [f"{person['name']}"] if person.get("name") else []
    known += [str(person[name]) for name in ("enrolment", "case_manager", "phone") if person.get(name)]
    known += [f"“{told['text']}”" for told in person["told"] if told.get("text")]
    return ", ".join(known)


def _line(caller: Caller, text: str) -> None:
    typer.echo(f"  {caller.name + ' (' + caller.role.replace('_', ' ') + ')':<38} {text}")
