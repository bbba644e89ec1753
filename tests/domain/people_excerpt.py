"""Made-up people in the form of FEBRL's data sets 4a and 4b: each twice, the second time with a slip."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import product

HEADER = ("rec_id", "given_name", "surname", "date_of_birth", "soc_sec_id")
GIVEN = ("amara", "bastian", "clio", "dmitri", "esperanza", "farouk", "greta", "hollis", "ines", "jarek")
SURNAMES = ("abernathy", "bell", "castellanos", "dunn", "eriksen", "fontaine")


def _swap_letters(text: str) -> str:
    return text[:2] + text[3] + text[2] + text[4:]


SLIPS: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "nothing": lambda row: {},
    "names swapped": lambda row: {"given_name": row["surname"], "surname": row["given_name"]},
    "no birth date": lambda row: {"date_of_birth": ""},
    "another surname": lambda row: {"surname": "quillfeather"},
    "no given name": lambda row: {"given_name": ""},
    "a typo in each name": lambda row: {n: _swap_letters(row[n]) for n in ("given_name", "surname")},
    "no number": lambda row: {"soc_sec_id": ""},
    "another number": lambda row: {"soc_sec_id": str(9_999_999 - int(row["soc_sec_id"]))},
    "another surname, and no birth date": lambda row: {"surname": "quillfeather", "date_of_birth": ""},
    "a digit transposed, and another surname": lambda row: {
        "soc_sec_id": row["soc_sec_id"][:5] + row["soc_sec_id"][6] + row["soc_sec_id"][5],
        "surname": "quillfeather",
    },
}
LINKED = frozenset(
    {"nothing", "names swapped", "no birth date", "another surname", "no given name", "a typo in each name"}
)
"""The slips after which the rules link without anyone."""


def people() -> list[dict[str, str]]:
    """Return sixty people, six of each slip. Those of one surname are pairs of twins."""
    return [
        {
            "rec_id": f"rec-{n}-org",
            "given_name": given,
            "surname": surname,
            "date_of_birth": f"19{50 + n // 2}0{1 + n // 2 % 9}{11 + n // 2 % 15}",
            "soc_sec_id": str(1_203_457 + 41_117 * n),
        }
        for n, (surname, given) in enumerate(product(SURNAMES, GIVEN))
    ]


def told_again() -> list[dict[str, str]]:
    """Return the same people, as someone else wrote them down."""
    slips = list(SLIPS.values())
    return [row | {"rec_id": f"rec-{n}-dup-0"} | slips[n % len(slips)](row) for n, row in enumerate(people())]


def document(rows: list[dict[str, str]]) -> str:
    """Return rows as a file of the source."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().replace(",", ", ")  # as the source has it
