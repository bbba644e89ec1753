"""The folder of secrets: made once, the same for all, and refused when others can reach it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import adapters.secrets
from adapters.secrets import ROLES, Secrets, SecretsUnsafe

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
