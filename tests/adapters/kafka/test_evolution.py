"""Within a major version a schema gains optional properties, and nothing else of it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from adapters.kafka import asyncapi
from adapters.kafka.contract import TYPES, Version
from tests.adapters.kafka.test_stream_docs import EXAMPLES, SCHEMAS

_WORDS = frozenset({"title", "description", "examples", "$id", "$schema", "$defs", "$comment"})


def breaks(old: Any, new: Any) -> list[str]:
    """Return where a newer schema of a major refuses what the older takes, or the other way round; by path."""
    return [*_breaks(old, new, old, new, "")]


def _breaks(old: Any, new: Any, before: Any, after: Any, path: str) -> Iterator[str]:
    old, new = _followed(old, before), _followed(new, after)
    if isinstance(old, dict) and isinstance(new, dict):
        was, now = old.get("properties", {}), new.get("properties", {})
        yield from (f"{path}/{name}: gone" for name in was.keys() - now.keys())
        for name in was.keys() & now.keys():
            yield from _breaks(was[name], now[name], before, after, f"{path}/{name}")
        for name in sorted((old.keys() | new.keys()) - _WORDS - {"properties"}):
            if name == "required":
                if set(old.get(name, ())) != set(new.get(name, ())):
                    yield f"{path}: required"
            elif (name in old) != (name in new):
                yield f"{path}: {name}"
            else:
                yield from _breaks(old[name], new[name], before, after, f"{path}:{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _breaks(one, other, before, after, path)
    elif old != new:
        yield path


def _followed(schema: Any, root: Any) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]] | beside
    return schema


def _version(path: Path) -> Version:
    return Version(*map(int, path.stem.split("-")))


def _published() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(SCHEMAS.glob("*/*/*.json"), key=_version):
        found.setdefault(f"{path.parent.relative_to(SCHEMAS)} {_version(path).major}", []).append(path)
    return found


@pytest.mark.parametrize("name", _published())
def test_no_schema_of_a_major_breaks_an_older_one(name: str) -> None:
    for old, new in combinations(_published()[name], 2):
        assert breaks(json.loads(old.read_text()), json.loads(new.read_text())) == [], f"{old.name} to {new.name}"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.*-*-*.json")), ids=lambda path: path.name)
def test_every_example_keeps_every_schema_that_is_as_new_or_newer(path: Path) -> None:
    said = json.loads(path.read_text())
    short, _, version = path.stem.rpartition(".")
    kind = next((kind for kind in TYPES.values() if kind.short == short), None)
    folder = asyncapi.SEALED_BODY if kind is None else kind.path
    mine = Version(*map(int, version.split("-")))
    for schema in (SCHEMAS / folder).glob(f"{mine.major}-*.json"):
        if _version(schema) >= mine:
            validator = Draft202012Validator(json.loads(schema.read_text()), validate_formats=True)
            assert validator.is_valid(said if kind is None else said["data"]), f"{path.name} against {schema.name}"


def _arrest() -> dict[str, Any]:
    return asyncapi.schema(TYPES["org.lead.arrest.recorded.v1"])


def _person(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["PersonType"]
    return found


def _edited(edit: Callable[[dict[str, Any]], Any]) -> list[str]:
    new = deepcopy(_arrest())
    edit(new)
    return breaks(_arrest(), new)


@pytest.mark.parametrize(
    "edit",
    [
        lambda new: _person(new)["properties"].update(PersonAgeText={"type": "string"}),
        lambda new: new["properties"].update(Extra={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        lambda new: _person(new).update(description="In other words."),
    ],
)
def test_what_a_minor_may_do(edit: Callable[[dict[str, Any]], Any]) -> None:
    assert _edited(edit) == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda new: _person(new)["properties"].pop("PersonSexCode"),
        lambda new: _person(new)["required"].append("PersonBirthDate"),
        lambda new: _person(new)["required"].clear(),
        lambda new: _person(new)["properties"]["PersonSexCode"]["enum"].append("X"),
        lambda new: _person(new)["properties"]["PersonSexCode"]["enum"].remove("U"),
        lambda new: _person(new)["properties"]["PersonSexCode"].update(default="M"),
        lambda new: _person(new).update(additionalProperties=True),
        lambda new: new["$defs"]["IdentificationType"]["properties"]["IdentificationID"].update(maxLength=12),
        lambda new: new["$defs"]["OriIdentificationType"]["properties"]["IdentificationID"].update(pattern="^.*$"),
        lambda new: new["$defs"]["ArrestType"]["properties"]["ArrestCharge"].update(minItems=2),
        lambda new: new["properties"].update(Incident=new["properties"]["Arrest"]),
        lambda new: new["$defs"]["DateTimeType"]["properties"]["DateTime"].update(format="date"),
    ],
)
def test_what_needs_a_major(edit: Callable[[dict[str, Any]], Any]) -> None:
    assert _edited(edit)
