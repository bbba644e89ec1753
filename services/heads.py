"""Where each line of leaves ends: a map that has one place for each line, so that it cannot say two things of one.

The root of a map is that of a binary tree in which a line stands where its bits lead, from the first on, no deeper
than it needs to stand alone. An empty branch is 32 zero bytes. A line's own node is SHA-256(0x00 || salt || line ||
number || hash): how many leaves it has (8 bytes, big-endian), and its last leaf's hash. Inner nodes are those of
`services/tree.py`. Each line has a salt of its own in each map, so that of its neighbours nothing can be told, not even
that they moved.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from services.leaves import salt_for
from services.tree import node_hash

_EMPTY: Final = bytes(32)
_BITS: Final = 256


class Head(NamedTuple):
    """Where a line ends: how many leaves it has, and the hash of the last."""

    number: int
    hash: bytes


class Heads:
    """Where each line (32 bytes) ends, as one leaf of the log says it; `salt` is that leaf's own."""

    def __init__(self, heads: Mapping[bytes, Head], salt: bytes) -> None:
        self._salt = salt
        self._lines = sorted(heads)
        self._nodes = [_node(line, heads[line], self.salt(line)) for line in self._lines]
        self._heads = heads

    def salt(self, line: bytes) -> bytes:
        """Return a line's salt in this map."""
        return salt_for("head", self._salt + line)

    def root(self) -> bytes:
        """Return the root: 32 bytes."""
        return self._branch(0, len(self._lines), 0)

    def proof(self, line: bytes) -> list[bytes]:
        """Return the siblings of a line's node, from the root on. Raises `KeyError` for a line without leaves."""
        if line not in self._heads:
            raise KeyError(line)
        found, start, end, depth = list[bytes](), 0, len(self._lines), 0
        while end - start > 1:
            middle = self._middle(start, end, depth)
            if _bit(line, depth):
                found.append(self._branch(start, middle, depth + 1))
                start = middle
            else:
                found.append(self._branch(middle, end, depth + 1))
                end = middle
            depth += 1
        return found

    def _branch(self, start: int, end: int, depth: int) -> bytes:
        if start == end:
            return _EMPTY
        if end - start == 1:
            return self._nodes[start]
        middle = self._middle(start, end, depth)
        return node_hash(self._branch(start, middle, depth + 1), self._branch(middle, end, depth + 1))

    def _middle(self, start: int, end: int, depth: int) -> int:
        """Return the first of these lines whose bit is set; they have the bits before it in common."""
        return bisect_left(self._lines, 1, start, end, key=lambda line: _bit(line, depth))


def root_from(line: bytes, head: Head, salt: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the root of the map in which a line ends so, by its proof; None for a proof deeper than any map."""
    if len(proof) > _BITS:
        return None
    node = _node(line, head, salt)
    for depth in reversed(range(len(proof))):
        node = node_hash(proof[depth], node) if _bit(line, depth) else node_hash(node, proof[depth])
    return node


def _node(line: bytes, head: Head, salt: bytes) -> bytes:
    return sha256(b"\x00" + salt + line + head.number.to_bytes(8) + head.hash).digest()


def _bit(line: bytes, depth: int) -> int:
    return line[depth >> 3] >> (7 - (depth & 7)) & 1
