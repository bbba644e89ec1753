"""Messages in a file, each on a line: a structured CloudEvent, or headers, key and value of a record as one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any, Final, Protocol

from adapters.kafka.envelope import BYTES_MOST, STRUCTURED_TYPE, Fault, Record, Undecodable, parse_json
from services.ports import OF_A_FILE, Raw

_WRAPPED: Final = frozenset({"headers", "key", "value", "topic"})


class Lines(Protocol):
    """A binary file, of which lines are read."""

    def readline(self, size: int, /) -> bytes:
        """Return the rest of the line, its end included, but no more than `size` bytes of it."""
        ...


def lines_of(file: Lines, name: str) -> Iterator[Raw]:
    """Yield the messages of a file that goes by a name, as they came. Of a line that is too long only its beginning."""
    number = 0
    while text := file.readline(BYTES_MOST + 2):
        number += 1
        line, rest = text.rstrip(b"\r\n"), text
        while not rest.endswith(b"\n") and (rest := file.readline(BYTES_MOST)):
            pass
        if line.strip():
            yield Raw(name, OF_A_FILE, number, (), None, line)


def record_of(text: bytes) -> Record:
    """Return the record that a text stands for: a structured event, or headers, key and value. Raises `Undecodable`."""
    if len(text) <= BYTES_MOST:
        said = parse_json(text)
        if isinstance(said, dict) and said.keys() <= _WRAPPED and said.keys() >= {"headers", "value"}:
            return _wrapped(said)
    return Record([("content-type", STRUCTURED_TYPE.encode())], None, text)


def _wrapped(said: Mapping[str, Any]) -> Record:
    headers, key, topic, value = said["headers"], said.get("key"), said.get("topic"), said["value"]
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        raise Undecodable([Fault("/headers", "string_type", "it must be an object of texts.")])
    for name, text in (("key", key), ("topic", topic)):
        if text is not None and not isinstance(text, str):
            raise Undecodable([Fault(f"/{name}", "string_type", "it must be a text, or null.")])
    body = value if value is None or isinstance(value, str) else dumps(value)
    return Record(
        [(name, text.encode()) for name, text in headers.items()],
        None if key is None else key.encode(),
        None if body is None else body.encode(),
        topic,
    )
