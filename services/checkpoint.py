"""Checkpoints: the size and root of a log, signed (c2sp.org/tlog-checkpoint in c2sp.org/signed-note, Ed25519).

A note is the text, an empty line and the signatures:

    example.com/log
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/log <base64 of 4 bytes of key hash and 64 of signature>

A witness adds a line of its own (c2sp.org/tlog-cosignature, v1): its signature covers the time at which it signed, too.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"  # the signature type of signed-note
_COSIGNATURE = b"\x04"  # of tlog-cosignature: 8 bytes of time, then the signature
_TIME_SIZE = 8
_LAST_TIME = 2**63 - 1
_KEY_SIZE = 32
_ROOT_SIZE = 32
_MAX_SIZE = 2**64 - 1  # RFC 9162 counts leaves in 64 bits
_MAX_SIGNATURES = 100  # so that a stranger's note costs little to refuse; the specification wants 16 or more
_DASH = "\N{EM DASH}"


class BadCheckpoint(ValueError):
    """A checkpoint or note that is malformed, unsigned or wrongly signed; the message says which, in a sentence."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states of itself: its origin (unique name), its number of leaves and its root (32 bytes).

    Raises BadCheckpoint for what tlog-checkpoint cannot write: an origin that is empty or has control characters,
    a size below 0 or above 64 bits, a root of another length.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or not _is_note_text(self.origin):
            raise BadCheckpoint("The origin of a checkpoint is a non-empty line without control characters.")
        if not 0 <= self.size <= _MAX_SIZE:
            raise BadCheckpoint(f"The size of a checkpoint is a number from 0 to {_MAX_SIZE}, not {self.size}.")
        if len(self.root) != _ROOT_SIZE:
            raise BadCheckpoint(f"The root of a checkpoint has {_ROOT_SIZE} bytes, not {len(self.root)}.")

    @property
    def text(self) -> str:
        """The note text that is signed: origin, size and base64 root, each with its newline, no extension lines."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A name and the raw Ed25519 public key (32 bytes) trusted under it; `str()` gives its C2SP vkey.

    `cosigns`: it is a witness's, whose signatures say when they were made.

    Raises ValueError for a name that is empty or has spaces, plus signs or control characters, and for another
    length of key.
    """

    name: str
    public_key: bytes
    cosigns: bool = False

    def __post_init__(self) -> None:
        if not _is_key_name(self.name):
            raise ValueError("A key name is not empty and has no spaces, plus signs or control characters.")
        if len(self.public_key) != _KEY_SIZE:
            raise ValueError(f"An Ed25519 public key has {_KEY_SIZE} bytes, not {len(self.public_key)}.")

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{_base64(self._type + self.public_key)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """The verifier written as `<name>+<hash>+<base64>`, hash being 8 lowercase hex digits.

        Raises ValueError for any other form, for a key that is not Ed25519 and for a hash of another key.
        """
        name, _, rest = vkey.partition("+")
        key = _from_base64(rest.partition("+")[2])
        if key is None or key[:1] not in {_ED25519, _COSIGNATURE}:
            raise ValueError(
                "A verifier key is <name>+<hash>+<base64 of 0x01, or of 0x04 for a witness, and an Ed25519 public key>."
            )
        verifier = cls(name, key[1:], cosigns=key[:1] == _COSIGNATURE)
        if str(verifier) != vkey:
            raise ValueError(f"The hash in the verifier key of {name} is not that of its name and key.")
        return verifier

    @property
    def key_hash(self) -> bytes:
        """The first 4 bytes of SHA-256(name || newline || type || public key): which key a signature is of."""
        return sha256(self.name.encode() + b"\n" + self._type + self.public_key).digest()[:4]

    @property
    def _type(self) -> bytes:
        return _COSIGNATURE if self.cosigns else _ED25519

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether these bytes, 64 or a witness's 72, are this key's signature of the note text."""
        message = text.encode()
        if self.cosigns:
            at, signature = int.from_bytes(signature[:_TIME_SIZE]), signature[_TIME_SIZE:]
            if at > _LAST_TIME:
                return False
            message = _cosigned(text, at)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def verifier_of(name: str, public_key: Ed25519PublicKey, *, cosigns: bool = False) -> Verifier:
    """The verifier of a public key under a name. Raises ValueError for a name that a note cannot carry."""
    return Verifier(name, public_key.public_bytes_raw(), cosigns=cosigns)


def sign(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a note with one signature, by `key` under `name`, which should be the origin.

    Raises ValueError for a name that a note cannot carry.
    """
    key_hash = verifier_of(name, key.public_key()).key_hash
    text = checkpoint.text
    return f"{text}\n{_DASH} {name} {_base64(key_hash + key.sign(text.encode()))}\n"


def cosign(note: str, name: str, key: Ed25519PrivateKey, at: int) -> str:
    """The line by which a witness adds itself to a note, `at` seconds since 1970. Check the note first.

    Raises BadCheckpoint for a malformed note, ValueError for a name that a note cannot carry.
    """
    text, _ = _split(note)
    key_hash = verifier_of(name, key.public_key(), cosigns=True).key_hash
    signature = at.to_bytes(_TIME_SIZE) + key.sign(_cosigned(text, at))
    return f"{_DASH} {name} {_base64(key_hash + signature)}\n"


def signers(note: str, *verifiers: Verifier) -> list[Verifier]:
    """Those of the verifiers whose signature the note carries. Raises BadCheckpoint for a malformed note."""
    text, signatures = _split(note)
    return [
        verifier
        for verifier in dict.fromkeys(verifiers)
        if any(
            (verifier.name, verifier.key_hash) == (name, key_hash) and verifier.verify(text, signature)
            for name, key_hash, signature in signatures
        )
    ]


def origin_of(note: str) -> str:
    """The origin that a note states, verified or not. Raises BadCheckpoint for what is no checkpoint."""
    return _parse(_split(note)[0]).origin


def open_note(note: str, *verifiers: Verifier) -> Checkpoint:
    """The checkpoint of a note that at least one of the verifiers signed.

    Signatures of unknown keys are ignored, extension lines are checked and dropped. That the origin is the one
    expected is for the caller to compare. Raises BadCheckpoint when the note is malformed, when a known key's
    signature is wrong, whatever the others say, and when no known key signed.
    """
    text, signatures = _split(note)
    known = False
    for name, key_hash, signature in signatures:
        for verifier in verifiers:
            if (verifier.name, verifier.key_hash) == (name, key_hash):
                if not verifier.verify(text, signature):
                    raise BadCheckpoint(f"The signature of {name} does not fit the text of the note.")
                known = True
    if not known:
        raise BadCheckpoint("No known key signed the note.")
    return _parse(text)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text and the (name, key hash, signature) lines of a note, none of them verified."""
    if not _is_note_text(note):
        raise BadCheckpoint("A note is UTF-8 without control characters other than newlines.")
    text, empty_line, block = note.rpartition("\n\n")
    *lines, after = block.split("\n")
    if not empty_line or not lines or after:
        raise BadCheckpoint("A note is a text, an empty line and signature lines, each line with its newline.")
    if len(lines) > _MAX_SIGNATURES:
        raise BadCheckpoint(f"A note has at most {_MAX_SIGNATURES} signatures.")
    return f"{text}\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _from_base64(encoded)
    if dash != _DASH or not _is_key_name(name) or signature is None or len(signature) <= 4:  # noqa: PLR2004 - key hash
        raise BadCheckpoint("A signature line is an em dash, a key name and base64 of a key hash and a signature.")
    return name, signature[:4], signature[4:]


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or "" in lines:  # noqa: PLR2004 - origin, size and root
        raise BadCheckpoint("The text of a checkpoint is an origin, a size, a root and extensions, no line empty.")
    origin, size, encoded = lines[:3]
    if not re.fullmatch("0|[1-9][0-9]{0,19}", size):
        raise BadCheckpoint("The size of a checkpoint is a decimal number without sign or leading zeros.")
    root = _from_base64(encoded)
    if root is None:
        raise BadCheckpoint("The root of a checkpoint is written in base64.")
    return Checkpoint(origin, int(size), root)


def _is_note_text(text: str) -> bool:
    # A lone surrogate is the one thing a str can hold that UTF-8 cannot.
    return not re.search(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]", text)


def _is_key_name(name: str) -> bool:
    return name != "" and _is_note_text(name) and not any(char == "+" or char.isspace() for char in name)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _from_base64(encoded: str) -> bytes | None:
    """The bytes, or None. One value has one encoding: spare bits and padding that b64decode forgives are refused."""
    try:
        value = b64decode(encoded, validate=True)
    except ValueError:
        return None
    return value if _base64(value) == encoded else None
