"""The command `goldenthread`. Long work shows progress; every error says what to do next."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Error as DatabaseError
from pydantic import ValidationError

from adapters.bootstrap import database, opened
from adapters.cli.backup import backup, restore
from adapters.cli.check_message import check_message
from adapters.cli.demo import run_demo
from adapters.cli.doctor import examine
from adapters.cli.explain import explain
from adapters.cli.fsck import fsck
from adapters.cli.gateway import make_topics, run_gateway
from adapters.cli.keys import app as keys
from adapters.cli.load import load
from adapters.cli.rebuild import rebuild
from adapters.cli.resume import resume
from adapters.cli.serve import serve_site
from adapters.cli.simulate import simulate
from adapters.cli.verify import PASSED_ON, verify
from adapters.cli.watch import watch
from adapters.cli.witness import witness
from adapters.kafka.broker import BrokerFailed
from adapters.postgres.keyring import WrongSiteKey
from adapters.postgres.migrate import MigrationRefused, migrate
from adapters.postgres.server import ServerFailed
from adapters.secrets import Secrets, SecretsUnsafe
from adapters.settings import Settings
from adapters.telemetry import logs
from adapters.witness import WitnessFailed
from services.ports import Unavailable
from services.verification import NotVerified

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")]
PortOption = Annotated[int | None, typer.Option("--port", help="The port on 127.0.0.1.")]
ReadyFile = Annotated[Path | None, typer.Option("--ready-file", help="Written when the site can answer.")]


def _settings(**given: Any) -> Settings:
    return Settings(**{name: value for name, value in given.items() if value is not None})


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0: any.", min=0, max=65535)] = 8000,
    seed: Annotated[int, typer.Option(help="The same seed plays the same site.")] = 1,
    participants: Annotated[int, typer.Option(min=1, max=5000, help="How many people the site has.")] = 60,
    data_dir: DataDir = None,
    ready_file: ReadyFile = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="With a Kafka broker, and a police system that uses it.")
    ] = False,
) -> None:
    """Play a small LEAD site on a PostgreSQL of its own, and serve it."""
    run_demo(port=port, seed=seed, participants=participants, data_dir=data_dir, ready_file=ready_file, stream=stream)


@app.command()
def serve(port: PortOption = None, data_dir: DataDir = None) -> None:
    """Serve the site, on the configured PostgreSQL or its own."""
    serve_site(_settings(port=port, data_dir=data_dir))


@app.command("migrate")
def migrate_() -> None:
    """Bring the configured PostgreSQL to this version; needs the owner's URL in GOLDENTHREAD_OWNER_URL."""
    settings = _settings()
    if settings.owner_url is None:
        with database(settings):
            typer.echo("The site's own PostgreSQL is up to date.")
        return
    secrets = Secrets.make(settings.secrets_dir)
    migrate(settings.owner_url, secrets, environment=settings.environment, prefix=settings.prefix)
    typer.echo("The database is up to date.")


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Say how the site is: views, whom they could not compute, streams, the broker, privileges, seals."""
    settings = _settings(data_dir=data_dir)
    with database(settings) as db, opened(db, settings) as parts:
        raise typer.Exit(0 if examine(parts, settings) else 1)


@app.command()
def gateway(data_dir: DataDir = None) -> None:
    """Take what agencies publish on the broker of GOLDENTHREAD_KAFKA and tell them, beside `serve`."""
    run_gateway(_settings(data_dir=data_dir))


app.command("topics")(make_topics)
app.command("load")(load)
app.command("watch")(watch)
app.command("resume")(resume)
app.command("simulate")(simulate)
app.command("explain")(explain)
app.command("rebuild")(rebuild)
app.command("verify", context_settings=PASSED_ON)(verify)
app.command("fsck")(fsck)
app.command("witness")(witness)
app.command("check-message")(check_message)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(keys, name="keys")


EXPECTED = (
    BrokerFailed,
    MigrationRefused,
    NotVerified,
    OSError,
    SecretsUnsafe,
    ServerFailed,
    Unavailable,
    WitnessFailed,
    WrongSiteKey,
)


def main() -> None:
    """Run the command; turn every expected failure into a sentence and exit status 1."""
    logs.begin()
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever started us in the background may have had us ignore them
        signal.signal(number, signal.default_int_handler)
    try:
        app()
    except EXPECTED as error:
        sys.exit(f"goldenthread: {error}")
    except ValidationError as error:
        names = ", ".join(f"GOLDENTHREAD_{'_'.join(map(str, e['loc'])).upper()} ({e['msg']})" for e in error.errors())
        sys.exit(f"goldenthread: a setting cannot be right: {names}")
    except DatabaseError as error:
        name = type(error).__name__
        sys.exit(f"goldenthread: the database refused ({name}): check its URL, then `goldenthread doctor`")
