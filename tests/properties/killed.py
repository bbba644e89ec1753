"""A whole site at work, to be killed: `python -m tests.properties.killed DATA_DIR`. Prints the key of what is done."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from uuid import uuid4

from adapters.bootstrap import Parts, at_work, database, opened
from adapters.settings import Settings
from adapters.simulation.cast import callers, set_up
from domain.contact import ContactKind
from domain.labels import Label
from domain.roi import Medium, WordOf
from services import care, referrals
from services.ports import Caller, Unavailable
from services.site import Command, carry_out

PEOPLE = 3


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, environment="test", sweep_seconds=0.2, checkpoint_seconds=0.5)


def begin(parts: Parts) -> None:
    """Give the site its people, each of whom an officer diverts."""
    set_up(parts.site, datetime.now(UTC).date() - timedelta(days=2))
    kim = callers(parts.site)["kim"]
    for n in range(PEOPLE):
        held = referrals.HeldCharge(code="23C", description="x", severity="misdemeanor", prosecutor="county-pa")
        offer = referrals.OfferDiversion(
            door="arrest_diversion",
            person=referrals.Person(given="Ray", surname=f"Bell{n}", birth_date=date(1980, 1, 1)),
            incident_number=f"2026-{n}",
            place="x",
            facts="x",
            charges=(held,),
        )
        carry_out(parts.site, kim, offer)


def work(parts: Parts) -> None:
    """Sign, contact, share, revoke, for ever; each command until it is answered."""
    dana = callers(parts.site)["dana"]
    found = parts.log.of_topics(["participant.identified"])
    people = [parts.site.ids.seal(dana.party, r.event.participant_id) for r in found if r.event.participant_id]
    for person in cycle(people):
        path = {"participant_id": person}
        signed = certainly(parts, dana, _roi(), path)
        certainly(parts, dana, care.RecordContact(kind=ContactKind.VISIT, reached=True, note="x"), path)
        told = care.MakeShare(party="city-pd", text="Has a room.", labels=frozenset({Label.NEED_HOUSING}))
        certainly(parts, dana, told, path)
        gone = care.RevokeRoi(parties=("county-pa",), word_of=WordOf.PARTICIPANT, medium=Medium.ORAL)
        certainly(parts, dana, gone, path | {"roi_id": signed})


def _roi() -> Command:
    labels = frozenset({Label.IDENTITY_LEGAL, Label.NEED_HOUSING, Label.CONTACT_FACT})
    return care.SignRoi(
        expires_on=datetime.now(UTC).date() + timedelta(days=90),
        form_version="3",
        explained_by="x",
        language="English",
        grants=tuple(
            care.GrantTo(party=party, labels=labels, purpose="x") for party in ("city-pd", "county-pa", "housing-co")
        ),
        warned=("county-pa",),
    )


def certainly(parts: Parts, caller: Caller, command: Command, path: dict[str, str]) -> str:
    """Send a command under one key until it is answered, and say so."""
    key = str(uuid4())
    while True:
        try:
            done = carry_out(parts.site, caller, command, key=key, request=b"x", path=path)
        except Unavailable:
            time.sleep(0.02)
        else:
            print(key, flush=True)  # noqa: T201 - the acknowledgement that the test counts
            return str(done.answer.get("roi", ""))


def main(folder: Path) -> None:
    with database(settings(folder)) as db, opened(db, settings(folder)) as parts, at_work(parts, settings(folder)):
        if not parts.site.directory.parties:
            begin(parts)
        work(parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
