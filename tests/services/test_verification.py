"""services.verification: what anybody does to a participant's bundle, or the site to its own log, is found, and where.

Ray's leaves are numbers 1 to 6 of his line; the log has other people's between them. Its first checkpoint is of 8
leaves, the second of 16.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cryptography
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from adapters.cli.main import app
from services import verification
from services.checkpoint import Checkpoint, cosign, sign, verifier_of
from services.leaves import Stored, committed
from services.verification import NotVerified, Verdict, Verified, main, read_bundle, read_held, verify
from tests.services.played_log import ANA, HISTORY, JOE, KEY, ORIGIN, RAY, PlayedLog, disclosure, event

Bundle = dict[str, Any]

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
EARLY, LATE = HISTORY[:5], HISTORY[5:]
LOG = PlayedLog().seal(EARLY).seal(LATE)
OLD, NEW = sorted(LOG.sizes)
KEPT: Bundle = PlayedLog().seal(EARLY).checkpoint()
"""What a defender saved when the log had its first checkpoint."""
KEPT_BUNDLE: Bundle = PlayedLog().seal(EARLY).bundle()
BUNDLE: Bundle = LOG.bundle(since=OLD)


def checked(bundle: Bundle, kept: Any = KEPT, **options: Any) -> Verified:
    return verify(
        read_bundle(json.dumps(bundle)), read_held(kept if isinstance(kept, str) else json.dumps(kept)), **options
    )


def found(bundle: Bundle, kept: Any = KEPT, **options: Any) -> tuple[Verdict, str]:
    with pytest.raises(NotVerified) as wrong:
        checked(bundle, kept, **options)
    return wrong.value.verdict, str(wrong.value)


def test_an_honest_bundle_verifies_against_whatever_was_kept() -> None:
    for kept in (KEPT, KEPT["checkpoint"], KEPT_BUNDLE):
        verified = checked(BUNDLE, kept)
        assert (verified.leaves, verified.checkpoint.size, verified.continues.size) == (6, NEW, OLD)
    assert checked(LOG.bundle(), LOG.checkpoint()).leaves == 6  # the same checkpoint: nothing to prove between them
    assert checked(LOG.bundle(RAY, ANA, JOE, since=OLD)).leaves == 9


# What somebody does to the file --------------------------------------------------------------------------------------

Tamper = Callable[[Bundle, list[Any]], object]


def swapped(leaves: list[Any]) -> None:
    leaves[2], leaves[3] = leaves[3], leaves[2]


def renumbered(leaves: list[Any]) -> None:
    del leaves[2]
    for number, leaf in enumerate(leaves, 1):
        leaf["number"] = number


FILES: dict[str, tuple[Tamper, Verdict, str]] = {
    "edit: what was shown": (
        lambda _, leaves: leaves[2]["facts"].update(labels="need.housing"), Verdict.EDITED, "number 3 (leaf 3)",
    ),
    "edit: when": (
        lambda _, leaves: leaves[2]["facts"].update(recorded_at="2026-03-18T09:05:00.000000+00:00"), Verdict.EDITED,
        "number 3 (leaf 3)",
    ),
    "edit: a fact more": (lambda _, leaves: leaves[0]["facts"].update(more=1), Verdict.EDITED, "number 1 (leaf 0)"),
    "edit: what is not shown": (lambda _, leaves: leaves[4].update(bearings="00" * 32), Verdict.EDITED, "number 5"),
    "edit: its place": (lambda _, leaves: leaves[4].update(index=leaves[4]["index"] + 1), Verdict.EDITED, "number 5"),
    "edit: of the leaf of heads": (
        lambda bundle, _: bundle["heads"].update(root="00" * 32), Verdict.EDITED, f"Leaf {NEW - 1}",
    ),
    "drop: in the middle": (lambda _, leaves: leaves.pop(2), Verdict.DROPPED, "number 3: it is missing; number 4"),
    "drop: the first": (lambda _, leaves: leaves.pop(0), Verdict.DROPPED, "number 1: it is missing; number 2"),
    "drop: and the rest renumbered": (lambda _, leaves: renumbered(leaves), Verdict.EDITED, "number 3 (leaf"),
    "drop: the whole line": (lambda bundle, _: bundle["lines"].clear(), Verdict.DROPPED, "a whole line"),
    "reorder: two swapped": (lambda _, leaves: swapped(leaves), Verdict.REORDERED, "number 3 (leaf 9): number 4"),
    "truncation: the last": (lambda _, leaves: leaves.pop(), Verdict.TRUNCATED, "number 6:"),
    "truncation: all but one": (lambda _, leaves: leaves.__delitem__(slice(1, None)), Verdict.TRUNCATED, "number 2:"),
    "truncation: all": (lambda _, leaves: leaves.clear(), Verdict.TRUNCATED, "number 1:"),
    "one put in twice": (lambda _, leaves: leaves.append(leaves[-1]), Verdict.REORDERED, "number 7"),
}  # fmt: skip


@pytest.mark.parametrize("tamper", FILES)
def test_what_is_done_to_the_file_is_found_with_its_first_position(tamper: str) -> None:
    do, verdict, place = FILES[tamper]
    bundle = copy.deepcopy(BUNDLE)
    do(bundle, bundle["lines"][0]["leaves"])
    said, sentence = found(bundle)
    assert said is verdict, sentence
    assert place in sentence


def test_the_first_of_several_is_named() -> None:
    bundle = copy.deepcopy(BUNDLE)
    leaves = bundle["lines"][0]["leaves"]
    leaves[4]["facts"]["labels"] = leaves[1]["facts"]["topic"] = "x"
    assert found(bundle)[1].startswith("number 2 (leaf 2)")


# What the site itself does, with its own key -------------------------------------------------------------------------


def test_a_history_written_anew_is_a_fork_for_whoever_kept_a_checkpoint() -> None:
    """The site edits a sealed row, makes every leaf and proof anew, and signs: perfect, but for what somebody kept."""
    for early, number in (
        ([*EARLY[:3], disclosure(4, RAY, "police.list"), EARLY[4]], 3),  # edited
        ([*EARLY[:3], EARLY[4]], 3),  # dropped
        ([*EARLY[:2], EARLY[3], EARLY[2], EARLY[4]], 2),  # reordered
    ):
        anew = PlayedLog().seal(early).seal(LATE)
        checked(anew.bundle(), anew.checkpoint())  # nothing is wrong with it by itself
        said, sentence = found(anew.bundle(since=OLD))
        assert said is Verdict.FORKED, sentence
        assert f"before leaf {OLD}" in sentence
        said, sentence = found(anew.bundle(since=OLD), KEPT_BUNDLE)  # who kept a bundle is told where
        assert said is Verdict.FORKED
        assert f"at or before leaf {number}, number {number} of" in sentence


def test_a_log_that_was_cut_is_found() -> None:
    cut = PlayedLog().seal(EARLY)
    said, sentence = found(cut.bundle(), LOG.checkpoint())
    assert (said, sentence.split(" ")[:2]) == (Verdict.TRUNCATED, ["Leaf", f"{OLD}"])


def test_two_histories_of_one_size_are_a_fork() -> None:
    other = PlayedLog().seal([*EARLY[:3], disclosure(4, RAY, "police.list"), EARLY[4]])
    assert found(other.bundle())[0] is Verdict.FORKED


def test_a_leaf_left_out_since_the_start_is_found_by_whoever_kept_a_bundle() -> None:
    """The site seals Ray's third leaf, but says that his line ends with the second, and signs that."""
    lying = PlayedLog(lies={RAY: 2}).seal(EARLY)
    kept = lying.bundle(most=2)
    assert checked(kept, kept).leaves == 2  # nobody can know yet
    honest = copy.deepcopy(lying)
    honest.lies = {}
    said, sentence = found(
        honest.seal(LATE).bundle(since=OLD), lying.checkpoint()
    )  # who kept no more than a checkpoint
    assert said is Verdict.DROPPED
    assert sentence.startswith("number 3: at your checkpoint of 8 leaves the line did not end with it")
    for lies, most, verdict, place in (
        ({}, None, Verdict.DROPPED, "number 3 (leaf 3)"),  # it says so after all
        ({RAY: 2}, None, Verdict.TRUNCATED, "number 7"),  # it gives the leaf and goes on lying
    ):
        lying.lies = lies
        later = copy.deepcopy(lying).seal(LATE)
        said, sentence = found(later.bundle(since=OLD, most=most), kept)
        assert said is verdict, sentence
        assert place in sentence


def test_a_leaf_put_in_anothers_place_later_is_found() -> None:
    """The log only grows; but the site seals another third leaf of Ray's, says that this is it, and goes on."""
    log = PlayedLog().seal(EARLY)
    kept, kept_bundle = log.checkpoint(), log.bundle()
    log.rows = [at for at in log.rows if (at[1].participant, at[0].number) != (RAY, 3)]
    del log._hashes[RAY][2:]
    log.seal([disclosure(4, RAY, "police.list"), *LATE])
    checked(log.bundle(), log.checkpoint())  # who kept nothing cannot know
    said, sentence = found(log.bundle(since=OLD), kept_bundle)
    assert (said, sentence) == (Verdict.FORKED, "number 3: the bundle that you kept has another leaf there.")
    said, sentence = found(log.bundle(since=OLD), kept)
    assert said is Verdict.DROPPED
    assert sentence.startswith("number 2: at your checkpoint of 8 leaves the line did not end with it")


def test_a_line_left_out_of_a_later_bundle_is_found() -> None:
    kept = PlayedLog().seal(EARLY).bundle(RAY, ANA)
    checked(LOG.bundle(RAY, ANA, since=OLD), kept)
    assert found(LOG.bundle(RAY, since=OLD), kept)[0] is Verdict.DROPPED


def test_a_line_that_began_after_the_checkpoint_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, LOG.bundle(JOE, since=OLD)) == 0
    assert capsys.readouterr().out.startswith("1 of 1 lines began after your checkpoint: ")


def test_a_line_that_was_sealed_in_two_ways_is_found() -> None:
    """Every leaf is in the log and the line ends as the site says; but the fourth was sealed after another third."""
    log = PlayedLog().seal(EARLY)
    log._hashes[RAY][-1] = bytes(32)
    said, sentence = found(log.seal(LATE).bundle(since=OLD))
    assert said is Verdict.EDITED
    assert sentence.startswith("number 4 (leaf 9): the number before it is not the one")


def test_a_forged_checkpoint_is_found() -> None:
    forger = PlayedLog(signer=STRANGER).seal(EARLY).seal(LATE)
    theirs = forger.bundle(since=OLD)
    for kept in (KEPT, KEPT["checkpoint"], KEPT_BUNDLE):
        assert found(theirs, kept)[0] is Verdict.FORGED
    assert found(theirs, forger.checkpoint(), key=KEPT["key"])[0] is Verdict.FORGED
    with_our_name = copy.deepcopy(BUNDLE)
    with_our_name["checkpoint"] = with_our_name["checkpoint"].replace("\n16\n", "\n24\n")
    said, sentence = found(with_our_name)
    assert said is Verdict.FORGED
    assert sentence.startswith("The bundle's checkpoint is not signed by lead.example/county+")
    elsewhere = PlayedLog(origin="lead.example/other").seal(EARLY)
    assert found(elsewhere.bundle(), elsewhere.checkpoint() | {"key": KEPT["key"]})[0] is Verdict.FORGED
    of_another_log = sign(Checkpoint("lead.example/other", NEW, LOG.tree.root()), ORIGIN, KEY)
    assert found(BUNDLE | {"checkpoint": of_another_log})[1].startswith("The bundle is of the log lead.example/other")


def test_witnesses_are_counted_when_they_are_asked_for() -> None:
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3)]
    vkeys = [str(verifier_of(f"w{n}.example", key.public_key(), cosigns=True)) for n, key in enumerate(keys)]
    lines = [cosign(BUNDLE["checkpoint"], f"w{n}.example", key, 1_700_000_000 + n) for n, key in enumerate(keys)]
    signed = BUNDLE | {"checkpoint": BUNDLE["checkpoint"] + lines[0] + lines[1]}
    assert checked(signed).witnesses == ()
    assert checked(signed, witnesses=vkeys[:2]).witnesses == ("w0.example", "w1.example")
    assert checked(signed, witnesses=vkeys, quorum=2).witnesses == ("w0.example", "w1.example")
    assert found(signed, witnesses=vkeys)[0] is Verdict.UNWITNESSED
    assert found(signed, witnesses=[vkeys[2]])[0] is Verdict.UNWITNESSED
    assert found(signed, witnesses=[vkeys[0]] * 3, quorum=2)[0] is Verdict.UNWITNESSED  # one is one
    moved = lines[0].replace("w0.example", "w1.example")
    assert found(BUNDLE | {"checkpoint": BUNDLE["checkpoint"] + moved}, witnesses=vkeys[:1])[0] is Verdict.UNWITNESSED
    other_time = BUNDLE["checkpoint"] + lines[0][:-9] + "AAAAAAA=\n"
    assert found(BUNDLE | {"checkpoint": other_time}, witnesses=vkeys[:1])[0] is Verdict.UNWITNESSED


# Anything at all -----------------------------------------------------------------------------------------------------


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value within a bundle that a verdict rests on."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*at, key)
            yield from places(value[key], (*at, key))


UNPROVEN = {("names",), ("key",)}
"""The names that a site gives to ids, which nothing proves, and a key, where one was kept."""
PLACES = [place for place in places(BUNDLE) if place[:1] not in UNPROVEN]


@given(
    place=st.sampled_from(PLACES),
    value=st.one_of(
        st.none(), st.integers(-1, 30), st.text(max_size=5), st.binary(min_size=32, max_size=32).map(bytes.hex),
        st.just([]), st.just({}), st.booleans(), st.floats(allow_nan=False), st.just("gone"),
    ),
)  # fmt: skip
def test_no_other_value_anywhere_verifies(place: tuple[Any, ...], value: Any) -> None:
    bundle = copy.deepcopy(BUNDLE)
    holder = bundle
    for key in place[:-1]:
        holder = holder[key]
    if json.dumps(holder[place[-1]]) == json.dumps(value):
        return
    if value == "gone":
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    found(bundle)


@given(
    st.text(),
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)),
)
def test_what_is_no_bundle_is_unreadable(text: str, value: Any) -> None:
    for what in (text, json.dumps(value), json.dumps(BUNDLE)[:-7], "[" * 100_000):
        with pytest.raises(NotVerified) as wrong:
            read_bundle(what)
        assert wrong.value.verdict is Verdict.UNREADABLE


# Of others, nothing but hashes ---------------------------------------------------------------------------------------


def told(bundle: Any) -> Any:
    """Return what a bundle says, without its hashes."""
    if isinstance(bundle, dict):
        return {key: told(value) for key, value in bundle.items() if key not in {"key", "checkpoint", "proof"}}
    if isinstance(bundle, list):
        return [told(value) for value in bundle]
    return "hash" if isinstance(bundle, str) and len(bundle) in {32, 64} else bundle


def test_of_others_a_bundle_shows_nothing_but_hashes() -> None:
    """Whatever others did instead, as often, Ray's bundle says the same."""
    others = iter(list[Stored]([event(2, JOE), disclosure(5, JOE, "police.list"), event(6, ANA), event(9, None)]))
    elsewhere = list[Stored](row if row.participant == RAY else next(others) for row in HISTORY)
    other = PlayedLog().seal(elsewhere[:5]).seal(elsewhere[5:]).bundle(since=OLD)
    assert told(other) == told(BUNDLE)
    assert other["lines"][0]["leaves"][2]["proof"] != BUNDLE["lines"][0]["leaves"][2]["proof"]
    text = json.dumps(BUNDLE)
    for word in (str(ANA), str(JOE), str(RAY), "position", "epoch", "correlation"):
        assert word not in text.replace(f'"grants": "{RAY}"', "")


def test_the_map_of_heads_tells_nothing_of_a_neighbour_who_stood_still() -> None:
    """Between the two checkpoints nobody but Ray did anything; the hashes beside his change all the same."""
    log = PlayedLog().seal(EARLY)
    first = log.bundle()["lines"][0]["head"]["proof"]
    second = log.seal([event(6, RAY)]).bundle()["lines"][0]["head"]["proof"]
    assert len(first) == len(second) > 0
    assert set(first).isdisjoint(second)


def test_what_a_reader_may_not_read_is_there_and_says_nothing() -> None:
    bundle = copy.deepcopy(BUNDLE)
    for leaf in bundle["lines"][0]["leaves"]:
        facts = leaf["facts"]
        salt = bytes.fromhex(facts.pop("salt"))
        leaf["facts"] = committed(salt, facts).hex()
    assert checked(bundle).leaves == 6
    assert "roi.granted" not in json.dumps(bundle)


# The command ---------------------------------------------------------------------------------------------------------


def run(folder: Path, bundle: Any = BUNDLE, kept: Any = KEPT, *options: str) -> int:
    (folder / "bundle").write_text(json.dumps(bundle))
    (folder / "kept").write_text(kept if isinstance(kept, str) else json.dumps(kept))
    return main([str(folder / "bundle"), "--checkpoint", str(folder / "kept"), *options])


def test_the_command_says_it_in_a_sentence_and_an_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    assert capsys.readouterr().out == (
        f"verified: 6 leaves, none edited, dropped or moved, and none after them, as of checkpoint {NEW} of {ORIGIN}, "
        f"which continues yours of {OLD}.\n"
    )
    bundle = copy.deepcopy(BUNDLE)
    bundle["lines"][0]["leaves"].pop(2)
    assert run(tmp_path, bundle) == 11
    assert capsys.readouterr().out == "dropped: number 3: it is missing; number 4 follows.\n"
    assert run(tmp_path, LOG.bundle()) == 1
    assert "fetch it with ?since=8" in capsys.readouterr().out
    assert main([str(tmp_path / "none"), "--checkpoint", str(tmp_path / "kept")]) == 1
    with pytest.raises(SystemExit) as misused:
        run(tmp_path, BUNDLE, KEPT, "--quorum", "1")
    assert misused.value.code == 2
    assert len({verdict.value for verdict in Verdict} | {2}) == len(Verdict) + 1


def test_it_is_a_command_of_the_whole_program(tmp_path: Path) -> None:
    bundle = copy.deepcopy(BUNDLE)
    bundle["lines"][0]["leaves"].pop()
    for content, status in ((BUNDLE, 0), (bundle, 13)):
        (tmp_path / "bundle").write_text(json.dumps(content))
        (tmp_path / "kept").write_text(json.dumps(KEPT))
        given = ["verify", str(tmp_path / "bundle"), "--checkpoint", str(tmp_path / "kept"), "--list"]
        assert CliRunner().invoke(app, given).exit_code == status
    assert "--quorum" in CliRunner().invoke(app, ["verify", "--help"]).output


def test_the_list_says_what_each_leaf_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = copy.deepcopy(BUNDLE)
    bundle["names"][str(event(1, RAY).party)] = "City\x1b[2J Police"
    assert run(tmp_path, bundle, KEPT, "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2026-03-18T09:04:00" in lines[2]
    assert lines[2].endswith("City?[2J Police City?[2J Police  police.participant coordination iip.progress")


def test_it_runs_with_nothing_but_python_and_cryptography(tmp_path: Path) -> None:
    """In a folder with five files of ours, no site-packages but that one library, no variables, and no sockets."""
    room = tmp_path / "room"
    (room / "services").mkdir(parents=True)
    sources = Path(verification.__file__).parent
    for name in ("__init__", "verification", "checkpoint", "heads", "leaves", "tree"):
        shutil.copy(sources / f"{name}.py", room / "services")
    library = Path(cryptography.__file__).parent
    for path in (library, *library.parent.glob("*cffi*")):  # it, and what it stands on
        (room / path.name).symlink_to(path)
    (room / "bundle").write_text(json.dumps(BUNDLE))
    (room / "kept").write_text(json.dumps(KEPT))
    program = (
        "import socket; socket.socket = None; import runpy, sys; sys.path.insert(0, '.'); "
        "runpy.run_module('services.verification', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, "bundle", "--checkpoint", "kept"],
        cwd=room, env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("verified: 6 leaves")
