"""A witness: someone outside the site who signs that its log only ever grew (c2sp.org/tlog-witness).

A partner agency runs one. It keeps of each log one size and one root, signs what continues them, and nothing else; so a
site that shows two histories needs the witness's help for both.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.checkpoint import BadCheckpoint, Checkpoint, Verifier, cosign, open_note, origin_of, signers
from services.tree import EMPTY_ROOT, HASH_SIZE, verify_consistency

PATH: Final = "/add-checkpoint"
BODY_MOST: Final = 64 * 1024
"""Bytes of a request: 63 hashes and a note of a hundred signatures are far below it."""
_PROOF_MOST: Final = 63
_OLD: Final = re.compile("old (0|[1-9][0-9]{0,19})")
_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"


class Seen(NamedTuple):
    """The last checkpoint of a log that a witness signed: its size and root."""

    size: int
    root: bytes


NOTHING: Final = Seen(0, EMPTY_ROOT)


class Memory(Protocol):
    """What a witness remembers."""

    def advance(self, origin: str, decide: Callable[[Seen], Seen]) -> None:
        """Put what `decide` makes of a log's last checkpoint in its place, for good, before anyone else may look.

        What `decide` raises leaves everything as it was.
        """
        ...


class Answer(NamedTuple):
    """What a witness answers: an HTTP status, a body, its content type."""

    status: int
    body: str = ""
    content_type: str = _TEXT


class _Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness by its name and key, and the logs that it knows: by origin, the keys trusted for each."""

    name: str
    key: Ed25519PrivateKey
    logs: Mapping[str, Sequence[Verifier]]
    memory: Memory

    def add_checkpoint(self, request: bytes, now: Callable[[], int]) -> Answer:
        """Answer `add-checkpoint`: 200 with the cosignature, made at `now` (seconds) once the checkpoint is remembered.

        400: malformed. 403: signed by no trusted key. 404: of an unknown log. 409: it does not start from what was
        remembered, whose size is the body. 422: the proof does not hold.
        """
        try:
            old, proof, note = _parse(request)
            checkpoint = self._opened(note)
            if old > checkpoint.size:
                return Answer(400, "The old size is above the checkpoint's.\n")

            self.memory.advance(checkpoint.origin, partial(_continued, old, proof, checkpoint))
        except _Refused as refused:
            return refused.answer
        return Answer(200, cosign(note, self.name, self.key, now()))

    def _opened(self, note: str) -> Checkpoint:
        try:
            trusted = self.logs.get(origin_of(note))
        except BadCheckpoint as error:
            raise _Refused(Answer(400, f"{error}\n")) from None
        if trusted is None:
            raise _Refused(Answer(404, "The log is not one that this witness knows.\n"))
        try:
            return open_note(note, *signers(note, *trusted))
        except BadCheckpoint:
            raise _Refused(Answer(403, "No key that is trusted for this log signed the checkpoint.\n")) from None


def _continued(old: int, proof: Sequence[bytes], checkpoint: Checkpoint, seen: Seen) -> Seen:
    if old != seen.size or (checkpoint.size == seen.size and checkpoint.root != seen.root):
        raise _Refused(Answer(409, f"{seen.size}\n", _SIZE))
    if not verify_consistency(old, checkpoint.size, proof, seen.root, checkpoint.root):
        raise _Refused(Answer(422, "The proof does not hold: the log does not continue what was signed.\n"))
    return Seen(checkpoint.size, checkpoint.root)


def request(old: int, proof: Sequence[bytes], note: str) -> str:
    """Return the body by which a log asks a witness: the size that it signed last, and the proof from there."""
    return f"old {old}\n" + "".join(f"{b64encode(each).decode()}\n" for each in proof) + f"\n{note}"


def _parse(body: bytes) -> tuple[int, list[bytes], str]:
    try:
        head, empty_line, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        proof = [b64decode(line, validate=True) for line in lines]
    except ValueError:
        raise _Refused(Answer(400, "The request is not UTF-8, or its proof not base64.\n")) from None
    if old is None or not empty_line or len(proof) > _PROOF_MOST or any(len(each) != HASH_SIZE for each in proof):
        raise _Refused(Answer(400, "A request is the old size, at most 63 hashes, an empty line and a checkpoint.\n"))
    return int(old[1]), proof, note
