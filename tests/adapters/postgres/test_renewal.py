"""The site key is replaced while the site goes on: nothing is lost, whenever it is killed, and the old one is gone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest
from typer.testing import CliRunner

import adapters.secrets
from adapters.cli.main import app
from adapters.postgres import renewal
from adapters.postgres.backup import back_up, restore
from adapters.postgres.keyring import KeyDestroyed, Keyring, SiteKeys, WrongSiteKey, site_key_name
from adapters.postgres.log import PostgresLog
from adapters.postgres.migrate import MigrationRefused
from adapters.postgres.recorder import LogDatastore
from adapters.postgres.renewal import check_keys, old_keys, prepare, renew
from adapters.secrets import Secrets, SecretsUnsafe
from tests.adapters.postgres.site import Site
from tests.conftest import Database
from tests.kill import killer

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[3]
PEOPLE = 7
Made = dict[UUID, bytes]


@pytest.fixture
def db(site_db: Database, tmp_path: Path) -> Database:
    """A site with secrets of its own: other tests go on with those that all share."""
    folder = tmp_path / "secrets"
    shutil.copytree(site_db.secrets.folder, folder)
    return replace(site_db, secrets=Secrets.read(folder))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_BATCH", 2)
    monkeypatch.setattr(renewal, "_PAUSE_SECONDS", 0.01)


@contextmanager
def keyring(db: Database) -> Iterator[Keyring]:
    datastore = LogDatastore(db.login("recorder"))
    yield Keyring(datastore, db.secrets.site_keys)
    datastore.close()


@pytest.fixture
def keys(db: Database) -> Iterator[Keyring]:
    with keyring(db) as keys:
        yield keys


def people(keys: Keyring, number: int = PEOPLE) -> Made:
    """Make the keys of some, and return them."""
    subjects = [uuid4() for _ in range(number)]
    for subject in subjects:
        keys.for_sealing(subject)
    return opened(keys, subjects)


def opened(keys: Keyring, subjects: Any) -> Made:
    return {subject: keys.bare(subject) or b"" for subject in subjects}


def wrapped_by(db: Database) -> dict[str, int]:
    with psycopg.connect(db.owner_url) as owner:
        return dict(
            owner.execute("select wrapped_by, count(*) from log.key where wrapped is not null group by 1").fetchall()
        )


def names(db: Database) -> list[str]:
    return [site_key_name(key) for key in db.secrets.site_keys()]


def finish(db: Database) -> None:
    for _ in renew(db.owner_url, db.secrets):
        pass


def test_every_key_says_which_site_key_wrapped_it_and_by_what(db: Database, keys: Keyring) -> None:
    people(keys)
    assert wrapped_by(db) == {names(db)[0]: PEOPLE}
    assert names(db)[0].startswith("AES-256-GCM ")


def test_every_key_is_wrapped_anew_and_the_old_site_key_is_gone(db: Database, keys: Keyring) -> None:
    made, before = people(keys), db.secrets.site_keys()[0]
    assert list(renew(db.owner_url, db.secrets)) == [2, 4, 6, 7]
    (after,) = db.secrets.site_keys()
    assert after != before
    assert wrapped_by(db) == {site_key_name(after): PEOPLE}
    assert before not in {path.read_bytes() for path in db.secrets.folder.iterdir()}
    assert opened(keys, made) == made, "who had read the old one goes on"
    with keyring(db) as fresh:
        assert opened(fresh, made) == made
    assert check_keys(db.login("recorder"), db.secrets) == []
    keys.for_sealing(uuid4())
    assert wrapped_by(db) == {site_key_name(after): PEOPLE + 1}


def test_in_the_middle_both_open_and_the_new_one_wraps(db: Database, keys: Keyring) -> None:
    made = people(keys)
    old = names(db)[0]
    steps = renew(db.owner_url, db.secrets)
    next(steps)
    assert names(db)[0] == old
    new = names(db)[1]
    assert wrapped_by(db) == {old: PEOPLE - 2, new: 2}
    assert old_keys(db.login("recorder")) == {old: PEOPLE - 2}
    assert check_keys(db.login("recorder"), db.secrets) == [
        f"{PEOPLE - 2} data keys are wrapped by an old site key ({old})"
    ]
    made |= people(keys, 1)
    assert wrapped_by(db) == {old: PEOPLE - 2, new: 3}, "by a process that knew the old one alone"
    with keyring(db) as fresh:
        assert opened(fresh, made) == opened(keys, made) == made
    with pytest.raises(SecretsUnsafe, match="being renewed: wait"):
        finish(db)
    list(steps)
    assert old_keys(db.login("recorder")) == {}
    assert opened(keys, made) == made


def test_whoever_makes_a_key_meanwhile_is_waited_for(db: Database, keys: Keyring) -> None:
    """A key wrapped by the old one that the renewal did not see would be lost with it."""
    made, who, key_id = people(keys), uuid4(), uuid4()
    old = names(db)[0]
    wrapped = SiteKeys(db.secrets.site_keys()).wrap(old, key_id, who, bytes(32))
    with psycopg.connect(db.login("recorder")) as slow:
        slow.execute("select log.wrapped_key(%s, %s, %s, %s)", [who, key_id, wrapped, old])
        renewing = threading.Thread(target=finish, args=(db,))
        renewing.start()
        renewing.join(0.5)
        assert renewing.is_alive()
        slow.commit()
    renewing.join(30)
    assert wrapped_by(db) == {names(db)[0]: PEOPLE + 1}
    assert opened(keys, [who]) == {who: bytes(32)}
    assert opened(keys, made) == made


def test_nothing_is_wrapped_by_the_old_one_any_more(db: Database, keys: Keyring) -> None:
    people(keys)
    (old,) = db.secrets.site_keys()
    finish(db)
    wrapped, by = SiteKeys([old]).wrap(site_key_name(old), uuid4(), uuid4(), bytes(32)), site_key_name(old)
    with psycopg.connect(db.login("recorder")) as late, pytest.raises(psycopg.Error) as refused:
        late.execute("select log.wrapped_key(%s, %s, %s, %s)", [uuid4(), uuid4(), wrapped, by])
    assert refused.value.sqlstate == "GT008"


def test_who_is_forgotten_meanwhile_stays_forgotten(db: Database, keys: Keyring) -> None:
    made = people(keys)
    gone = next(iter(made))
    with psycopg.connect(db.owner_url) as owner:
        owner.execute("select log.destroy(%s)", [gone])
        renewing = threading.Thread(target=finish, args=(db,))
        renewing.start()
        while sorted(wrapped_by(db).values()) != [1, PEOPLE - 1]:  # it does the others, and then waits
            time.sleep(0.01)
        renewing.join(0.1)
        assert renewing.is_alive()
        owner.commit()
    renewing.join(30)
    assert list(wrapped_by(db).values()) == [PEOPLE - 1]
    assert keys.for_opening([gone]) == {gone: None}
    with pytest.raises(KeyDestroyed):
        keys.for_sealing(gone)


def test_a_key_that_nothing_opens_keeps_the_old_site_key(db: Database, keys: Keyring) -> None:
    people(keys)
    with psycopg.connect(db.owner_url) as owner:
        owner.execute(
            "update log.key set wrapped = wrapped || 'x' where key_id = (select key_id from log.key order by 1 limit 1)"
        )
    for _ in range(2):
        with pytest.raises(WrongSiteKey, match="no site key opens the data key"):
            finish(db)
        assert len(db.secrets.site_keys()) == 2
    assert any("is opened by no site key" in found for found in check_keys(db.login("recorder"), db.secrets))


def test_another_algorithm(db: Database, keys: Keyring) -> None:
    made = people(keys)
    list(renew(db.owner_url, db.secrets, "ChaCha20-Poly1305"))
    ((by, number),) = wrapped_by(db).items()
    assert (by.split()[0], number) == ("ChaCha20-Poly1305", PEOPLE)
    made |= people(keys, 1)
    assert list(wrapped_by(db)) == [by]
    assert opened(keys, made) == made
    next(renew(db.owner_url, db.secrets, "AES-256-GCM"))  # begun, and let go of
    list(renew(db.owner_url, db.secrets, "ChaCha20-Poly1305"))
    assert {each.split()[0] for each in wrapped_by(db)} == {"AES-256-GCM"}, "what was begun keeps its own"
    with keyring(db) as fresh:
        assert opened(fresh, made) == made


def test_made_first_and_copied_to_another_machine(db: Database, keys: Keyring, tmp_path: Path) -> None:
    made, old = people(keys), names(db)[0]
    name = prepare(db.secrets)
    assert (prepare(db.secrets), names(db)) == (name, [old, name]), "made once"
    assert wrapped_by(db) == {old: PEOPLE}, "and not yet in use"
    shutil.copytree(db.secrets.folder, tmp_path / "there")
    there = replace(db, secrets=Secrets.read(tmp_path / "there"))
    with keyring(there) as other:
        finish(db)
        assert wrapped_by(db) == {name: PEOPLE}
        assert opened(other, made) == made
        made |= people(other, 1)
    finish(there)
    assert names(there) == names(db) == [name], "there, too, the old one is gone, and no third one came"
    assert opened(keys, made) == made


def test_a_machine_that_lacks_the_site_key_in_use_is_told(db: Database, keys: Keyring, tmp_path: Path) -> None:
    people(keys)
    shutil.copytree(db.secrets.folder, tmp_path / "there")
    there = replace(db, secrets=Secrets.read(tmp_path / "there"))
    finish(db)
    with pytest.raises(WrongSiteKey, match="is not among the secrets: copy it there"):
        finish(there)
    with keyring(there) as other, pytest.raises(WrongSiteKey, match="is not among the secrets: copy it there"):
        other.for_sealing(uuid4())
    assert list(wrapped_by(db)) == names(db)


def test_keys_from_before_site_keys_had_names(db: Database, keys: Keyring) -> None:
    made = people(keys)
    with psycopg.connect(db.owner_url) as owner:
        owner.execute("update log.key set wrapped_by = null")
    with keyring(db) as fresh:
        assert opened(fresh, made) == made
    assert old_keys(db.login("recorder")) == {"from before they had names": PEOPLE}
    finish(db)
    assert wrapped_by(db) == {names(db)[0]: PEOPLE}
    assert opened(keys, made) == made


def test_by_hand(db: Database, keys: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    made = people(keys)
    for name, value in {"DATABASE_URL": db.owner_url, "SECRETS_DIR": db.secrets.folder, "PREFIX": db.prefix}.items():
        monkeypatch.setenv(f"GOLDENTHREAD_{name}", str(value))

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, MigrationRefused):
            return 1, str(result.exception)
        return result.exit_code, result.output

    assert run("keys", "renew", "--only-make")[0] == 0
    assert len(names(db)) == 2
    assert run("keys", "renew") == (1, "Only the database's owner may do this: give its URL in GOLDENTHREAD_OWNER_URL.")
    next(renew(db.owner_url, db.secrets))  # begun, and let go of
    old = names(db)[0]
    said = f"{PEOPLE - 2} are wrapped by an old site key ({old}): goldenthread keys renew"
    assert said in run("doctor")[1]
    status, told = run("fsck")
    assert (status, f"{PEOPLE - 2} data keys are wrapped by an old site key ({old})" in told) == (1, True)
    monkeypatch.setenv("GOLDENTHREAD_OWNER_URL", db.owner_url)
    assert run("keys", "renew")[0] == 0
    assert "old site key" not in run("doctor")[1]
    status, told = run("fsck")
    assert (status, "keys: each is opened by the site key in use" in told) == (0, True)
    assert opened(keys, made) == made


# Killed


def renewed(owner_url: str, folder: str) -> Callable[[], object]:
    """Return what the one does who is killed."""
    renewal._BATCH = 2  # type: ignore[misc]  # or there is but one
    return partial(list, renew(owner_url, Secrets.read(Path(folder))))


@pytest.mark.timeout(900)
def test_it_is_killed_before_every_line(db: Database, keys: Keyring, tmp_path: Path) -> None:
    """Another process goes on meanwhile; a copy of both begins anew each time."""
    made, before = people(keys, 3), tmp_path / "before"
    shutil.copytree(db.secrets.folder, before)
    killed = killer(renewed, [renewal, adapters.secrets], db.owner_url, str(db.secrets.folder))
    with psycopg.connect(db.owner_url, autocommit=True) as owner, killed as killed_before:
        owner.execute("create table kept as select * from log.key")
        owner.execute("create table kept_site_key as select * from log.site_key")
        for line in count(1):
            has_ended = killed_before(line)
            assert opened(keys, made) == made, f"killed before line {line}"
            people(keys, 1)
            finish(db)
            assert wrapped_by(db) == {names(db)[0]: 4}, f"killed before line {line}"
            assert len(names(db)) == 1
            assert opened(keys, made) == made, f"killed before line {line}"
            assert list(db.secrets.folder.glob(".site*")) == []
            if has_ended:
                break
            for path in db.secrets.folder.glob("site_key*"):
                path.unlink()
            shutil.copy(before / "site_key", db.secrets.folder)
            for table in "key", "site_key":
                owner.execute(f"delete from log.{table}".encode())
            owner.execute("insert into log.key select * from kept")
            owner.execute("insert into log.site_key select * from kept_site_key")
        assert line > 50, "it was traced"


# Another process

READER = """
import sys
from pathlib import Path
from uuid import UUID, uuid4
from adapters.postgres.keyring import Keyring
from adapters.postgres.recorder import LogDatastore
from adapters.secrets import Secrets
url, folder, *subjects = sys.argv[1:]
keys = Keyring(LogDatastore(url), Secrets.read(Path(folder)).site_keys, remembers=1)
first = {each: keys.bare(UUID(each)) for each in subjects}
while True:
    keys.for_sealing(new := uuid4())
    subjects.append(str(new))
    first[str(new)] = keys.bare(new)
    assert {each: keys.bare(UUID(each)) for each in subjects[-20:]} == {each: first[each] for each in subjects[-20:]}
    print(len(subjects), flush=True)
"""


def test_two_processes_read_and_make_keys_meanwhile(db: Database, keys: Keyring) -> None:
    made = people(keys, 20)
    command = [sys.executable, "-c", READER, db.login("recorder"), str(db.secrets.folder), *map(str, made)]
    readers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for reader in readers:
            says(reader)
        for _ in range(3):
            for _ in renew(db.owner_url, db.secrets):
                for reader in readers:
                    says(reader)
    finally:
        for reader in readers:
            reader.kill()
            reader.wait(60)
            if reader.stdout:
                reader.stdout.close()
    finish(db)
    assert list(wrapped_by(db)) == names(db)
    assert check_keys(db.login("recorder"), db.secrets) == []
    assert opened(keys, made) == made


def says(process: subprocess.Popen[str]) -> str:
    """Return what another process says next."""
    assert process.stdout
    said = process.stdout.readline()
    assert said, "it ended"
    return said


# Copies


@pytest.mark.parametrize("of", ["then", "now"])
def test_a_copy_from_before_is_restored_with_its_own_keys_or_with_todays(
    db: Database, empty_db: Database, tmp_path: Path, of: str
) -> None:
    site = Site(db, PostgresLog(db.login("recorder"), db.secrets))
    who = site.identify(surname="Stays")
    before = [recorded.event for recorded in site.log.history(who)]
    back_up(db.owner_url, tmp_path / "copy", tmp_path / "keys of then")
    shutil.copytree(db.secrets.folder, tmp_path / "secrets of then")
    finish(db)
    back_up(db.owner_url, tmp_path / "later copy", tmp_path / "keys of now")
    site.log.close()

    secrets = {"then": Secrets.read(tmp_path / "secrets of then"), "now": db.secrets}
    copy, other = tmp_path / "copy", "now" if of == "then" else "then"
    with pytest.raises(MigrationRefused, match="restore it with the secrets that were kept with it"):
        restore(empty_db.owner_url, copy, tmp_path / f"keys of {other}", secrets[of], prefix=db.prefix)
    restore(empty_db.owner_url, copy, tmp_path / f"keys of {of}", secrets[of], prefix=db.prefix)
    restored = replace(empty_db, secrets=secrets[of])
    log = PostgresLog(restored.login("recorder"), secrets[of])
    assert [recorded.event for recorded in log.history(who)] == before
    log.close()
    with keyring(restored) as keys:
        people(keys, 1)
    assert list(wrapped_by(restored)) == names(restored)
    assert check_keys(restored.login("recorder"), secrets[of]) == []


def test_keys_copied_before_site_keys_had_names(
    db: Database, empty_db: Database, keys: Keyring, tmp_path: Path
) -> None:
    made = people(keys)
    back_up(db.owner_url, tmp_path / "copy", tmp_path / "keys")
    lines = [orjson.loads(line) for line in (tmp_path / "keys").read_bytes().splitlines()]
    assert {line.pop("wrapped_by") for line in lines} == set(names(db))
    (tmp_path / "keys").write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    restore(empty_db.owner_url, tmp_path / "copy", tmp_path / "keys", db.secrets, prefix=db.prefix)
    with keyring(replace(empty_db, secrets=db.secrets)) as again:
        assert opened(again, made) == made
