"""What anyone can ask: who they are here, and who takes part."""

from __future__ import annotations

from typing import Any

from domain.labels import Reader
from domain.protocol import NoProtocol
from domain.registry import Role
from projections.lens import plain
from services.ports import Caller
from services.release import Purpose, Rendered, answer
from services.site import Site


def me(site: Site, caller: Caller) -> dict[str, Any]:
    """Return who the caller is here."""
    party = site.directory.parties.get(caller.party)
    body = {
        "name": caller.name,
        "role": caller.role,
        "called": _called(site, caller.role),
        "party": party.code if party else "participant",
        "agency": party.name if party else "",
        "reads_as": caller.reader,
    }
    if caller.reader is Reader.PARTICIPANT:
        body["participant"] = site.ids.seal(caller.party, caller.party)
    return answer(site, caller, "me", Purpose.OWN_RECORDS, lambda _: Rendered(body)) if caller.reader else body


def protocol(site: Site, caller: Caller) -> dict[str, Any]:
    """Return the version of the protocol that is in force: the site's rules and numbers, and what it calls things."""
    site.directory.refresh()
    now = site.protocol()
    body = {name: plain(getattr(now, name)) for name in type(now).model_fields}
    return answer(site, caller, "protocol", Purpose.OWN_RECORDS, lambda _: Rendered(body)) if caller.reader else body


def _called(site: Site, role: Role) -> str:
    try:
        return site.protocol().called(role)
    except NoProtocol:  # a site that begins
        return role


def parties(site: Site, caller: Caller) -> dict[str, Any]:
    """Return the register of parties."""
    site.directory.refresh()
    listed = sorted(site.directory.parties.values(), key=lambda p: p.code)
    body = {"parties": [{"code": p.code, "name": p.name, "kind": p.kind} for p in listed]}
    return answer(site, caller, "parties", Purpose.OWN_RECORDS, lambda _: Rendered(body)) if caller.reader else body
