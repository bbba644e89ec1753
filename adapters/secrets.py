"""The site's secrets: one folder outside the data, so that a copy of the one never carries the other."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROLES: Final = (
    "recorder", "projector", "sealer", "case_manager", "liaison_prosecutor", "police", "recipient", "program",
    "court", "observer", "counsel", "legal_services", "participant", "privacy", "access",
)  # fmt: skip
_SITE_KEY: Final = "site_key"
_KEYS: Final = (_SITE_KEY, "party_ids", "tokens", "digests", "context", "checkpoint_key")
_KEY_BYTES: Final = 32
_ANYWHERE: Final = "*:*:*:*:"
"""Before the password, in libpq's own form: of any host, port, database and user."""


class SecretsUnsafe(RuntimeError):
    """A secret is missing, damaged, or within the reach of others; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Secrets:
    """The keys of a site, 32 bytes each, and its database roles' passwords. Never shown by `repr`.

    `folder` is 0700, every file in it 0600 and named after its secret; no symbolic links. `site_keys` wrap data keys;
    `party_ids` makes ids of a party's own; `tokens` seals position tokens and cursors; `digests` keys the digests in
    disclosure rows; `context` signs who the reader is; `checkpoint_key` signs checkpoints. Site keys and passwords are
    replaced while the site runs, and so are looked for whenever one is needed.
    """

    folder: Path
    party_ids: bytes = field(repr=False)
    tokens: bytes = field(repr=False)
    digests: bytes = field(repr=False)
    context: bytes = field(repr=False)
    checkpoint_key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Read the secrets, having made those that are missing. Processes that do so at once get the same ones.

        Raises `SecretsUnsafe`.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(folder)
        for name in _KEYS:
            _make(folder / name, lambda: secrets.token_bytes(_KEY_BYTES))
        for role in ROLES:
            path = folder / f"{role}.password"
            _make(path, _new_password)
            _let_libpq_read(path)
        return cls.read(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the secrets. Raises `SecretsUnsafe`, also when one is missing."""
        _check_folder(folder)
        keys = {name: _key(folder / name, _read(folder / name)) for name in _KEYS}
        keys.pop(_SITE_KEY)
        signer = Ed25519PrivateKey.from_private_bytes(keys.pop("checkpoint_key"))
        found = cls(folder=folder, **keys, checkpoint_key=signer)
        if not all(map(found.password, ROLES)):
            raise SecretsUnsafe(f"A password in {folder} is empty: restore it from its backup.")
        return found

    def site_keys(self) -> tuple[bytes, ...]:
        """Return the site keys that there are now: one, or while it is replaced that one and the next.

        Raises `SecretsUnsafe`.
        """
        # The next one is looked for first: who finds none finds it in the place of the other.
        path = _next(self.folder / _SITE_KEY)
        following = _found(path)
        present = _key(self.folder / _SITE_KEY, _read(self.folder / _SITE_KEY))
        return (present,) if following is None else (present, _key(path, following))

    def next_site_key(self) -> bytes:
        """Return the site key that is to replace the present one, made now unless it was made already."""
        path = _next(self.folder / _SITE_KEY)
        _make(path, lambda: secrets.token_bytes(_KEY_BYTES))
        return _key(path, _read(path))

    def drop_site_key(self) -> None:
        """Put the next site key in the place of the present one, which is gone from the folder then."""
        _drop(self.folder / _SITE_KEY)

    def password(self, role: str) -> str:
        """Return the password of the database login for one of `ROLES`; raise `SecretsUnsafe` for another name."""
        return _password(self.passfile(role))

    def passfile(self, role: str) -> Path:
        """Return the file from which libpq reads that password when it connects."""
        return self.folder / f"{role}.password"

    def next_password(self, role: str) -> tuple[str, Path]:
        """Return the password that is to replace the present one, made now unless it was made already; and its file."""
        path = _next(self.passfile(role))
        _make(path, _new_password)
        return _password(path), path

    def drop_password(self, role: str) -> None:
        """Put the next password in the place of the present one, which is gone from the folder then."""
        _drop(self.passfile(role))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from renewing secrets of this folder meanwhile. Raises `SecretsUnsafe` where somebody does."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SecretsUnsafe(f"Secrets in {self.folder} are being renewed: wait until that is done.") from None
            yield
        finally:
            os.close(descriptor)


def secret_file(path: Path) -> bytes:
    """Return what a file holds that only its owner may read. Raises `SecretsUnsafe`."""
    return _read(path)


def _check_folder(folder: Path) -> None:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        raise SecretsUnsafe(f"The folder of secrets {folder} is missing: restore it from its backup.") from None
    _check(folder, found, stat.S_ISDIR)


def _check(path: Path, found: os.stat_result, is_right: Callable[[int], bool]) -> None:
    if not is_right(found.st_mode):
        raise SecretsUnsafe(f"{path} is a link or not what it should be: put the real thing in its place.")
    if found.st_mode & 0o077:
        raise SecretsUnsafe(f"Others may read {path}: chmod go-rwx {path}")
    if found.st_uid != os.geteuid():
        raise SecretsUnsafe(f"{path} belongs to another user: chown it to the one who runs Golden Thread.")


def _key(path: Path, key: bytes) -> bytes:
    if len(key) != _KEY_BYTES:
        raise SecretsUnsafe(f"{path} is damaged: restore it from its backup.")
    return key


def _read(path: Path) -> bytes:
    if (found := _found(path)) is None:
        raise SecretsUnsafe(f"The secret {path} is missing: restore it from its backup.")
    return found


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _drop(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}*"):  # by whoever was killed in making one
        left.unlink()
    _next(path).replace(path)
    _sync(path.parent)


def _new_password() -> bytes:
    return (_ANYWHERE + secrets.token_urlsafe(_KEY_BYTES)).encode()


def _let_libpq_read(path: Path) -> None:
    """Write the bare password of an earlier version as libpq reads it."""
    bare = _read(path)
    if bare and b":" not in bare:
        _make(_next(path), lambda: _ANYWHERE.encode() + bare)
        with suppress(FileNotFoundError):  # another process was faster
            _drop(path)


def _password(path: Path) -> str:
    return _read(path).decode().removeprefix(_ANYWHERE)


def _found(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretsUnsafe(f"{path} is a link or cannot be read ({error.strerror}).") from None
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor), stat.S_ISREG)
        return file.read()


def _make(path: Path, new: Callable[[], bytes]) -> None:
    if path.is_symlink() or path.exists():
        return
    # Written aside and linked when complete: the first of several processes wins, and nobody reads half a file.
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new())
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        Path(aside).unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
