"""The Merkle tree of RFC 9162 (section 2.1, as in RFC 6962): an append-only list that proves what it holds.

Every hash is 32 bytes of SHA-256. A proof is a list of hashes, in the order in which the verifiers consume them.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """The hash of an entry as a leaf: SHA-256(0x00 || body) (RFC 9162 2.1.1)."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right) (RFC 9162 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """An append-only Merkle tree over leaf hashes; it keeps every complete subtree, 64 bytes a leaf.

    It answers for its present size and for every size it had before.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        # Level k holds the hashes of the complete subtrees of 2**k leaves, one after the other.
        self._levels = [bytearray()]
        self.extend(leaves)

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_SIZE

    def append(self, leaf: bytes) -> int:
        """Append a leaf hash (32 bytes, see `leaf_hash`) and return its index, the first being 0.

        Raises ValueError for a leaf of any other length, and leaves the tree as it was.
        """
        if len(leaf) != HASH_SIZE:
            raise ValueError(f"A leaf hash has {HASH_SIZE} bytes, not {len(leaf)}.")
        index = position = len(self)
        self._levels[0] += leaf
        level = 0
        # A node at an odd position completes a subtree with the one before it.
        while position & 1:
            parent = node_hash(self._node(level, position - 1), self._node(level, position))
            level, position = level + 1, position >> 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += parent
        return index

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append every leaf hash, in order. Raises ValueError at the first that has not 32 bytes."""
        for leaf in leaves:
            self.append(leaf)

    def root(self, size: int | None = None) -> bytes:
        """The Merkle tree hash of the first `size` leaves, of all without it (RFC 9162 2.1.1): 32 bytes.

        Raises ValueError for a size the tree never had.
        """
        size = len(self) if size is None else size
        self._check_size(size)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that the leaf at `index` is among the first `size` leaves (RFC 9162 2.1.3.1), leaf side first.

        Raises ValueError for a size the tree never had and for an index outside it.
        """
        self._check_size(size)
        if not 0 <= index < size:
            raise ValueError(f"There is no leaf {index} in a tree of {size} leaves.")
        return self._path(index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the first `old` leaves begin the first `new` leaves (RFC 9162 2.1.4.1).

        It is empty between equal sizes and from the empty tree, where there is nothing to prove.
        Raises ValueError for a size the tree never had and for an old size above the new.
        """
        self._check_size(new)
        if not 0 <= old <= new:
            raise ValueError(f"A tree of {new} leaves has no earlier size {old}.")
        return self._subproof(old, 0, new) if old else []

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= len(self):
            raise ValueError(f"A tree of {len(self)} leaves never had the size {size}.")

    def _node(self, level: int, position: int) -> bytes:
        return bytes(self._levels[level][position * HASH_SIZE : (position + 1) * HASH_SIZE])

    # The three below are the recursive definitions of the RFC: MTH, PATH and SUBPROOF over the leaves start..end.
    # A range begins at a multiple of the largest power of two it can hold, so its left part is a stored node.

    def _subtree(self, start: int, end: int) -> bytes:
        level = (end - start).bit_length() - 1
        middle = start + (1 << level)
        left = self._node(level, start >> level)
        return left if middle == end else node_hash(left, self._subtree(middle, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = _middle(start, end)
        if index < middle:
            return [*self._path(index, start, middle), self._subtree(middle, end)]
        return [*self._path(index, middle, end), self._subtree(start, middle)]

    def _subproof(self, old: int, start: int, end: int) -> list[bytes]:
        if old == end:
            # From leaf 0 it is the whole old tree, whose root the verifier has.
            return [self._subtree(start, end)] if start else []
        middle = _middle(start, end)
        if old <= middle:
            return [*self._subproof(old, start, middle), self._subtree(middle, end)]
        return [*self._subproof(old, middle, end), self._subtree(start, middle)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows the leaf hash at `index` of the tree with this `size` and `root` (RFC 9162 2.1.3.2).

    False for anything else, out-of-range numbers included. Take size and root from one trusted checkpoint:
    a proof does not show the size, since trees of several sizes can have a path of the same shape.
    """
    if not 0 <= index < size or not _all_hashes(leaf, *proof):
        return False
    sides = list(_sides(index, size - 1))
    if len(sides) != len(proof):
        return False
    node = leaf
    for on_left, sibling in zip(sides, proof, strict=True):
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    return node == root


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree `new` begins with the tree `old`, sizes and roots (RFC 9162 2.1.4.2).

    False for anything else, out-of-range numbers included. Take each size and root from one trusted checkpoint.
    The empty tree begins every tree, with an empty proof.
    """
    if not 0 <= old <= new or not _all_hashes(old_root, new_root, *proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    # An old tree of 2**k leaves is a node of the new one; the proof leaves out what is its root.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    # The walk starts at the largest complete subtree that ends the old tree.
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    sides = list(_sides(node, last))
    if len(sides) + 1 != len(path):
        return False
    old_node = new_node = path[0]
    for on_left, sibling in zip(sides, path[1:], strict=True):
        if on_left:  # part of both trees; what stands to the right came later
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
        else:
            new_node = node_hash(new_node, sibling)
    return old_node == old_root and new_node == new_root


def _middle(start: int, end: int) -> int:
    """Where the RFC splits a range of two leaves or more: after the largest power of two below its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _sides(node: int, last: int) -> Iterator[bool]:
    """Whether the sibling stands on the left, for each on the way from a node up to the root.

    `node` and `last`, fn and sn in the RFC, are the places of the node and of the last node in their level.
    """
    while last:
        on_left = bool(node & 1)
        if on_left or node < last:  # else the last node is alone in its level and climbs as it is
            yield on_left
        node, last = node >> 1, last >> 1


def _all_hashes(*values: bytes) -> bool:
    # A byte moved from one hash to its neighbour would leave the hash over both the same.
    return all(len(value) == HASH_SIZE for value in values)
