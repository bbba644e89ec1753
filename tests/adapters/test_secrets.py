"""The folder of secrets: made once, the same for all, and refused when others can reach it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

import adapters.secrets
from adapters.cli.main import app
from adapters.secrets import ROLES, Secrets, SecretsUnsafe, is_sealed, seal, secret_file
from tests.kill import killer

ROOT = Path(__file__).parents[2]
KEYS = ("party_ids", "tokens", "digests", "context")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Secrets.make(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_each_secret_is_another(folder: Path) -> None:
    made = Secrets.read(folder)
    keys = [*made.site_keys(), *(getattr(made, name) for name in KEYS)]
    assert {len(key) for key in keys} == {32}
    assert isinstance(made.checkpoint_key, Ed25519PrivateKey)
    assert len({*keys, made.checkpoint_key.private_bytes_raw()}) == len(KEYS) + 2
    passwords = {made.password(role) for role in ROLES}
    assert len(passwords) == len(ROLES)
    assert min(map(len, passwords)) >= 43


def test_only_their_owner_reaches_them(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == len(KEYS) + 2 + len(ROLES)  # and nothing left lying about


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_made_again_they_stay_and_only_the_missing_is_made(folder: Path) -> None:
    before = content(folder)
    (folder / "tokens").unlink()
    Secrets.make(folder)
    after = content(folder)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"tokens"}


def test_a_bare_password_of_an_earlier_version_becomes_one_that_libpq_reads(folder: Path) -> None:
    before = Secrets.read(folder).password("police")
    (folder / "police.password").write_bytes(before.encode())
    made = Secrets.make(folder)
    assert made.passfile("police").read_text() == f"*:*:*:*:{before}"
    assert made.password("police") == before
    assert len(list(folder.iterdir())) == len(KEYS) + 2 + len(ROLES)


def test_who_looks_while_one_site_key_takes_the_others_place_finds_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Secrets.read(folder)
    following, look, looked = made.next_site_key(), adapters.secrets._found, list[Path]()

    def found(path: Path) -> bytes | None:
        seen = look(path)
        if not looked:
            made.drop_site_key()
        looked.append(path)
        return seen

    monkeypatch.setattr("adapters.secrets._found", found)
    assert following in made.site_keys()
    assert made.site_keys() == (following,)


def test_processes_at_once_end_with_the_same(tmp_path: Path) -> None:
    script = """
import sys
from hashlib import sha256
from pathlib import Path
import adapters.secrets
from adapters.secrets import ROLES, Secrets
sys.stdin.read()
made = Secrets.make(Path(sys.argv[1]))
whole = made.site_keys()[0] + made.tokens + made.context + made.checkpoint_key.private_bytes_raw()
print(sha256(whole + "".join(map(made.password, ROLES)).encode()).hexdigest())
"""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, str(tmp_path / "secrets")]
    started = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert len({process.communicate()[0] for process in started}) == 1
    assert [process.returncode for process in started] == [0] * 6


def test_they_are_not_shown(folder: Path) -> None:
    made = Secrets.read(folder)
    assert repr(made) == f"Secrets(folder={folder!r})"
    assert str(made) == repr(made)


def test_an_unknown_role_has_no_password(folder: Path) -> None:
    with pytest.raises(SecretsUnsafe):
        Secrets.read(folder).password("postgres")


@pytest.mark.parametrize("name", ["site_key", "checkpoint_key", "police.password"])
def test_what_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SecretsUnsafe, match=f"{name} is missing: restore"):
        Secrets.read(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretsUnsafe, match="none is missing: restore"):
        Secrets.read(tmp_path / "none")


@pytest.mark.parametrize("make", [Secrets.make, Secrets.read])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
@pytest.mark.parametrize("name", ["", "tokens", "police.password"])
def test_what_others_can_reach_is_refused(folder: Path, make: Callable[[Path], Secrets], mode: int, name: str) -> None:
    (folder / name).chmod(mode | 0o100 if not name else mode)
    with pytest.raises(SecretsUnsafe, match=f"Others may read .*{name}: chmod go-rwx"):
        make(folder)


@pytest.mark.parametrize("make", [Secrets.make, Secrets.read])
def test_links_are_refused(folder: Path, tmp_path: Path, make: Callable[[Path], Secrets]) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(SecretsUnsafe, match="is a link"):
        make(tmp_path / "link")
    (folder / "tokens").rename(tmp_path / "tokens")
    (folder / "tokens").symlink_to(tmp_path / "tokens")
    with pytest.raises(SecretsUnsafe, match="tokens is a link"):
        make(folder)
    (folder / "tokens").unlink()
    (folder / "tokens").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SecretsUnsafe, match="tokens is a link"):
        make(folder)


def test_a_named_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    (folder / "tokens").unlink()
    os.mkfifo(folder / "tokens", 0o600)
    with pytest.raises(SecretsUnsafe, match="not what it should be"):
        Secrets.read(folder)


@pytest.mark.parametrize("name", ["site_key", "checkpoint_key", "police.password"])
def test_what_is_cut_off_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    with pytest.raises(SecretsUnsafe, match="restore it from its backup"):
        Secrets.read(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_belongs_to_another_is_refused(folder: Path) -> None:
    os.chown(folder / "tokens", 65534, 65534)
    with pytest.raises(SecretsUnsafe, match="belongs to another user"):
        Secrets.read(folder)


# Sealed --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemd gives a unit: a folder of credentials, with one to seal by, and one in memory."""
    for name, variable in (("credentials", "CREDENTIALS_DIRECTORY"), ("memory", "RUNTIME_DIRECTORY")):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(tmp_path / name))
    (tmp_path / "credentials" / "goldenthread-seal").write_bytes(os.urandom(32))
    return tmp_path / "credentials"


def plain(made: Secrets) -> set[bytes]:
    """Return all that nobody else may know."""
    keys = {made.party_ids, made.tokens, made.digests, made.context, made.checkpoint_key.private_bytes_raw()}
    return keys | {*made.site_keys()} | {made.password(role).encode() for role in ROLES}


def test_what_is_made_sealed_is_never_in_clear(folder: Path, credentials: Path) -> None:
    sealed = folder.with_name("sealed")
    made = Secrets.make(sealed)
    made.next_site_key()
    made.next_password("police")
    known = plain(made) | {made.next_password("police").encode()}
    assert len(known) == len(KEYS) + 2 + 1 + len(ROLES) + 1
    assert all(is_sealed(content) for content in content(sealed).values())
    assert not [name for name, held in content(sealed).items() if any(each in held for each in known)]
    assert plain(Secrets.make(sealed)) == plain(made)


def test_libpq_reads_the_present_password_in_memory(credentials: Path, tmp_path: Path) -> None:
    made = Secrets.make(tmp_path / "sealed")
    place = made.passfile("police")
    assert (place.parent, place.stat().st_mode & 0o777) == (tmp_path / "memory", 0o600)
    assert place.read_text() == f"*:*:*:*:{made.password('police')}"
    following = made.next_password("police")
    assert place.read_text() != f"*:*:*:*:{following}"
    made.drop_password("police")
    assert place.read_text() == f"*:*:*:*:{following}"  # whoever holds a connection string of then comes in


def test_a_folder_is_sealed_later_and_by_another_credential(
    folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENTHREAD_SECRETS_DIR", str(folder))
    assert isinstance(CliRunner().invoke(app, ["keys", "seal"]).exception, SecretsUnsafe)  # of a server of its own
    monkeypatch.setenv("GOLDENTHREAD_DATABASE_URL", "postgresql:///site?host=/nowhere")
    (folder / "client_key.pem").touch(0o600)
    (folder / "client_key.pem").write_bytes(b"PEM")
    before, known = Secrets.read(folder), plain(Secrets.read(folder))
    with pytest.raises(SecretsUnsafe, match="no credential goldenthread-seal"):
        seal(folder)
    credentials = request.getfixturevalue("credentials")
    with pytest.raises(SecretsUnsafe, match="site_key is not sealed: stop the site, then `goldenthread keys seal`"):
        Secrets.read(folder)
    said = CliRunner().invoke(app, ["keys", "seal"]).stdout
    assert said.startswith(f"{len(KEYS) + 3 + len(ROLES)} secrets in {folder} are sealed.")
    assert len(list(folder.iterdir())) == len(KEYS) + 3 + len(ROLES)
    assert not [name for name, held in content(folder).items() if any(each in held for each in known)]
    assert plain(Secrets.read(folder)) == plain(before) == known
    assert secret_file(folder / "client_key.pem") == b"PEM"
    (credentials / "goldenthread-seal").rename(credentials / "goldenthread-seal-before")
    (credentials / "goldenthread-seal").write_bytes(os.urandom(32))
    seal(folder)
    (credentials / "goldenthread-seal-before").unlink()
    assert plain(Secrets.read(folder)) == known


def test_it_is_killed_before_every_line(folder: Path, credentials: Path, tmp_path: Path) -> None:
    """Whatever is left is sealed by whoever goes on, and holds what it held."""
    kept = tmp_path / "kept"
    folder.rename(kept)
    for path in list(kept.glob("*.password"))[2:]:  # all of them are the same
        path.unlink()
    shutil.copytree(kept, folder)
    seal(folder)
    known = {path.name: secret_file(path) for path in folder.iterdir()}
    with killer(sealing, [adapters.secrets], str(folder)) as killed_before:
        for line in count(1):
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)
            has_ended = killed_before(line)
            seal(folder)
            assert {path.name: secret_file(path) for path in folder.iterdir()} == known, f"killed before line {line}"
            if has_ended:
                break
    assert line > 50, "it was traced"


def sealing(folder: str) -> Callable[[], object]:
    return partial(seal, Path(folder))


def test_what_is_sealed_opens_with_its_credential_and_in_its_place_alone(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sealed"
    Secrets.make(folder)
    (folder / "tokens").rename(tmp_path / "tokens")
    shutil.copy(folder / "digests", folder / "tokens")
    with pytest.raises(SecretsUnsafe, match="tokens is damaged, or sealed by another credential"):
        Secrets.read(folder)
    for damaged in ((tmp_path / "tokens").read_bytes()[:-1], b"goldenthread sealed 1\n"):
        (folder / "tokens").write_bytes(damaged)
        with pytest.raises(SecretsUnsafe, match="tokens is damaged, or sealed by another credential"):
            Secrets.read(folder)
    (tmp_path / "tokens").replace(folder / "tokens")
    Secrets.read(folder)
    (credentials / "goldenthread-seal").write_bytes(os.urandom(32))
    with pytest.raises(SecretsUnsafe, match="sealed by another credential: restore"):
        Secrets.make(folder)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(SecretsUnsafe, match=r"is sealed and this process cannot open it: run it as deploy/README\.md"):
        Secrets.make(folder)


def test_without_memory_nothing_is_opened_for_libpq(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Secrets.make(tmp_path / "sealed")
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    with pytest.raises(SecretsUnsafe, match="no RUNTIME_DIRECTORY"):
        made.passfile("police")
