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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROLES: Final = (
    "recorder", "projector", "sealer", "case_manager", "liaison_prosecutor", "police", "recipient", "program",
    "court", "observer", "counsel", "legal_services", "participant", "privacy", "access",
)  # fmt: skip
_SITE_KEY: Final = "site_key"
_KEYS: Final = (_SITE_KEY, "party_ids", "tokens", "digests", "context", "checkpoint_key")
_KEY_BYTES: Final = 32
_ANYWHERE: Final = "*:*:*:*:"
"""Before the password, in libpq's own form: of any host, port, database and user."""
_SEALED: Final = b"goldenthread sealed 1\n"
"""What a sealed file begins with; then a nonce, and AES-256-GCM bound to the file's name."""
_NONCE_BYTES: Final = 12
_SEALS: Final = ("goldenthread-seal", "goldenthread-seal-before")
"""The credentials by which the folder is sealed, and was before: systemd gives them to the site's units alone."""


class SecretsUnsafe(RuntimeError):
    """A secret is missing, damaged, or within the reach of others; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Secrets:
    """The keys of a site, 32 bytes each, and its database roles' passwords. Never shown by `repr`.

    `folder` is 0700, every file in it 0600 and named after its secret; no symbolic links. `site_keys` wrap data keys;
    `party_ids` makes ids of a party's own; `tokens` seals position tokens and cursors; `digests` keys the digests in
    disclosure rows; `context` signs who the reader is; `checkpoint_key` signs checkpoints. Site keys and passwords are
    replaced while the site runs, and so are looked for whenever one is needed. Where systemd gives the process a
    credential for it, every file is sealed by that, and passwords lie open for libpq in memory alone
    (`RUNTIME_DIRECTORY`).
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
        return _password(self._kept(role))

    def passfile(self, role: str) -> Path:
        """Return the file from which libpq reads that password when it connects."""
        path = self._kept(role)
        return _in_memory(path) if _seals() else path

    def next_password(self, role: str) -> str:
        """Return the password that is to replace the present one, made now unless it was made already."""
        path = _next(self._kept(role))
        _make(path, _new_password)
        return _password(path)

    def drop_password(self, role: str) -> None:
        """Put the next password in the place of the present one, which is gone from the folder then."""
        _drop(self._kept(role))
        self.passfile(role)  # where it lies open for libpq, the present one does from now on

    def _kept(self, role: str) -> Path:
        return self.folder / f"{role}.password"

    @property
    def sealed(self) -> bool:
        """Return whether the folder is sealed."""
        return bool(_seals())  # else nothing could be read of it

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from renewing secrets of this folder meanwhile. Raises `SecretsUnsafe` where somebody does."""
        with _alone(self.folder):
            yield


def secret_file(path: Path) -> bytes:
    """Return what a file holds that only its owner may read. Raises `SecretsUnsafe`."""
    return _read(path)


def seal(folder: Path) -> int:
    """Seal every file of a folder of secrets by the credential of this process, or go on with it; return how many.

    One that is sealed already, by this credential or the one before, is sealed anew. Nobody else uses the folder
    meanwhile. Raises `SecretsUnsafe`.
    """
    _check_folder(folder)
    if not _seals():
        raise SecretsUnsafe(f"This process was given no credential {_SEALS[0]} to seal by: see deploy/README.md.")
    with _alone(folder):
        for left in folder.glob(".*"):  # by whoever was killed in making one
            left.unlink()
        paths = sorted(folder.iterdir())
        for path in paths:
            content = _bytes(path) or b""
            _aside(path, _closed(path, _opened(path, content) if is_sealed(content) else content)).replace(path)
        _sync(folder)
    return len(paths)


def is_sealed(content: bytes) -> bool:
    """Return whether these are the bytes of a sealed file."""
    return content.startswith(_SEALED)


def _seals() -> list[AESGCM]:
    """Return what this process was given to seal by, then what it was sealed by before."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    paths = [] if given is None else [path for name in _SEALS if (path := Path(given) / name).exists()]
    return [AESGCM(_key(path, path.read_bytes())) for path in paths]


def _closed(path: Path, content: bytes) -> bytes:
    """Return what a file holds for this content: the content, or sealed."""
    if not (seals := _seals()):
        return content
    nonce = os.urandom(_NONCE_BYTES)
    return _SEALED + nonce + seals[0].encrypt(nonce, content, _bound(path))


def _opened(path: Path, content: bytes) -> bytes:
    seals = _seals()
    if not is_sealed(content):
        if seals:
            raise SecretsUnsafe(f"{path} is not sealed: stop the site, then `goldenthread keys seal`.")
        return content
    if not seals:
        raise SecretsUnsafe(f"{path} is sealed and this process cannot open it: run it as deploy/README.md says.")
    sealed = content.removeprefix(_SEALED)
    for each in seals:
        with suppress(InvalidTag, ValueError):
            return each.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(path))
    raise SecretsUnsafe(f"{path} is damaged, or sealed by another credential: restore it from its backup.")


def _bound(path: Path) -> bytes:
    return path.name.removesuffix(".next").encode()  # it takes the place of the present one as it is


def _in_memory(path: Path) -> Path:
    """Return where a sealed password lies open for libpq, having put it there."""
    if (folder := os.environ.get("RUNTIME_DIRECTORY")) is None:
        raise SecretsUnsafe(f"{path} is sealed and there is no RUNTIME_DIRECTORY to open it in: see deploy/README.md.")
    place, content = Path(folder) / path.name, None
    while content != (content := _read(path)):  # as it is now, whoever renews it meanwhile
        _aside(place, content).replace(place)
    return place


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SecretsUnsafe(f"Secrets in {folder} are being renewed: wait until that is done.") from None
        yield
    finally:
        os.close(descriptor)


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
    content = _bytes(path)
    return None if content is None else _opened(path, content)


def _bytes(path: Path) -> bytes | None:
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
    # Linked when complete: the first of several processes wins, and nobody reads half a file.
    aside = _aside(path, _closed(path, new()))
    try:
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    _sync(path.parent)


def _aside(path: Path, content: bytes) -> Path:
    """Write a file that is to take a place; return it."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        Path(aside).unlink()
        raise
    return Path(aside)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
