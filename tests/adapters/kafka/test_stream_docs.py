"""`docs/stream` is the contract of the code: `python -m tests.adapters.kafka.test_stream_docs` writes it again.

A schema or an example that is there already is never written over: whoever has it relies on it. One that differs needs
a new version in `adapters/kafka/contract.py`, and gets a file beside the old one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft202012Validator
from pydantic import ValidationError

from adapters.kafka import asyncapi
from adapters.kafka.contract import FAMILIES, TYPES, VOCABULARY, MessageType, example, key_of, read
from adapters.kafka.envelope import STRUCTURED_TYPE, CloudEvent, Record, encode, structured
from adapters.kafka.messages import charge_table
from adapters.kafka.messages.niem import LEAD, NC, NIBRS, J
from adapters.kafka.messages.outgoing import ParticipantStatus
from domain.labels import TABLE, Basis, Reader

FOLDER = Path(__file__).parents[3] / "docs" / "stream"
SCHEMAS, EXAMPLES = FOLDER / "schemas", FOLDER / "examples"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Without anchors: who reads the document should not have to follow them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _wrapped(record: Record) -> dict[str, Any]:
    """Return a record as `goldenthread check-message` reads one."""
    return {
        "headers": {name: (value or b"").decode() for name, value in record.headers},
        "key": (record.key or b"").decode(),
        "value": None if record.value is None else json.loads(record.value),
    }


def _tombstone() -> Record:
    said = example(TYPES["org.lead.charge.listed.v1"])
    key = charge_table.ChargeListed.example["Charge"]["ChargeKey"]
    gone = CloudEvent(
        id="01987a31-0c44-7b1e-8a52-1f6a2f9b0d12",
        source=said.source,
        type=said.type,
        time=said.time,
        dataschema=said.dataschema,
        extensions={"operation": "delete", "partitionkey": key},
    )
    return encode(gone, key.encode())


def _binary() -> Record:
    kind = TYPES["org.lead.arrest.recorded.v1"]
    return encode(example(kind), str(key_of(kind.family, kind.model.example)).encode())


@cache
def versioned() -> dict[Path, str]:
    """Return the files that never change: schemas and examples, by version."""
    files = {
        SCHEMAS / asyncapi.SEALED_BODY / f"{asyncapi.SEALED_BODY_VERSION}.json": _json(asyncapi.sealed_body()),
        EXAMPLES / f"participant.body.{asyncapi.SEALED_BODY_VERSION}.json": _json(ParticipantStatus.example),
    }
    for kind in TYPES.values():
        files[SCHEMAS / kind.path / f"{kind.version}.json"] = _json(asyncapi.schema(kind))
        files[EXAMPLES / f"{kind.short}.{kind.version}.json"] = _json(structured(example(kind)))
    return files


@cache
def living() -> dict[Path, str]:
    """Return the files that follow the code."""
    document = yaml.dump(asyncapi.document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    head = "# Written from adapters/kafka/contract.py by python -m tests.adapters.kafka.test_stream_docs; not edited.\n"
    return {
        FOLDER / "asyncapi.yaml": head + document,
        FOLDER / "context.jsonld": _json(asyncapi.context()),
        EXAMPLES / "a-binary-record.json": _json(_wrapped(_binary())),
        EXAMPLES / "a-tombstone.json": _json(_wrapped(_tombstone())),
    }


def write() -> list[Path]:
    """Write what is missing or may change; return what may not, and would."""
    differing = []
    for path, text in versioned().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text)
        elif path.read_text() != text:
            differing.append(path)
    for path, text in living().items():
        path.write_text(text)
    return differing


@pytest.mark.parametrize("path", [*versioned(), *living()], ids=lambda path: str(path.relative_to(FOLDER)))
def test_the_documents_say_what_the_code_does(path: Path) -> None:
    assert path.exists(), "write it: python -m tests.adapters.kafka.test_stream_docs"
    text = versioned().get(path) or living()[path]
    assert path.read_text() == text, (
        "a schema or an example that is out is not changed: raise the version in adapters/kafka/contract.py"
        if path in versioned()
        else "write it again: python -m tests.adapters.kafka.test_stream_docs"
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_every_example_ever_published_is_still_taken(path: Path) -> None:
    said = json.loads(path.read_text())
    if path.name.startswith("participant.body."):
        assert ParticipantStatus.model_validate(said).model_dump(mode="json", exclude_none=True) == said
    elif "headers" in said:
        value = None if said["value"] is None else json.dumps(said["value"]).encode()
        headers = [(name, text.encode()) for name, text in said["headers"].items()]
        assert read(Record(headers, said["key"].encode(), value)).dropped == 0
    else:
        assert read(Record([("content-type", STRUCTURED_TYPE.encode())], None, path.read_bytes())).dropped == 0


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.short)
def test_a_schema_says_what_the_model_does(kind: MessageType) -> None:
    schema = asyncapi.schema(kind)
    validator = Draft202012Validator(schema, validate_formats=True)
    assert validator.is_valid(kind.model.example)
    assert not validator.is_valid(kind.model.example | {"Unknown": 1})
    for name in schema["required"]:
        assert not validator.is_valid({n: v for n, v in kind.model.example.items() if n != name})
    assert '"additionalProperties": true' not in json.dumps(schema)
    objects = [schema, *schema.get("$defs", {}).values()]
    assert all(part.get("additionalProperties") is False for part in objects if "properties" in part)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from _places(inner, (*path, step))


def _taken(kind: MessageType, data: Any) -> bool:
    try:
        kind.model.model_validate(data)
    except ValidationError:
        return False
    return True


_OTHERS: tuple[Any, ...] = (
    *(..., None, 0, 1, True, [], {}, [1]),
    *("", "  ", "offered", "charge", "served", "x" * 61, "y" * 20_000),
)
"""What stands for another value; `...` for none."""


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.short)
def test_schema_and_model_agree_whatever_stands_in_any_place(kind: MessageType) -> None:
    validator = Draft202012Validator(asyncapi.schema(kind), validate_formats=True)
    for path in _places(kind.model.example):
        for other in _OTHERS:
            data: Any = deepcopy(kind.model.example)
            inner = data
            for step in path[:-1]:
                inner = inner[step]
            if other is ...:
                del inner[path[-1]]
            else:
                inner[path[-1]] = other
            assert validator.is_valid(data) == _taken(kind, data), f"{path}: {other!r:.40}"


def _names(schema: dict[str, Any]) -> frozenset[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))


def test_every_name_stands_for_one_term_and_none_is_idle() -> None:
    used = _names(asyncapi.sealed_body()).union(*(_names(asyncapi.schema(kind)) for kind in TYPES.values()))
    assert used == VOCABULARY
    assert sum(map(len, (NC, J, NIBRS, LEAD))) == len(VOCABULARY)


def test_the_sealed_body_holds_what_a_grant_can_carry_and_nothing_else() -> None:
    for name, field in ParticipantStatus.model_fields.items():
        (label,) = [note for note in field.metadata if note in TABLE]
        for reader in (Reader.POLICE, Reader.PROSECUTOR, Reader.COURT, Reader.RECIPIENT):
            assert Basis.GRANTED in TABLE[label].cells[reader], f"{name}: no grant lets {reader} have {label}"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []


def _resolved(document: dict[str, Any], pointer: str) -> Any:
    for step in pointer.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_the_document_is_asyncapi_3() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    for reference in _references(document):
        if reference.startswith("#/"):
            assert _resolved(document, reference), reference
        else:
            assert (FOLDER / reference).is_file(), reference
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert {m["$ref"].rpartition("/messages/")[0] for m in operation["messages"]} == {channel}
    for channel in document["channels"].values():
        assert set(channel["parameters"]) == {"party"}
        assert ".{party}." in channel["address"]
    told = [name for channel in document["channels"].values() for name in channel["messages"]]
    assert sorted(told) == sorted(document["components"]["messages"])
    assert len(document["channels"]) == len(FAMILIES)


def test_the_guide_names_every_topic_and_type() -> None:
    guide = (FOLDER / "README.md").read_text()
    for family in FAMILIES:
        assert f"`{family.topic('<party>')}`" in guide
    for kind in TYPES.values():
        assert f"`{kind.name}`" in guide


if __name__ == "__main__":
    for path in write():
        sys.stderr.write(
            f"{path} differs: raise the version in adapters/kafka/contract.py, or delete it if none has it\n"
        )
