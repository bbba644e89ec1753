"""services.checkpoint: published notes of Go's checksum database, round trips, and every way to be refused."""

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.checkpoint import BadCheckpoint, Checkpoint, Verifier, open_note, sign, verifier_of

NAME = "log.example/golden-thread"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = verifier_of(NAME, KEY.public_key())
CHECKPOINT = Checkpoint(NAME, 20852163, sha256(b"root").digest())
NOTE = sign(CHECKPOINT, NAME, KEY)

STRANGER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRANGER = verifier_of("stranger.example", STRANGER_KEY.public_key())

ROOT = b64encode(CHECKPOINT.root).decode()
GOOD_TEXT = f"{NAME}\n7\n{ROOT}\n"

# The example of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

# The key of Go's checksum database, and a tree that it signed.
GO = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_NOTE = """\
go.sum database tree
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def signature_line(text: str, name: str = NAME, key: Ed25519PrivateKey = KEY) -> str:
    """A signature of any text, written here from the specification and not with the code under test."""
    public = key.public_key().public_bytes_raw()
    key_hash = sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    return f"— {name} {b64encode(key_hash + key.sign(text.encode())).decode()}\n"


def signed(text: str) -> str:
    return f"{text}\n{signature_line(text)}"


def test_a_published_note_of_the_go_checksum_database_opens() -> None:
    root = bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
    assert open_note(GO_NOTE, Verifier.parse(GO)) == Checkpoint("go.sum database tree", 20852163, root)


def test_the_published_signed_note_verifies_and_is_signed_alike() -> None:
    peter, key = Verifier.parse(PETER), Ed25519PrivateKey.from_private_bytes(PETER_SEED)
    assert verifier_of("PeterNeumann", key.public_key()) == peter
    assert peter.key_hash.hex() == "c74f20a3"
    assert peter.verify(PETER_TEXT, b64decode(PETER_SIGNATURE)[4:])
    assert signature_line(PETER_TEXT, "PeterNeumann", key) == f"— PeterNeumann {PETER_SIGNATURE}\n"
    with pytest.raises(BadCheckpoint, match="origin, a size, a root"):  # well signed, but no checkpoint
        open_note(f"{PETER_TEXT}\n— PeterNeumann {PETER_SIGNATURE}\n", peter)


@pytest.mark.parametrize("vkey", [PETER, GO])
def test_a_verifier_key_prints_as_it_was_parsed(vkey: str) -> None:
    assert str(Verifier.parse(vkey)) == vkey


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1)
origins = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
checkpoints = st.builds(Checkpoint, origins, st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
keys = st.binary(min_size=32, max_size=32).map(Ed25519PrivateKey.from_private_bytes)


@given(checkpoints, names, keys)
def test_a_note_opens_to_what_was_signed(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> None:
    note = sign(checkpoint, name, key)
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{b64encode(checkpoint.root).decode()}\n"
    assert note == f"{text}\n{signature_line(text, name, key)}"
    assert open_note(note, Verifier.parse(str(verifier_of(name, key.public_key())))) == checkpoint


def test_no_altered_byte_opens() -> None:
    """Every bit of every byte, the spare bits of the base64 included."""
    whole = NOTE.encode()
    for position, byte in enumerate(whole):
        for bit in range(8):
            wrong = whole[:position] + bytes([byte ^ 1 << bit]) + whole[position + 1 :]
            with pytest.raises(BadCheckpoint):
                open_note(wrong.decode(errors="surrogateescape"), VERIFIER)


@given(st.integers(0, len(NOTE) - 1), st.characters(codec=None))
def test_no_dropped_or_inserted_character_opens(position: int, character: str) -> None:
    for wrong in (NOTE[:position] + NOTE[position + 1 :], NOTE[:position] + character + NOTE[position:]):
        with pytest.raises(BadCheckpoint):
            open_note(wrong, VERIFIER)


@given(st.text(st.characters(codec=None) | st.sampled_from("\n— +=A0")))
def test_any_other_text_is_a_bad_checkpoint(note: str) -> None:
    with pytest.raises(BadCheckpoint):
        open_note(note, VERIFIER)
    with pytest.raises(BadCheckpoint):
        open_note(f"{GOOD_TEXT}\n{note}", VERIFIER)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    stranger = signature_line(CHECKPOINT.text, "stranger.example", STRANGER_KEY)
    short = f"— witness.example {b64encode(b'12345').decode()}\n"
    same_name = signature_line(CHECKPOINT.text, NAME, STRANGER_KEY)
    same_hash = f"— other.example {b64encode(VERIFIER.key_hash + bytes(64)).decode()}\n"
    ours = signature_line(CHECKPOINT.text)
    others = stranger + short + same_name + same_hash
    for block in (others + ours, ours + others, ours + ours):
        assert open_note(f"{CHECKPOINT.text}\n{block}", VERIFIER) == CHECKPOINT
    with pytest.raises(BadCheckpoint, match=r"^No known key signed the note\.$"):
        open_note(f"{CHECKPOINT.text}\n{others}", VERIFIER)


def test_one_known_signature_of_several_verifiers_is_enough() -> None:
    assert open_note(NOTE, STRANGER, VERIFIER) == CHECKPOINT
    for verifiers in ((), (STRANGER,)):
        with pytest.raises(BadCheckpoint, match=r"^No known key signed the note\.$"):
            open_note(NOTE, *verifiers)


@pytest.mark.parametrize("signature", [bytes(64), b"short", bytes(65)])
def test_a_wrong_signature_of_a_known_key_spoils_the_note(signature: bytes) -> None:
    wrong = f"— {NAME} {b64encode(VERIFIER.key_hash + signature).decode()}\n"
    stranger = signature_line(CHECKPOINT.text, "stranger.example", STRANGER_KEY)
    for block in (wrong, wrong + stranger, stranger + wrong):
        with pytest.raises(BadCheckpoint, match=f"^The signature of {NAME} does not fit the text of the note"):
            open_note(f"{CHECKPOINT.text}\n{block}", VERIFIER, STRANGER)


def test_extension_lines_are_accepted_when_read() -> None:
    assert open_note(signed(f"{CHECKPOINT.text}more\n— and more\n"), VERIFIER) == CHECKPOINT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{NAME}\n07\n{ROOT}\n", "leading zeros"),
        (f"{NAME}\n00\n{ROOT}\n", "leading zeros"),
        (f"{NAME}\n-7\n{ROOT}\n", "without sign"),
        (f"{NAME}\n+7\n{ROOT}\n", "without sign"),
        (f"{NAME}\n 7\n{ROOT}\n", "decimal number"),
        (f"{NAME}\n1_0\n{ROOT}\n", "decimal number"),
        (f"{NAME}\n1\u0667\n{ROOT}\n", "decimal number"),
        (f"{NAME}\n{'9' * 5000}\n{ROOT}\n", "decimal number"),
        (f"{NAME}\n{2**64}\n{ROOT}\n", "from 0 to 18446744073709551615"),
        (f"{NAME}\n7\n{ROOT[:-1]}\n", "base64"),
        (f"{NAME}\n7\n{ROOT}=\n", "base64"),
        (f"{NAME}\n7\n!{ROOT[1:]}\n", "base64"),
        (f"{NAME}\n7\n{ROOT[:-2]}B=\n", "base64"),
        (f"{NAME}\n7\né{ROOT}\n", "base64"),
        (f"{NAME}\n7\n{b64encode(bytes(31)).decode()}\n", "has 32 bytes, not 31"),
        (f"\n7\n{ROOT}\n", "no line empty"),
        (f"{NAME}\n7\n", "no line empty"),
        (f"{GOOD_TEXT}\n", "no line empty"),
        (f"{GOOD_TEXT}\nafter an empty line\n", "no line empty"),
        ("\n", "no line empty"),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadCheckpoint, match=sentence):
        open_note(signed(text), VERIFIER)


@pytest.mark.parametrize("control", [chr(code) for code in range(32) if chr(code) != "\n"])
def test_control_characters_are_refused_wherever_they_stand(control: str) -> None:
    with pytest.raises(BadCheckpoint, match="without control characters"):
        open_note(signed(f"{GOOD_TEXT}extension{control}\n"), VERIFIER)
    with pytest.raises(BadCheckpoint, match="without control characters"):
        open_note(NOTE + control, VERIFIER)
    with pytest.raises(BadCheckpoint, match="without control characters"):
        Checkpoint(f"a{control}b", 7, bytes(32))
    with pytest.raises(ValueError, match="control characters"):
        Verifier(f"a{control}b", bytes(32))


LINE = signature_line(GOOD_TEXT)


@pytest.mark.parametrize(
    "note",
    [
        "",
        GOOD_TEXT,
        GOOD_TEXT + "\n",
        GOOD_TEXT + LINE,
        LINE,
        f"{GOOD_TEXT}\n{LINE[:-1]}",
        f"{GOOD_TEXT}\n{LINE}trailing",
        f"{GOOD_TEXT}\n{LINE}\n",
    ],
)
def test_a_note_without_its_three_parts_is_refused(note: str) -> None:
    with pytest.raises(BadCheckpoint, match=r"^A note is a text, an empty line and signature lines"):
        open_note(note, VERIFIER)


@pytest.mark.parametrize(
    "line",
    [
        f"-{LINE[1:]}",  # a hyphen for the dash
        "— name-only\n",
        "—  eHh4eHg=\n",
        "— with+plus eHh4eHg=\n",
        "— no\u00a0break eHh4eHg=\n",
        "— name eHh4eA==\n",  # a key hash without signature
        "— name not-base64\n",
        "— name eHh4eHg\n",
        "— name eHh4eHh=\n",  # a spare bit set
        "— name eHh4eHg= \n",
    ],
)
def test_a_malformed_signature_line_spoils_the_note(line: str) -> None:
    for block in (line + LINE, LINE + line):
        with pytest.raises(BadCheckpoint, match=r"^A signature line is an em dash, a key name and base64"):
            open_note(f"{GOOD_TEXT}\n{block}", VERIFIER)


@pytest.mark.parametrize("note", [signed(GOOD_TEXT).replace("\n", "\r\n"), signed(GOOD_TEXT).replace("7", "\ud800")])
def test_what_is_not_plain_utf8_is_refused(note: str) -> None:
    with pytest.raises(BadCheckpoint, match=r"^A note is UTF-8 without control characters"):
        open_note(note, VERIFIER)


def test_as_many_signatures_as_the_limit_are_read() -> None:
    assert open_note(f"{GOOD_TEXT}\n{LINE * 100}", VERIFIER).size == 7
    with pytest.raises(BadCheckpoint, match=r"^A note has at most 100 signatures\.$"):
        open_note(f"{GOOD_TEXT}\n{LINE * 101}", VERIFIER)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 0, bytes(32)),
        ("two\nlines", 0, bytes(32)),
        ("\udc80", 0, bytes(32)),
        ("log", -1, bytes(32)),
        ("log", 2**64, bytes(32)),
        ("log", 0, bytes(31)),
    ],
)
def test_a_checkpoint_that_no_note_can_carry_is_refused(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(BadCheckpoint, match=r"^The (origin|size|root) of a checkpoint .*\.$"):
        Checkpoint(origin, size, root)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b", "a\u3000b", "\ud800"])
def test_a_name_that_no_note_can_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^A key name is not empty"):
        sign(CHECKPOINT, name, KEY)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"^An Ed25519 public key has 32 bytes, not {length}\.$"):
        Verifier(NAME, bytes(length))


@pytest.mark.parametrize(
    ("vkey", "sentence"),
    [
        ("", "^A verifier key is"),
        ("PeterNeumann", "^A verifier key is"),
        ("PeterNeumann+c74f20a3", "^A verifier key is"),
        (PETER.replace("+AR", "+BR"), "^A verifier key is"),  # another algorithm
        (PETER + "\n", "^A verifier key is"),
        (PETER[:-4], "^An Ed25519 public key has 32 bytes, not 29"),
        (PETER + "AAAA", "^An Ed25519 public key has 32 bytes, not 35"),
        (PETER[PETER.index("+") :], "^A key name is not empty"),
        (PETER[1:], "^The hash in the verifier key of eterNeumann is not"),
        (PETER.replace("c74f20a3", "c74f20a4"), "^The hash in the verifier key"),
        (PETER.replace("c74f20a3", "C74F20A3"), "^The hash in the verifier key"),
    ],
)
def test_a_malformed_verifier_key_is_refused(vkey: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Verifier.parse(vkey)


def test_every_altered_character_of_a_verifier_key_is_refused() -> None:
    for position, character in enumerate(PETER):
        wrong = PETER[:position] + chr(ord(character) ^ 1) + PETER[position + 1 :]
        with pytest.raises(ValueError, match=r"\.$"):
            Verifier.parse(wrong)
