"""What an integrator sees of `goldenthread check-message`, with nothing else of a site there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from adapters.cli.main import app
from adapters.kafka.contract import TYPES, example
from adapters.kafka.envelope import BYTES_MOST, structured

EXAMPLES = Path(__file__).parents[2] / "docs" / "stream" / "examples"
ARREST = TYPES["org.lead.arrest.recorded.v1"]


def check(*files: Path) -> Result:
    return CliRunner().invoke(app, ["check-message", *map(str, files)])


def _broken() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(json.dumps(structured(example(ARREST))))
    said["data"]["Arrest"]["ArrestSubject"]["RoleOfPerson"]["PersonBirthDate"]["Date"] = "9 May 1984"
    said["data"]["Arrest"]["ArrestSubject"]["RoleOfPerson"]["PersonSurname"] = "Bell"
    return said


def test_the_published_examples_keep_the_contract() -> None:
    files = [path for path in sorted(EXAMPLES.glob("*.json")) if not path.name.startswith("participant.body")]
    result = check(*files)
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) == len(files)


def test_a_good_message(tmp_path: Path) -> None:
    file = tmp_path / "arrest.json"
    file.write_text(json.dumps(structured(example(ARREST)), indent=2))
    result = check(file)
    assert (result.exit_code, result.output) == (0, "ok org.lead.arrest.recorded.v1\n")


def test_a_bad_message_is_told_by_place_code_and_sentence_and_never_quoted(tmp_path: Path) -> None:
    file = tmp_path / "arrest.json"
    file.write_text(json.dumps(_broken()))
    result = check(file)
    assert result.exit_code == 1
    person, near = "/data/Arrest/ArrestSubject/RoleOfPerson", "the nearest name is PersonSurName"
    assert result.output.splitlines() == [
        f"{person}/PersonBirthDate/Date date_format: it is no date: write it as 2026-02-14.",
        f"{person} extra_forbidden: it has a property that the schema does not know; {near}.",
    ]


def test_a_line_for_each(tmp_path: Path) -> None:
    file = tmp_path / "day.jsonl"
    good, bad = json.dumps(structured(example(ARREST))), json.dumps(_broken())
    file.write_text(f"{good}\n\n{bad}\n{good[:40]}\n")
    result = check(file)
    assert result.exit_code == 1
    places = [line.removeprefix(str(file)).split(" ")[:2] for line in result.output.splitlines()]
    assert [place for place, _ in places] == [":1:", ":3:", ":3:", ":4:"]
    assert result.output.splitlines()[-1].endswith(":4: value truncated: the JSON ends in its middle: send it whole.")


def test_a_record_as_headers_key_and_value(tmp_path: Path) -> None:
    said = json.loads((EXAMPLES / "a-binary-record.json").read_text())
    file = tmp_path / "record.json"
    file.write_text(json.dumps(said | {"key": "wrong", "topic": "in.county-pa.arrest.v1"}))
    result = check(file)
    assert result.exit_code == 1
    assert "ce_source wrong_party" in result.output
    assert "key key_mismatch" in result.output
    file.write_text(json.dumps(said | {"headers": {"ce_id": 7}}))
    assert check(file).output.startswith("/headers string_type")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "value empty"),
        (b"{", "value truncated"),
        (b"[1]", "value no_event"),
        (b"\xff\xfe{\x00}\x00", "value charset"),
        (b'{"a": 1, "a": 2}', "value duplicate_name"),
        (b'{"specversion": "1.0"}', "/id missing"),
        (b'{"data": "' + b"x" * 5 * BYTES_MOST + b'"}', "value too_large"),
    ],
)
def test_what_is_no_message(tmp_path: Path, text: bytes, line: str) -> None:
    file = tmp_path / "message.json"
    file.write_bytes(text)
    result = check(file)
    assert result.exit_code == 1
    assert result.output.startswith(f"{line}: ")


def test_a_newer_minor_is_ok_and_says_what_is_left_out(tmp_path: Path) -> None:
    said = json.loads(json.dumps(structured(example(ARREST))))
    said["dataschema"] = "urn:lead:schema:arrest:recorded:1-9-0"
    said["data"]["Mood"] = 1
    file = tmp_path / "arrest.json"
    file.write_text(json.dumps(said))
    assert check(file).output == "ok org.lead.arrest.recorded.v1 (1 of a newer minor version left out)\n"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = check(tmp_path / "none.json")
    assert result.exit_code == 2
    assert "No such file" in result.output
