"""A process of the site that acts on the roster when told to: `python -m tests.properties.rostered URL PREFIX SECRETS`.

Each line of its input is an act, `SUBJECT assign PARTICIPANT` or `SUBJECT accept REFERRAL`: for herself, at once. It
answers `done`, or the field that was refused, or how else it failed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

from adapters.bootstrap import Database, opened
from adapters.secrets import Secrets
from adapters.settings import Settings
from adapters.simulation.cast import callers
from domain.refusal import Refused
from services.ports import Caller
from services.referrals import AcceptReferral
from services.roster import AssignParticipant
from services.site import Site, carry_out


def did(site: Site, caller: Caller, act: str, what: str) -> str:
    """Carry out an act; return how it ended."""
    name = site.ids.seal(caller.party, UUID(what))
    try:
        if act == "assign":
            carry_out(site, caller, AssignParticipant(), path={"participant_id": name})
        else:
            carry_out(site, caller, AcceptReferral(), path={"referral": name})
    except Refused as refused:
        return refused.field
    except Exception as error:  # noqa: BLE001 - the test says what it expected
        return type(error).__name__
    return "done"


def say(word: str) -> None:
    """Tell the test."""
    print(word, flush=True)  # noqa: T201 - the test reads it


def main(url: str, prefix: str, folder: Path) -> None:
    """Do what is said, one act after the other."""
    settings = Settings(environment="test", prefix=prefix)
    with opened(Database(url, Secrets.read(folder), prefix), settings) as parts:
        site, staff = parts.site, callers(parts.site)
        say("ready")
        for line in sys.stdin:
            subject, act, what = line.split()
            say(did(site, staff[subject], act, what))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
