"""services.tree: the published RFC 6962 vectors, and every proof of small trees, whole and altered."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tree import EMPTY_ROOT, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion

# The vectors of certificate-transparency's merkle_tree_test: eight leaf bodies, and the root after each.
BODIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Every size up to here meets every index and every earlier size; the shapes repeat from one power of two to the next.
SIZES = 33
LEAVES = [leaf_hash(b"%d" % number) for number in range(2 * SIZES)]
TREE = Tree(LEAVES)


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH, word for word from RFC 9162 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def altered(value: bytes, position: int, change: int) -> bytes:
    position %= len(value)
    return value[:position] + bytes([value[position] ^ change]) + value[position + 1 :]


def altered_proofs(proof: list[bytes], position: int, change: int) -> list[list[bytes]]:
    """The proof with one byte of one element changed, one element left out, repeated or strange, or two swapped."""
    found = []
    for at, element in enumerate(proof):
        before, after = proof[:at], proof[at + 1 :]
        found += [
            [*before, altered(element, position, change), *after],
            [*before, *after],
            [*before, element, *proof[at:]],
            [*before, element[:-1], *after],
            [*before, element + b"\0", *after],
        ]
    found += [[*proof, bytes(32)], [bytes(32), *proof]]
    found += [[*proof[:at], right, left, *proof[at + 2 :]] for at, (left, right) in enumerate(pairwise(proof))]
    return found


flips = given(position=st.integers(0, 31), change=st.integers(1, 255))


def test_the_published_vectors() -> None:
    tree = Tree()
    assert (
        tree.root() == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )
    for index, (body, root) in enumerate(zip(BODIES, ROOTS, strict=True)):
        assert tree.append(leaf_hash(bytes.fromhex(body))) == index
        assert len(tree) == index + 1
        assert tree.root().hex() == root
    assert [tree.root(size).hex() for size in range(1, 9)] == ROOTS


def test_the_published_paths() -> None:
    """The proofs of the example tree of RFC 9162 2.1.5 (RFC 6962 2.1.3), seven leaves, by the RFC's names."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741 - the name in the RFC
    tree = Tree(LEAVES[:7])
    assert tree.root() == node_hash(k, l)
    assert tree.inclusion(0, 7) == [b, h, l]
    assert tree.inclusion(3, 7) == [c, g, l]
    assert tree.inclusion(4, 7) == [f, j, k]
    assert tree.inclusion(6, 7) == [i, k]
    assert tree.consistency(3, 7) == [c, d, g, l]
    assert tree.consistency(4, 7) == [l]
    assert tree.consistency(6, 7) == [i, j, k]


@given(st.lists(st.binary(max_size=4), max_size=80))
def test_the_root_is_the_recursive_definition(bodies: list[bytes]) -> None:
    leaves = [leaf_hash(body) for body in bodies]
    tree = Tree()
    tree.extend(leaves)
    for size in range(len(leaves) + 1):
        assert tree.root(size) == naive_root(leaves[:size])


@given(st.integers(1, 3000), st.data())
def test_the_proofs_of_large_trees_verify(size: int, data: st.DataObject) -> None:
    tree = Tree(leaf_hash(b"%d" % number) for number in range(size))
    new = data.draw(st.integers(1, size))
    old = data.draw(st.integers(0, new))
    index = data.draw(st.integers(0, new - 1))
    assert verify_inclusion(leaf_hash(b"%d" % index), index, new, tree.inclusion(index, new), tree.root(new))
    assert verify_consistency(old, new, tree.consistency(old, new), tree.root(old), tree.root(new))


def test_every_inclusion_proof_verifies_for_its_leaf_only() -> None:
    for size in range(1, SIZES + 1):
        root = TREE.root(size)
        for index in range(size):
            proof = TREE.inclusion(index, size)
            assert verify_inclusion(LEAVES[index], index, size, proof, root)
            for other in range(-1, size + 2):
                assert verify_inclusion(LEAVES[index], other, size, proof, root) is (other == index)
                assert other in (-1, index) or not verify_inclusion(LEAVES[other], index, size, proof, root)


def test_every_inclusion_proof_verifies_for_its_checkpoint_only() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            proof = TREE.inclusion(index, size)
            for other in range(2 * SIZES):
                assert verify_inclusion(LEAVES[index], index, other, proof, TREE.root(other)) is (other == size)


def test_an_inclusion_proof_does_not_show_the_size() -> None:
    """Why size and root come from one checkpoint: leaf 0 has a path of two elements in trees of 3 and of 4 leaves."""
    proof, root = TREE.inclusion(0, 3), TREE.root(3)
    assert [size for size in range(9) if verify_inclusion(LEAVES[0], 0, size, proof, root)] == [3, 4]


@flips
def test_no_altered_inclusion_proof_verifies(position: int, change: int) -> None:
    for size in (1, 2, 3, 5, 7, 8, 13):
        root = TREE.root(size)
        for index in range(size):
            leaf, proof = LEAVES[index], TREE.inclusion(index, size)
            assert not verify_inclusion(altered(leaf, position, change), index, size, proof, root)
            assert not verify_inclusion(leaf, index, size, proof, altered(root, position, change))
            for wrong in altered_proofs(proof, position, change):
                assert not verify_inclusion(leaf, index, size, wrong, root)


def test_every_consistency_proof_verifies_for_its_old_tree_only() -> None:
    for new in range(SIZES + 1):
        for old in range(new + 1):
            proof = TREE.consistency(old, new)
            for other in range(-1, new + 2):
                expected = other == old or (not proof and other in (0, new))  # where nothing needs a proof
                root = TREE.root(max(other, 0))
                assert verify_consistency(other, new, proof, root, TREE.root(new)) is expected


def test_every_consistency_proof_verifies_for_its_new_tree_only() -> None:
    for new in range(1, SIZES + 1):
        for old in range(1, new):
            proof = TREE.consistency(old, new)
            for other in range(2 * SIZES):
                assert verify_consistency(old, other, proof, TREE.root(old), TREE.root(other)) is (other == new)


@flips
def test_no_altered_consistency_proof_verifies(position: int, change: int) -> None:
    for new in (1, 2, 3, 5, 7, 8, 13):
        for old in range(new + 1):
            old_root, new_root, proof = TREE.root(old), TREE.root(new), TREE.consistency(old, new)
            assert not verify_consistency(old, new, proof, altered(old_root, position, change), new_root)
            # From the empty tree to any other there is no claim about the new root.
            assert not old or not verify_consistency(old, new, proof, old_root, altered(new_root, position, change))
            for wrong in altered_proofs(proof, position, change):
                assert not verify_consistency(old, new, wrong, old_root, new_root)


def test_no_rewritten_history_is_consistent() -> None:
    forged = Tree([leaf_hash(b"forged"), *LEAVES[1:SIZES]])
    for new in range(1, SIZES + 1):
        for old in range(1, new + 1):
            for proof in (TREE.consistency(old, new), forged.consistency(old, new)):
                assert not verify_consistency(old, new, proof, TREE.root(old), forged.root(new))


def test_a_byte_moved_to_the_next_hash_is_refused() -> None:
    (leaf, sibling), root = LEAVES[:2], TREE.root(2)
    assert verify_inclusion(leaf, 0, 2, [sibling], root)
    assert not verify_inclusion(leaf + sibling[:1], 0, 2, [sibling[1:]], root)
    assert verify_consistency(1, 2, [sibling], leaf, root)
    assert not verify_consistency(1, 2, [sibling[1:]], leaf + sibling[:1], root)
    assert not verify_consistency(1, 1, [], b"short", b"short")


def test_an_inner_node_is_not_the_leaf_of_its_bytes() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_leaf_of_another_length_is_refused(length: int) -> None:
    tree = Tree(LEAVES[:3])
    with pytest.raises(ValueError, match=rf"^A leaf hash has 32 bytes, not {length}\.$"):
        tree.append(bytes(length))
    assert (len(tree), tree.root()) == (3, TREE.root(3))


def test_arguments_out_of_range_are_refused() -> None:
    tree = Tree(LEAVES[:5])
    for size in (-1, 6):
        never = rf"^A tree of 5 leaves never had the size {size}\.$"
        with pytest.raises(ValueError, match=never):
            tree.root(size)
        with pytest.raises(ValueError, match=never):
            tree.inclusion(0, size)
        with pytest.raises(ValueError, match=never):
            tree.consistency(0, size)
    for index, size in ((-1, 5), (5, 5), (3, 3), (0, 0)):
        with pytest.raises(ValueError, match=rf"^There is no leaf {index} in a tree of {size} leaves\.$"):
            tree.inclusion(index, size)
    for old in (-1, 5):
        with pytest.raises(ValueError, match=rf"^A tree of 4 leaves has no earlier size {old}\.$"):
            tree.consistency(old, 4)
