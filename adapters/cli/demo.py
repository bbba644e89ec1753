"""Play a small LEAD site, through the same commands as the API, on a PostgreSQL of its own; then serve it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from adapters.bootstrap import Parts, database, opened
from adapters.cli.serve import answer
from adapters.cli.simulate import play
from adapters.cli.streamed import streaming
from adapters.cli.tour import look_around, named_to_all
from adapters.identity.issuer import DemoIssuer
from adapters.kafka.broker import ApacheKafka, BrokerFailed
from adapters.settings import Settings
from adapters.simulation.cast import Clock, callers
from services import care
from services.site import Site, carry_out

PERSONAS = (
    *("dana", "luis", "noor", "teo", "rosa"),
    *("kim", "ortiz", "webb", "chen", "marta", "judge", "brooks"),
    *("pat", "imani", "ames", "patel", "shaw"),
)
SITE_DAYS = 240  # how long the site has been at work when the demo begins


def personas(site: Site, issuer: DemoIssuer) -> list[dict[str, str]]:
    """Return who may sign in, each with a token."""
    listed = []
    for subject in (*PERSONAS, "ray"):
        if person := site.directory.by_subject(subject):
            party = site.directory.parties.get(person.party)
            listed.append(
                {
                    "name": person.name,
                    "role": person.role.value,
                    "agency": party.name if party else "",
                    "token": issuer.token(subject),
                }
            )
    return listed


def run_demo(
    *, port: int, seed: int, participants: int, data_dir: Path | None, ready_file: Path | None, stream: bool = False
) -> None:
    """Play a site on a PostgreSQL of its own, and serve it until interrupted; `stream`: with a broker beside it.

    Raises `BrokerFailed`, before anything else is done, where this machine cannot run one.
    """
    if stream and (lacking := ApacheKafka.missing()):
        raise BrokerFailed(lacking)
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(data_dir))
        settings = Settings.of_a_played_site(folder, port=port)
        typer.echo("Starting a PostgreSQL of the demo's own.")
        with database(settings) as db, opened(db, settings) as parts:
            fresh = not parts.site.directory.parties
            if not fresh:
                Clock(db.url).now()  # a demo that was killed while it played left its clock in the past
            else:
                play(parts, db.url, seed=seed, participants=participants, days=SITE_DAYS)
                _participant_access(parts)
            parts.site.directory.refresh()
            issuer = DemoIssuer(settings.audience)
            listed = personas(parts.site, issuer)

            streamed = stack.enter_context(streaming(parts, settings, folder)) if stream else None

            def first() -> None:
                if streamed is not None:
                    streamed.an_arrest()
                if fresh:
                    look_around(parts, callers(parts.site))
                if streamed is not None:
                    streamed.a_withdrawal()
                _print(listed)

            answer(parts, settings, issuer, ready_file=ready_file, ready={"personas": listed}, first=first)


def _participant_access(parts: Parts) -> None:
    """Let the participant of the look around sign in, to read its own accounting."""
    staff = callers(parts.site)
    found = named_to_all(parts, staff)
    if found is not None:
        theirs = parts.site.ids.seal(staff["noor"].party, found.participant)
        carry_out(parts.site, staff["noor"], care.GiveAccess(subject="ray"), path={"participant_id": theirs})


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    """Give the demo's folder: the one that was named, which stays, or one that goes with the demo."""
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="goldenthread-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user than root; what lies within is closed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print(listed: list[dict[str, str]]) -> None:
    typer.echo("\nWho may sign in (Authorization: Bearer TOKEN):\n")
    for persona in listed:
        typer.echo(f"  {persona['name']}, {persona['role']}, {persona['agency']}\n    {persona['token']}")
    typer.echo("")
