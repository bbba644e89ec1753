"""Verify a bundle, asking nobody. The whole of it is `services/verification.py`, which also runs without the rest."""

from __future__ import annotations

import typer

from services.verification import main

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def verify(context: typer.Context) -> None:
    """Verify a participant's bundle against a checkpoint that was kept, offline; `verify --help` says how."""
    raise typer.Exit(main(context.args))
