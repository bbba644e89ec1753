"""Explain: what a party was shown of a participant, computed again from the log, and why.

It tells what the person in whose name it is asked would be told over HTTP, and is recorded as that person's reading:
whoever has the command line of the site has no reader's eyes of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from adapters.bootstrap import database, opened
from adapters.settings import Settings
from domain.labels import Reader
from domain.refusal import Forbidden, Refused, Unknown
from domain.registry import READER_OF
from services.ports import AuthorityEnded, Caller
from services.questions import accounting, as_of
from services.site import Site

_MOMENT = TypeAdapter[AwareDatetime](AwareDatetime)


def explain(
    participant: Annotated[str, typer.Argument(help="The id by which that person knows them, or the log's own.")],
    named: Annotated[str, typer.Option("--as", help="In whose name: a sign-in of the register.", show_default=False)],
    party: Annotated[str | None, typer.Option(help="Whose eyes: a party's code.")] = None,
    reader: Annotated[Reader | None, typer.Option(help="As what it reads, where it reads as several.")] = None,
    at: Annotated[str | None, typer.Option(help="A time such as 2026-03-20T09:00-07:00, or a position.")] = None,
    disclosure: Annotated[str | None, typer.Option(help="One disclosure, by its id.")] = None,
    content: Annotated[bool, typer.Option("--content", help="With the values that the person may read.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")
    ] = None,
) -> None:
    """Say what a party had of a participant, and why each field was shown or withheld; it is recorded as a reading.

    Without --party or --disclosure: list the disclosures, with their ids.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    moment = _moment(at)
    with database(settings) as db, opened(db, settings) as parts:
        site = parts.site
        try:
            caller = _caller(site, named)
            who = _own_id(site, caller, participant)
            if disclosure is not None:
                lines = told(as_of.of_disclosure(site, caller, who, disclosure, values=content))
            elif party is not None:
                lines = told(as_of.at(site, caller, who, party, reader, moment, values=content))
            else:
                lines = listed(accounting.of(site, caller, who))
        except Refused as refused:
            raise _fail(str(refused)) from None
        except (Forbidden, AuthorityEnded):
            raise _fail(
                f"{named} may read nobody's accounting: name the privacy officer, or someone of care."
            ) from None
        except Unknown:
            raise _fail("that person knows of no such participant, or disclosure of theirs.") from None
    for line in lines:
        typer.echo(line)


def listed(found: dict[str, Any]) -> Iterator[str]:
    """Yield one line for each disclosure of an accounting that has an id."""
    for line in found["disclosures"]:
        if "id" in line:
            yield f"{line['id']}  {line['at']}  {line['to']}  {line['surface']}  {' '.join(line['labels'])}"


def told(found: dict[str, Any]) -> Iterator[str]:
    """Yield an as-of in lines: by what it was computed, what was shown, and each decision behind it."""
    yield f"{found['party'] or 'the participant'}, as {found['reader']}, at {found['at']}"
    yield f"by the view {found['view']} under the protocol {found['protocol']}"
    if "verdict" in found:
        yield f"{found['surface']}, shown by {found['shown_by'] or 'no view'}: {found['verdict']}"
    for row in found["shown"]:
        yield row["record"]
        for each in row["fields"]:
            value = f" = {each['value']}" if each["told"] else ""
            yield f"    {each['field']} [{' '.join(each['labels'])}]{value}"
    for each in found["decisions"]:
        grant = f" by {each['grant']}" if each["grant"] else ""
        verdict = "shown" if each["shown"] else "withheld"
        yield f"{each['kind']}.{each['field']} [{' '.join(each['labels'])}] {verdict}: {each['why']}{grant}"


def _moment(at: str | None) -> Any:
    if at is None:
        return None
    try:
        return int(at) if at.isdecimal() else _MOMENT.validate_python(at)
    except ValidationError:
        raise _fail("--at is neither a time with its zone, such as 2026-03-20T09:00-07:00, nor a position.") from None


def _caller(site: Site, named: str) -> Caller:
    person = site.directory.by_subject(named)
    party = site.directory.parties.get(person.party) if person else None
    if person is None or party is None:
        raise Refused("--as", "the register knows nobody by this sign-in.", "Name someone who works here.")
    reader = READER_OF.get(person.role)
    return Caller(person.id, party.id, party.kind, person.role, reader, person.name, uuid4())


def _own_id(site: Site, caller: Caller, text: str) -> str:
    try:
        return site.ids.seal(caller.party, UUID(text))
    except ValueError:
        return text


def _fail(sentence: str) -> typer.Exit:
    typer.echo(f"goldenthread: {sentence}", err=True)
    return typer.Exit(2)
