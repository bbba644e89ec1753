"""Be a witness of a site's log: run by a partner agency, on a machine of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from adapters.wire import is_loopback
from adapters.witness import SqliteMemory, WitnessFailed, key_in, witness_app
from services.checkpoint import Verifier, verifier_of
from services.witness import Witness


def witness(
    state: Annotated[Path, typer.Option(help="The file in which it remembers, made if there is none.")],
    log_key: Annotated[list[str], typer.Option(help="The verifier key of a log; may be repeated.")],
    name: Annotated[str, typer.Option(help="The witness's own name, such as witness.agency.example/lead.")],
    listen: Annotated[str, typer.Option(help="Host and port.")] = "127.0.0.1:8100",
    key: Annotated[Path | None, typer.Option(help="The file of its own key; beside the state, if not named.")] = None,
) -> None:
    """Sign that a site's log only ever grew; run by someone who is not the site. Answers POST /add-checkpoint."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) >= 1 << 16:
        raise WitnessFailed("--listen: give a host and a port, such as 127.0.0.1:8100.")
    if not is_loopback(host):
        raise WitnessFailed("--listen: others would be heard in clear: give 127.0.0.1, and a proxy here that ends TLS.")
    try:
        logs = {verifier.name: [verifier] for verifier in map(Verifier.parse, log_key)}
        own = key_in(key or state.with_name(state.name + ".key"))
        mine = verifier_of(name, own.public_key(), cosigns=True)
    except ValueError as error:
        raise WitnessFailed(str(error)) from None
    app = witness_app(Witness(name, own, logs, SqliteMemory(state)))
    typer.echo(f"Witnessing {', '.join(logs)} on {listen}. The site names it by this key:\n{mine}")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, server_header=False)
