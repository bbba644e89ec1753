"""Messages as agencies' systems send them: the contract's own examples, with what a test says instead."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from adapters.kafka import contract
from adapters.kafka.contract import TYPES
from adapters.kafka.envelope import Record, encode
from domain.labels import Reader
from domain.registry import PartyKind
from services.ports import Caller, Kept, Raw
from services.site import Command, Site, carry_out

RAY = {"given": "Ray", "surname": "Bell", "birth_date": "1984-05-09"}


def changed(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return data with some of it changed, each by its path (`Arrest/ActivityDate/DateTime`); None: left out."""
    made = deepcopy(data)
    for path, value in changes.items():
        *steps, last = path.split("/")
        inner: Any = made
        for step in steps:
            inner = inner[int(step)] if step.isdigit() else inner.setdefault(step, {})
        if value is None:
            inner.pop(last, None)
        else:
            inner[int(last) if last.isdigit() else last] = value
    return made


def record(
    kind: str, source: str, changes: dict[str, Any] | None = None, *, at: str | None = None, id_: str | None = None
) -> Record:
    """Return a record of a type (`arrest.recorded`), from a source (`city-pd:WASPD0000`), told at a moment."""
    told = TYPES[f"org.lead.{kind}.v1"]
    data = changed(told.model.example, changes or {})
    key = str(contract.key_of(told.family, data))
    event = replace(
        contract.example(told),
        id=id_ or str(uuid4()),
        source=f"urn:lead:king-county:{source}",
        time=datetime.fromisoformat(at) if at else datetime.now(UTC),
        data=data,
        structured=False,
        extensions={"correlationid": str(uuid4()), "partitionkey": key},
    )
    return encode(event, key.encode(), told.family.topic(source.partition(":")[0]))


def raws(*records: Record, begin: int = 0) -> list[Raw]:
    """Return records as they lie in one partition, from an offset on."""
    return [
        Raw(str(r.topic), 0, n, tuple((name, value or b"") for name, value in r.headers), r.key, r.value)
        for n, r in enumerate(records, begin)
    ]


def person(
    given: str, surname: str, born: str | None, *, sid: str | None = None, own: str | None = None
) -> dict[str, Any]:
    """Return a person as a message names one."""
    made: dict[str, Any] = {"PersonName": {"PersonGivenName": given, "PersonSurName": surname}}
    if born:
        made["PersonBirthDate"] = {"Date": born}
    if sid:
        made["PersonStateIdentification"] = {"IdentificationID": sid}
    if own:
        made["PersonOtherIdentification"] = {"IdentificationID": own}
    return made


def settle(site: Site, aside: Kept, command: Command) -> None:
    """Have the project manager settle a message that was set aside."""
    pat = site.directory.by_subject("pat")
    assert pat is not None
    caller = Caller(pat.id, pat.party, PartyKind.PROGRAM, pat.role, Reader.PROGRAM, pat.name, uuid4())
    carry_out(site, caller, command, path={"message": site.ids.seal(pat.party, UUID(int=aside.id))})


WHO = "Arrest/ArrestSubject/RoleOfPerson"
ATN = "Arrest/ActivityIdentification/IdentificationID"
INCIDENT = "Incident/ActivityIdentification/IdentificationID"
ARRESTED_AT = "Arrest/ActivityDate/DateTime"
