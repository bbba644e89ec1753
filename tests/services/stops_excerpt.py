"""Made-up stops in the form of their source: "Terry Stops", City of Seattle open data, 2017. No row is of anyone."""

from __future__ import annotations

import csv
import io

HEADER = (
    "SubjectAgeGroup", "SubjectID", "GO / SC Num", "TERRY_STOP_ID", "OfficerID", "Officer_YOB", "Officer_Gender",
    "Officer_Race", "SubjectPerceivedRace", "SubjectPerceivedGender", "Reported_Date", "Reported_Time",
    "InitialCallType", "FinalCallType", "CallType", "OfficerSquad", "ArrestFlag", "FriskFlag", "Precinct", "Sector",
    "Beat",
)  # fmt: skip
ROW = {
    "SubjectAgeGroup": "26 - 35",
    "SubjectID": "987654",
    "GO / SC Num": "20990000123456",
    "TERRY_STOP_ID": "10207",
    "OfficerID": "77777",
    "Officer_YOB": "1901",
    "Officer_Gender": "N",
    "Officer_Race": "Not Specified",
    "SubjectPerceivedRace": "Multi-Racial",
    "SubjectPerceivedGender": "Unable to Determine",
    "Reported_Date": "2016-07-04",
    "Reported_Time": "21:08:00.0000000",
    "InitialCallType": "FIGHT - IP - PHYSICAL (NO WEAPONS)",
    "FinalCallType": "--ASSAULTS, OTHER",
    "CallType": "TELEPHONE OTHER, NOT 911",
    "OfficerSquad": "MADE UP PCT 1ST W - NOBODY",
    "ArrestFlag": "Y",
    "FriskFlag": "N",
    "Precinct": "West",
    "Sector": "K",
    "Beat": "K3",
}


def row(**changed: str) -> dict[str, str]:
    """Return a row that is in order but for what is changed."""
    assert changed.keys() <= ROW.keys()
    return {**ROW, **changed}


def line(cells: dict[str, str] | list[str]) -> bytes:
    """Return a row as a line of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells.values() if isinstance(cells, dict) else cells)
    return out.getvalue().encode()


def document(*rows: dict[str, str] | bytes) -> bytes:
    """Return a file of rows, or of lines as they are."""
    return line(list(HEADER)) + b"".join(r if isinstance(r, bytes) else line(r) for r in rows)
