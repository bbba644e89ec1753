"""Every disclosure of a site, computed again from its log."""

from __future__ import annotations

from collections import Counter

import psycopg

from adapters.bootstrap import Parts
from services.as_of import Verdict, disclosed
from services.ports import Accounted

COLUMNS = (
    "recorded_at, kind, reader, party_id, staff_id, labels, grants, purpose, surface,"
    " as_of, view_version, digest, marks"
)


def computed_again(parts: Parts) -> Counter[tuple[str, Verdict]]:
    """Compute every disclosure again; return how many there were by surface and verdict.

    Each must match, but for what was erased since, and but for readings of who saw what, which show no row of a view.
    """
    with psycopg.connect(parts.database.url, options="-c timezone=UTC") as connection:
        read = f"select participant_id, {COLUMNS} from log.disclosure order by position"
        lines = [(who, Accounted(*rest)) for who, *rest in connection.execute(read.encode())]
    found: Counter[tuple[str, Verdict]] = Counter()
    for who, line in lines:
        as_of, verdict = disclosed(parts.site, who, line)
        assert verdict in (Verdict.MATCHES, Verdict.NO_FACTS, Verdict.ERASED), (
            line.surface,
            line.view_version,
            verdict,
        )
        assert verdict is not Verdict.MATCHES or len(as_of.rows) == len(line.marks or b"") // 8
        found[line.surface, verdict] += 1
    return found
