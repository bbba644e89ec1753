"""The page `docs/labels.md` is the table of the code: `python -m tests.domain.test_labels_page` writes it again."""

from __future__ import annotations

from pathlib import Path

from domain.labels import STANDING, TABLE, Basis, Label, Reader

PAGE = Path(__file__).parents[2] / "docs" / "labels.md"

_BASES = {
    Basis.ROLE: "by role, for care or for running the site; reads are logged",
    Basis.OWN: "own: this party contributed the fact; consent never touches it",
    Basis.NOTICE: "notice: a closed code that the protocol sends without an ROI, to its addressee alone",
    Basis.PUBLIC: "public record as received from a court feed",
    Basis.GRANTED: "granted: a live ROI names this party and this label, for a purpose",
    Basis.ITEM: "item: one sentence, one recipient, signed for by the participant; never by a standing ROI",
    Basis.EMERGENCY: "emergency: extreme threat to life or safety, the minimum, for a limited time",
    Basis.PSEUDONYM: "by role, under a pseudonym",
}

_HEAD = """# Information labels

Every field of every event names one of these labels. From this table follow which key seals the field, which readers
may ever see it and on which basis, which tables exist, and what each row shows. What no cell allows, nobody gets,
whatever is signed. A site may lower a ceiling by its protocol, never raise it.

This page is written from `domain/labels.py` by `python -m tests.domain.test_labels_page`; a test keeps the two equal.

## Bases

"""

_TABLE_HEAD = """
`-`: never. `=`: as the labels of its subject.

**Seal**: under the participant's key (`S`), the matter's key (`M`: one court case or one diverted charge), or clear
(`.`). **Part 2**: treated as a 42 CFR Part 2 record. **Standing**: a state that holds until it changes, so that a
grant's period does not age it; every other fact is a happening, and one older than the period stays dark.

## The table

"""


def page() -> str:
    """Return the page."""
    bases = "".join(f"- `{basis}` {what}\n" for basis, what in _BASES.items())
    columns = ["label", "seal", "Part 2", "standing", *(reader.replace("_", " ") for reader in Reader)]
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *map(_row, Label)]
    return _HEAD + bases + _TABLE_HEAD + "\n".join(rows) + "\n"


def _row(label: Label) -> str:
    line = TABLE[label]
    cells = ["=" if reader in line.as_subject else _bases(line.cells[reader]) for reader in Reader]
    about = [label.value, line.seal.value, "yes" if line.part2 else "", "yes" if label in STANDING else ""]
    return f"| {' | '.join(about + cells)} |"


def _bases(cell: frozenset[Basis]) -> str:
    return " ".join(basis.value for basis in Basis if basis in cell) or "-"


def test_the_page_says_what_the_code_does() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.domain.test_labels_page"


def test_the_page_explains_every_basis() -> None:
    assert set(_BASES) == set(Basis)


if __name__ == "__main__":
    PAGE.write_text(page())
