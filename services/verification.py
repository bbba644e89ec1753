"""Verify a bundle: that a participant's leaves are whole, in order and unchanged, in a log that only ever grew.

Nobody has to be trusted or asked: no server, no key of the site's, no network. It needs Python, the package
`cryptography`, and of this project the files that are imported below. It runs by itself, too:

    python -m services.verification BUNDLE --checkpoint FILE

A bundle is JSON, bytes in lower-case hex:

- `format` 1, `origin` of the log, `key` (its C2SP verifier key), `checkpoint` (a signed note, perhaps with witnesses);
- `consistency`: the proof that this checkpoint continues an earlier one: `from` its size, and its `heads`; or null;
- `heads`: the checkpoint's last leaf, which says where each line ends: `salt`, `root` and its inclusion `proof`;
- `lines`: for each record of the participant `line`, its `head` in that map (`salt`, `proof`), where it `was` in the
  earlier map (the same, or null if it had not begun), and all its `leaves`: `number`, `index`, `previous`, `salt`,
  `facts`, `bearings` (`services/leaves.py`) and the inclusion `proof` of each. `facts` is a hash, or what it stands for
  with its `salt`;
- `names`: what the site calls the ids in it. Nothing proves these.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from services.checkpoint import BadCheckpoint, Checkpoint, Verifier, open_note, signers
from services.heads import Head, root_from
from services.leaves import SALT_SIZE, Place, body, committed, heads_body
from services.tree import HASH_SIZE, leaf_hash, verify_consistency, verify_inclusion

FORMAT: Final = 1


class Verdict(IntEnum):
    """What came out, and the exit status that says so. 2 is for options that cannot be."""

    VERIFIED = 0
    UNREADABLE = 1
    EDITED = 10
    DROPPED = 11
    REORDERED = 12
    TRUNCATED = 13
    FORKED = 14
    FORGED = 15
    UNWITNESSED = 16


class NotVerified(Exception):
    """The first thing that is wrong: what kind, and where and how in a sentence."""

    def __init__(self, verdict: Verdict, sentence: str) -> None:
        super().__init__(sentence)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf as a bundle shows it. `told`: its facts, if they are shown."""

    number: int
    index: int
    previous: bytes | None
    salt: bytes
    facts: bytes
    bearings: bytes
    proof: list[bytes]
    told: Mapping[str, Any] | None

    def hash(self, line: bytes) -> bytes:
        """Return its hash in a line."""
        place = Place(self.index, self.number, self.previous)
        return leaf_hash(self.salt + body(place, line, self.facts, self.bearings))


class _Proof(NamedTuple):
    """A salt, and the hashes that lead from what is salted to a root."""

    salt: bytes
    hashes: list[bytes]


class _Heads(NamedTuple):
    """The leaf that says where each line ends: its own proof, and the root that it states."""

    proof: _Proof
    root: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """The leaves of one record, and where the map of heads says that they end."""

    line: bytes
    head: _Proof
    was: _Proof | None
    leaves: list[Leaf]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it was read; nothing of it is believed yet."""

    origin: str
    key: str
    note: str
    since: int | None
    consistency: list[bytes]
    heads: _Heads
    were: _Heads | None
    lines: list[Line]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody kept: a checkpoint, with the key that it was given with, and the lines of a bundle kept whole."""

    note: str
    key: str | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified: the checkpoint, the one that it continues, how many leaves, which witnesses signed."""

    checkpoint: Checkpoint
    continues: Checkpoint
    leaves: int
    witnesses: tuple[str, ...]


def verify(
    bundle: Bundle, held: Held, *, key: str | None = None, witnesses: Sequence[str] = (), quorum: int | None = None
) -> Verified:
    """Verify a bundle against what somebody kept. Raises `NotVerified` with the first thing that is wrong.

    `key`: the log's verifier key; without it, the one that the checkpoint was kept with, else the one that the bundle
    names, which then must have signed what was kept. `quorum`: how many of the witnesses must have signed; all.
    """
    signer = _verifier(key or held.key or bundle.key)
    before = _opened(held.note, signer, "The checkpoint that you hold")
    now = _opened(bundle.note, signer, "The bundle's checkpoint")
    if not before.origin == now.origin == bundle.origin:
        raise NotVerified(
            Verdict.FORGED, f"The bundle is of the log {now.origin}, your checkpoint of the log {before.origin}."
        )
    _check_continues(bundle, held, before, now)
    signed = signers(bundle.note, *map(_verifier, witnesses))
    wanted = len(witnesses) if quorum is None else quorum
    if len(signed) < wanted:
        raise NotVerified(
            Verdict.UNWITNESSED,
            f"Of the witnesses that you trust {len(signed)} signed checkpoint {now.size}, and you ask for {wanted}. "
            "They may not have been asked yet: fetch the bundle again in an hour.",
        )
    there = {line.line for line in bundle.lines}
    if not there or any(line.line not in there for line in held.lines):
        raise NotVerified(Verdict.DROPPED, "Number 1: a whole line is missing from the bundle.")
    _check_heads(bundle.heads, now)
    if bundle.were is not None and now.size > before.size:
        _check_heads(bundle.were, before)
    for number, line in enumerate(bundle.lines, 1):
        at = f"Line {number}, " if len(bundle.lines) > 1 else ""
        hashes = _check_line(line, at, now, bundle.heads.root)
        _check_kept(line, at, hashes, before.size, held)
        if now.size > before.size:
            _check_prefix(line, at, hashes, before.size, bundle.were)
    return Verified(now, before, sum(len(line.leaves) for line in bundle.lines), tuple(v.name for v in signed))


def _verifier(text: str) -> Verifier:
    try:
        return Verifier.parse(text)
    except ValueError as error:
        raise NotVerified(Verdict.UNREADABLE, str(error)) from None


def _opened(note: str, signer: Verifier, whose: str) -> Checkpoint:
    try:
        return open_note(note, signer)
    except BadCheckpoint as error:
        raise NotVerified(Verdict.FORGED, f"{whose} is not signed by {signer}. {error}") from None


def _check_continues(bundle: Bundle, held: Held, before: Checkpoint, now: Checkpoint) -> None:
    if now.size < before.size:
        raise NotVerified(
            Verdict.TRUNCATED,
            f"Leaf {now.size} and all after it are gone: the log has {now.size} leaves, and had {before.size} when you "
            "kept your checkpoint.",
        )
    if now.size > before.size > 0 and bundle.since != before.size:
        raise NotVerified(
            Verdict.UNREADABLE,
            f"The bundle does not prove that it continues your checkpoint of {before.size} leaves: fetch it with "
            f"?since={before.size}",
        )
    proof = bundle.consistency if bundle.since == before.size and now.size > before.size else []
    if not verify_consistency(before.size, now.size, proof, before.root, now.root):
        raise NotVerified(Verdict.FORKED, _where_it_forks(bundle, held, before, now))


def _where_it_forks(bundle: Bundle, held: Held, before: Checkpoint, now: Checkpoint) -> str:
    said = f"Checkpoint {now.size} does not continue your checkpoint {before.size}: the site signed two histories. "
    kept = {line.line: line for line in held.lines}
    for line in bundle.lines:
        for old, new in zip_longest(kept[line.line].leaves if line.line in kept else [], line.leaves):
            if old is not None and (new is None or old.hash(line.line) != new.hash(line.line)):
                return f"{said}They part at or before leaf {old.index}, number {old.number} of the participant's."
    return f"{said}They part somewhere before leaf {before.size}."


def _check_heads(heads: _Heads, checkpoint: Checkpoint) -> None:
    index, size = checkpoint.size - 1, checkpoint.size
    leaf = leaf_hash(heads.proof.salt + heads_body(index, heads.root))
    if not verify_inclusion(leaf, index, size, heads.proof.hashes, checkpoint.root):
        raise NotVerified(Verdict.EDITED, f"Leaf {index}, which says where each line ends, is not the log's.")


def _check_line(line: Line, at: str, now: Checkpoint, root: bytes) -> list[bytes]:
    """Check the line by itself; return its leaves' hashes."""
    numbers = [leaf.number for leaf in line.leaves]
    hashes: list[bytes] = []
    last = -1
    for number, leaf in enumerate(line.leaves, 1):
        where = f"{at}number {number} (leaf {leaf.index})"
        if leaf.number != number:
            if leaf.number < number or number in numbers:
                raise NotVerified(Verdict.REORDERED, f"{where}: number {leaf.number} stands in its place.")
            raise NotVerified(Verdict.DROPPED, f"{at}number {number}: it is missing; number {leaf.number} follows.")
        if leaf.index <= last:
            raise NotVerified(Verdict.REORDERED, f"{where}: it stands before the leaf that it follows.")
        found = leaf.hash(line.line)
        if not verify_inclusion(found, leaf.index, now.size, leaf.proof, now.root):
            raise NotVerified(Verdict.EDITED, f"{where}: it is not what the log has there.")
        if leaf.previous != (hashes[-1] if hashes else None):
            raise NotVerified(Verdict.EDITED, f"{where}: the number before it is not the one that it was sealed after.")
        hashes.append(found)
        last = leaf.index
    ends = Head(len(hashes), hashes[-1] if hashes else bytes(HASH_SIZE))
    if root_from(line.line, ends, *line.head) != root:
        raise NotVerified(
            Verdict.TRUNCATED,
            f"{at}number {ends.number + 1}: the checkpoint does not say that the line ends before it: leaves at its "
            "end were left out, or what proves its end was changed.",
        )
    return hashes


def _check_prefix(line: Line, at: str, hashes: Sequence[bytes], since: int, were: _Heads | None) -> None:
    """Check that at the checkpoint that was kept the line ended where it now goes on."""
    count = sum(leaf.index < since for leaf in line.leaves)
    if not count or since == 0:
        return
    if were is None or line.was is None:
        _unreadable("The bundle does not say where the line ended at your checkpoint. Fetch it again.")
    if root_from(line.line, Head(count, hashes[count - 1]), *line.was) != were.root:
        raise NotVerified(
            Verdict.DROPPED,
            f"{at}number {count}: at your checkpoint of {since} leaves the line did not end with it. Leaves were left "
            "out then, or others were put in their place since.",
        )


def _check_kept(line: Line, at: str, hashes: list[bytes], since: int, held: Held) -> None:
    """Check the line against the bundle that was kept: it goes on where that one ended."""
    kept = next((one.leaves for one in held.lines if one.line == line.line), None)
    if kept is None:
        return
    for old, now in zip_longest(kept, hashes[: len(kept)]):
        if old.hash(line.line) != now:
            raise NotVerified(
                Verdict.FORKED, f"{at}number {old.number}: the bundle that you kept has another leaf there."
            )
    for leaf in line.leaves[len(kept) :]:
        if leaf.index < since:
            raise NotVerified(
                Verdict.DROPPED,
                f"{at}number {leaf.number} (leaf {leaf.index}): it stood in the log when you were given the bundle "
                "that you kept, and was left out of it.",
            )


# Reading -------------------------------------------------------------------------------------------------------------


def read_bundle(text: str) -> Bundle:
    """Read a bundle. Raises `NotVerified`, unreadable."""
    try:
        found = _json(text)
        if found["format"] != FORMAT:
            _unreadable("The bundle is of another format: get the version of this program that reads it.")
        since = found["consistency"]
        return Bundle(
            origin=_text(found["origin"]),
            key=_text(found["key"]),
            note=_text(found["checkpoint"]),
            since=None if since is None else _count(since["from"]),
            consistency=[] if since is None else _hashes(since["proof"]),
            heads=_heads(found["heads"]),
            were=None if since is None else _heads(since["heads"]),
            lines=[_line(line) for line in _list(found["lines"])],
            names={_text(number): _text(name) for number, name in found["names"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        _unreadable("The bundle is not what a site gives: it was cut short or written over. Fetch it again.")


def read_held(text: str) -> Held:
    """Read what somebody kept: a note, what the site answers about its checkpoint, or a bundle."""
    if not text.lstrip().startswith("{"):
        return Held(text)
    try:
        found = _json(text)
        if "lines" in found:
            bundle = read_bundle(text)
            return Held(bundle.note, bundle.key, tuple(bundle.lines))
        return Held(_text(found["checkpoint"]), _text(found["key"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        _unreadable("The checkpoint that you hold is neither a note, nor an answer of the site, nor a bundle.")


def _unreadable(sentence: str) -> NoReturn:
    raise NotVerified(Verdict.UNREADABLE, sentence)


def _json(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError
    return found


def _line(found: Mapping[str, Any]) -> Line:
    was = found["was"]
    return Line(
        _hex(found["line"]),
        _proof(found["head"]),
        None if was is None else _proof(was),
        [_leaf(leaf) for leaf in _list(found["leaves"])],
    )


def _proof(found: Mapping[str, Any]) -> _Proof:
    return _Proof(_hex(found["salt"], SALT_SIZE), _hashes(found["proof"]))


def _heads(found: Mapping[str, Any]) -> _Heads:
    return _Heads(_proof(found), _hex(found["root"]))


def _leaf(found: Mapping[str, Any]) -> Leaf:
    told = found["facts"]
    if isinstance(told, dict):
        facts = committed(_hex(told["salt"], SALT_SIZE), {name: told[name] for name in told if name != "salt"})
    else:
        facts, told = _hex(told), None
    return Leaf(
        number=_count(found["number"]),
        index=_count(found["index"]),
        previous=None if found["previous"] is None else _hex(found["previous"]),
        salt=_hex(found["salt"], SALT_SIZE),
        facts=facts,
        bearings=_hex(found["bearings"]),
        proof=_hashes(found["proof"]),
        told=told,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value


def _hex(value: Any, size: int = HASH_SIZE) -> bytes:
    found = bytes.fromhex(_text(value))
    if len(found) != size or found.hex() != value:
        raise ValueError
    return found


def _hashes(values: Any) -> list[bytes]:
    return [_hex(value) for value in _list(values)]


# The command ---------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the bundle that a command line names; say what came out, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="goldenthread verify",
        description="Verify a bundle against a checkpoint that you kept, without asking anybody. "
        "Exit status: " + ", ".join(f"{v.value} {v.name.lower()}" for v in Verdict) + ".",
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="the bundle, as the site gave it")
    parser.add_argument(
        "--checkpoint", metavar="FILE", type=Path, required=True, help="what you kept: a checkpoint, or an older bundle"
    )
    parser.add_argument(
        "--key", metavar="VKEY", help="the log's verifier key; else the one that the checkpoint came with"
    )
    parser.add_argument(
        "--witness", metavar="VKEY", action="append", default=[], help="a witness that you trust; may be repeated"
    )
    parser.add_argument("--quorum", metavar="K", type=int, help="how many of the witnesses must have signed; else all")
    parser.add_argument("--list", action="store_true", help="say what each leaf tells, too")
    given = parser.parse_args(arguments)
    if given.quorum is not None and not 0 <= given.quorum <= len(given.witness):
        parser.error(f"--quorum: name at least as many witnesses as you ask for, and {given.quorum} are asked for")
    try:
        held, bundle = read_held(_read(given.checkpoint)), read_bundle(_read(given.bundle))
        found = verify(bundle, held, key=given.key, witnesses=given.witness, quorum=given.quorum)
    except NotVerified as wrong:
        _say(f"{wrong.verdict.name.lower()}: {wrong}")
        return int(wrong.verdict)
    if given.list:
        for line in bundle.lines:
            for leaf in line.leaves:
                _say(_told(leaf, bundle.names))
    begun = [line for line in bundle.lines if line.leaves[0].index >= found.continues.size > 0]
    if begun:
        _say(f"{len(begun)} of {len(bundle.lines)} lines began after your checkpoint: if it was there before, ask why.")
    _say(
        f"verified: {found.leaves} leaves, none edited, dropped or moved, and none after them, as of checkpoint "
        f"{found.checkpoint.size} of {found.checkpoint.origin}, which continues yours of {found.continues.size}."
    )
    if given.witness:
        _say(f"witnessed by {', '.join(found.witnesses)}.")
    return int(Verdict.VERIFIED)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        _unreadable(f"{path} cannot be read.")


def _told(leaf: Leaf, names: Mapping[str, str]) -> str:
    if leaf.told is None:
        return f"{leaf.number:6}  (not yours to read)"
    told = {name: str(value) for name, value in leaf.told.items() if value is not None}
    who = " ".join(names.get(told[each], told[each]) for each in ("party", "staff") if each in told)
    what = " ".join(told[each] for each in ("topic", "surface", "purpose", "labels") if told.get(each))
    return f"{leaf.number:6}  {told.get('recorded_at', '')}  {told.get('kind', '')}  {who}  {what}"


def _say(line: str) -> None:
    # What a bundle says of itself is a stranger's text: it may not move the cursor.
    sys.stdout.write("".join(char if char.isprintable() else "?" for char in line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
