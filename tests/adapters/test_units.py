"""The systemd units: each starts a command that there is, with options that it takes, and is held as closely."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from adapters.cli.main import app

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted({*DEPLOY.glob("*.service")} - {DEPLOY / "goldenthread-audit.service"})  # that one starts none of ours
HELD = re.compile(r"^(?:UMask|NoNewPrivileges|Protect|Private|Restrict[AN]|Lock|SystemCall).*", re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = re.findall(r"^ExecStart=/opt/goldenthread/bin/goldenthread (.*)$", text, re.MULTILINE)
    command, words = get_command(app), shlex.split(line)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)  # whatever is wrong with them is raised


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "Restart=" in unit.read_text()], ids=lambda unit: unit.stem)
def test_what_goes_on_running_is_held_as_closely_as_the_site(unit: Path) -> None:
    site = HELD.findall((DEPLOY / "goldenthread.service").read_text())
    assert len(site) == 13
    assert HELD.findall(unit.read_text()) == site
