"""fsck: whatever somebody does to the database as its owner is found, and the first position of it is named.

Each test is one thing that a person with the owner's password could do. What such a person could do with the site's key
as well, to all of it at once, only someone outside can find: `tests/scenarios/test_f_verified.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.postgres.fsck import check_gate, check_view
from adapters.postgres.log import PostgresLog
from adapters.postgres.projector import Projector, subjects_of
from adapters.postgres.sealer import Sealer
from domain.labels import Reader
from projections.views import VIEWS
from services.checkpoint import Checkpoint, sign
from services.tree import Tree
from tests.adapters.postgres.site import Site, ceiling
from tests.conftest import Database

pytestmark = pytest.mark.server

ORIGIN = "example.org/lead"
TABLES = ("log.event", "log.disclosure", "log.leaf", "log.checkpoint", "gate.consent", "gate.authority")
POLICE = VIEWS[Reader.POLICE]


@pytest.fixture(scope="module")
def lead(server: str, template: str, secrets_and_prefix: object, shared_db: Database) -> Iterator[Site]:
    """A site with a history, its police's view computed, everything sealed in two checkpoints."""
    log = PostgresLog(shared_db.login("recorder"), shared_db.secrets)
    site = Site(shared_db, log)
    site.play(5, steps=40)
    projector = Projector(POLICE, shared_db.login("projector"), log, ceiling)
    while projector.run_once():
        pass
    own = sealer(site)
    own.checkpoint()
    site.play(6, steps=10)
    own.checkpoint()
    while projector.run_once():
        pass
    projector.sweep_once()
    yield site
    log.close()


def sealer(lead: Site) -> Sealer:
    return Sealer(lead.database.login("sealer"), lead.database.secrets.checkpoint_key, ORIGIN, padding=16)


@contextmanager
def put_back(lead: Site) -> Iterator[None]:
    """Put every durable table back as it was."""
    for table in TABLES:
        lead.owner(f"create table kept_{table.replace('.', '_')} as select * from {table}")
    try:
        yield
    finally:
        for table in TABLES:
            lead.owner(f"delete from {table}")
            lead.owner(f"insert into {table} select * from kept_{table.replace('.', '_')}")
            lead.owner(f"drop table kept_{table.replace('.', '_')}")


def number(lead: Site, query: str) -> int:
    ((found,),) = lead.owner(query)
    return int(str(found))


def seals(lead: Site) -> list[str]:
    return sealer(lead).verify()


def gate(lead: Site) -> list[str]:
    return check_gate(lead.database.login("sealer"))


def view(lead: Site) -> list[str]:
    subjects = list(subjects_of(lead.log, lead.log.position()))
    return check_view(POLICE, lead.database.login("projector"), lead.log, ceiling, subjects)


def test_an_honest_site_has_no_findings(lead: Site) -> None:
    assert (seals(lead), gate(lead), view(lead)) == ([], [], [])


SOME = "(select notification_id from log.event order by notification_id offset {} limit 1)"
LEAVES: dict[str, tuple[tuple[str, ...], str]] = {
    # what is done to the database, and with what the first finding begins: {} is the position of the tenth event
    "an event edited": (("update log.event set recorded_at = now() where notification_id = {at}",), "position {at}:"),
    "an event's bytes": (("update log.event set state = state || ' ' where notification_id = {at}",), "position {at}:"),
    "an event dropped": (("delete from log.event where notification_id = {at}",), "position {at}: the stored row"),
    "an event dropped, and its leaf": (
        ("delete from log.event where notification_id = {at}", "delete from log.leaf where position = {at}"),
        "leaf {leaf}: missing",
    ),
    "two events in another order": (
        (
            "update log.event set notification_id = 0 where notification_id = {at}",
            "update log.event set notification_id = {at} where notification_id = {next}",
            "update log.event set notification_id = {next} where notification_id = 0",
        ),
        "position {at}:",
    ),
    "an event slipped in": (
        (
            (
                "insert into log.event select gen_random_uuid(), 1, topic, state, 0, recorded_at, participant_id,"
                " matter_id, party_id, staff_id, expires_at, salt from log.event where notification_id = {at}"
            ),
        ),
        "position 0: a stored row that was never sealed",
    ),
    "the last leaves cut": (("delete from log.leaf where index >= {leaf}",), "leaf {leaf}: gone with all after it"),
    "a number in a line": (
        ("update log.leaf set number = 99 where position = {at}",),
        "position {at}: does not follow",
    ),
    "padding": (
        ("update log.leaf set salt = '' where index = (select min(index) from log.leaf where position is null)",),
        "leaf {padding}: neither padding nor where each line ends",
    ),
    "where each line ends": (
        ("update log.leaf set salt = sha256(salt) where index = (select min(size) - 1 from log.checkpoint)",),
        "leaf {heads}: neither padding nor where each line ends",
    ),
    "a checkpoint's note": (
        ("update log.checkpoint set note = replace(note, E'\\n', E' \\n') where size = {first}",),
        "checkpoint {first}: not signed by our key",
    ),
}


@pytest.mark.parametrize("done", LEAVES)
def test_what_is_done_to_rows_or_leaves_is_found_with_its_first_position(lead: Site, done: str) -> None:
    statements, finding = LEAVES[done]
    at = number(lead, f"select {SOME.format(9)}")
    places = {
        "at": at,
        "next": number(lead, f"select {SOME.format(10)}"),
        "leaf": number(lead, f"select index from log.leaf where position = {at}"),
        "padding": number(lead, "select min(index) from log.leaf where position is null"),
        "first": number(lead, "select min(size) from log.checkpoint"),
        "heads": number(lead, "select min(size) - 1 from log.checkpoint"),
    }
    with put_back(lead):
        for statement in statements:
            lead.owner(statement.format(**places))
        assert seals(lead)[0].startswith(finding.format(**places))
    assert seals(lead) == []


def test_a_history_sealed_anew_is_found_by_what_somebody_held(lead: Site) -> None:
    """A fork, made with the site's own key: the database agrees with itself; a checkpoint kept outside does not."""
    ((note,),) = lead.owner("select note from log.checkpoint order by size limit 1")
    with put_back(lead):
        for statement in (
            "update log.event set recorded_at = now() where notification_id = " + SOME.format(9),
            "delete from log.checkpoint",
            "delete from log.leaf",
        ):
            lead.owner(statement)
        sealer(lead).checkpoint()
        assert seals(lead) == []
        (found,) = sealer(lead).verify(str(note))
        assert found.startswith("held outside: checkpoint")
        assert found.endswith("the leaves have another root")
    assert sealer(lead).verify(str(note)) == []


def test_a_forged_checkpoint_is_found(lead: Site) -> None:
    size = number(lead, "select max(size) from log.checkpoint")
    forged = sign(Checkpoint(ORIGIN, size, Tree().root()), ORIGIN, Ed25519PrivateKey.generate())
    with put_back(lead):
        lead.owner("update log.checkpoint set note = %s where size = %s", forged, size)
        assert seals(lead) == [f"checkpoint {size}: not signed by our key"]
    other = sign(Checkpoint(ORIGIN, size, Tree().root()), ORIGIN, lead.database.secrets.checkpoint_key)
    with put_back(lead):
        lead.owner("update log.checkpoint set note = %s where size = %s", other, size)
        assert seals(lead) == [f"checkpoint {size}: the leaves have another root"]


GATE: dict[str, tuple[str, Callable[[list[str]], bool]]] = {
    "an end put off": (
        "update gate.consent set roi_until = '2100-01-01' where epoch = (select max(epoch) from gate.consent)",
        lambda found: found[0].endswith("a consent that it set is another"),
    ),
    "an epoch set back": (
        "update gate.consent set epoch = 0 where epoch = (select max(epoch) from gate.consent)",
        lambda found: found[0].endswith("a consent that it set is another"),
    ),
    "a consent that nobody gave": (
        "insert into gate.consent values (gen_random_uuid(), gen_random_uuid(), 0, '2100-01-01', '-infinity')",
        lambda found: found == ["gate: a consent that no event made"],
    ),
    "a consent taken away": (
        "delete from gate.consent where epoch = (select max(epoch) from gate.consent)",
        lambda found: found[0].endswith("a consent that it set is gone"),
    ),
    "somebody let in": (
        "insert into gate.authority values (gen_random_uuid(), gen_random_uuid(), 1, true)",
        lambda found: found == ["gate: a person's authority that no event made"],
    ),
    "somebody shut out": (
        "update gate.authority set alive = false where staff_id = (select staff_id from gate.authority limit 1)",
        lambda found: found[0].endswith("a person's authority that it set is another"),
    ),
}


@pytest.mark.parametrize("done", GATE)
def test_what_is_done_to_the_gate_is_found(lead: Site, done: str) -> None:
    statement, finding = GATE[done]
    assert number(lead, "select count(*) from gate.consent where epoch > 0") > 0
    with put_back(lead):
        lead.owner(statement)
        assert finding(gate(lead)), gate(lead)
    assert gate(lead) == []


@pytest.mark.parametrize(
    "done",
    [
        "update police.granted_participant set epoch = epoch + 1",
        "delete from police.granted_participant",
        "insert into police.granted_participant select * from police.granted_participant limit 0",
    ],
)
def test_what_is_done_to_a_views_rows_is_found(lead: Site, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.postgres.fsck._PAUSE_SECONDS", 0.01)
    changes = not done.startswith("insert")
    lead.owner("create table kept as select * from police.granted_participant")
    try:
        lead.owner(done)
        assert bool(view(lead)) is changes
        assert all(found.startswith("position ") for found in view(lead))
    finally:
        lead.owner("delete from police.granted_participant")
        lead.owner("insert into police.granted_participant select * from kept")
        lead.owner("drop table kept")
    assert view(lead) == []
