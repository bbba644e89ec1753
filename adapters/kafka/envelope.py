"""CloudEvents 1.0 in Kafka records: binary and structured in, binary out, strict both ways.

What cannot be read is a list of faults: a place, a code and a sentence, never a value of the record. A place is a JSON
pointer into the record's value, the name of a header, or `key`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

SPECVERSION: Final = "1.0"
JSON_TYPE: Final = "application/json"
STRUCTURED_TYPE: Final = "application/cloudevents+json; charset=UTF-8"
BYTES_MOST: Final = 1024 * 1024
"""The longest value of a record, and `max.message.bytes` of every topic."""
DEPTH_MOST: Final = 32
DIGITS_MOST: Final = 64
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 1, 1)
"""Between these lies every date that a message can mean."""

Scalar: TypeAlias = str | int | bool
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

TRACE: Final = ("traceparent", "tracestate")
"""W3C trace context: plain headers, and extensions as well."""
_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time")
_REQUIRED: Final = ("specversion", "id", "source", "type")
_NAME: Final = re.compile(r"[a-z0-9]+")
_JSON_MEDIA: Final = re.compile(r"[^;/\s]+/([^;\s]+\+)?json", re.IGNORECASE)
_TOKEN: Final = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105 - a token of RFC 2045
_MEDIA: Final = re.compile(rf"{_TOKEN}/{_TOKEN}(\s*;\s*{_TOKEN}=({_TOKEN}|\"[^\"]*\"))*\s*;?\s*")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_NAIVE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_HOUR_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Fault(NamedTuple):
    """What is wrong, where, and the way out."""

    place: str
    code: str
    sentence: str


class Undecodable(Exception):
    """A record cannot be taken; it says of every fault what it is, and quotes nothing."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.place}: {fault.code}" for fault in self.faults))


class Record(NamedTuple):
    """A Kafka record, as far as it has a meaning. `topic` None: it came from a file."""

    headers: Headers
    key: bytes | None
    value: bytes | None
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """An event: its attributes and its data.

    `data`: the value of its JSON; text or bytes for other media; None for none. `tombstone`: the record's value was
    null, which only a binary event can say. `pointer`: where in the record's value the data begins.
    """

    id: str
    source: str
    type: str
    time: datetime | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    extensions: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    data: Any = None
    tombstone: bool = False
    structured: bool = False

    @property
    def pointer(self) -> str:
        """The JSON pointer of the data within the record's value."""
        return "/data" if self.structured else ""

    def place(self, attribute: str) -> str:
        """Return where an attribute stands: a pointer, or a header."""
        return _place(attribute, structured=self.structured)


def decode(record: Record) -> CloudEvent:
    """Return the event of a record, in either mode. Raises `Undecodable` with everything that is wrong."""
    if record.value is not None and len(record.value) > BYTES_MOST:
        raise Undecodable([Fault("", "too_large", f"it is longer than {BYTES_MOST} bytes: send less, or in parts.")])
    headers, faults = _headers(record.headers)
    media = headers.get("content-type")
    if media is None or not media.lower().startswith("application/cloudevents"):
        return _binary(headers, record.value, faults)
    if faults:
        raise Undecodable(faults)
    form = media.lower().partition(";")[0].strip()
    if form != "application/cloudevents+json":
        raise Undecodable([Fault("content-type", "format", "only application/cloudevents+json, one event, is taken.")])
    return _structured(media, record.value)


def encode(event: CloudEvent, key: bytes | None, topic: str | None = None) -> Record:
    """Return the record of an event in binary mode; an event without data is a tombstone."""
    said = _said(event)
    media = said.pop("datacontenttype", None if event.data is None else JSON_TYPE)
    headers = [(f"ce_{name}", _text(value).encode()) for name, value in said.items()]
    if media is not None:
        headers.append(("content-type", str(media).encode()))
    headers += [(name, str(event.extensions[name]).encode()) for name in TRACE if name in event.extensions]
    return Record(headers, key, None if event.data is None else _bytes(event.data), topic)


def structured(event: CloudEvent) -> dict[str, Any]:
    """Return the event as the one JSON object of structured mode."""
    return _said(event) | ({} if event.data is None else {"data": event.data})


def parse_json(text: bytes, pointer: str = "") -> Any:
    """Return the value of a JSON text, in UTF-8. Raises `Undecodable`.

    It refuses what JSON forbids, and what would not live: the same name twice in an object, numbers that nobody can
    hold, nesting deeper than `DEPTH_MOST`, and text that a database cannot keep (NUL, half of a surrogate pair).
    """
    value, wrong = None, None
    try:
        value = _as_written(text) or _READER.decode(_utf8(text))
    except _Json as error:
        wrong = error.code
    except UnicodeDecodeError:
        wrong = "charset"
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].rstrip()
        cut = error.msg.startswith("Unterminated string") or _HALF.fullmatch(rest) is not None
        wrong = "truncated" if cut else "json"
    except RecursionError:
        wrong = "nesting"
    if wrong is not None:
        raise Undecodable([Fault(pointer, wrong, _JSON_FAULTS[wrong])])  # out here, for the error has the text with it
    if (text.count(b"{") + text.count(b"[") > DEPTH_MOST or b"\\u" in text) and (codes := _unfit(value)):
        raise Undecodable(Fault(pointer, code, _JSON_FAULTS[code]) for code in codes)
    return value


def moment(text: str) -> datetime | Fault:
    """Return a moment of RFC 3339, or what is wrong with it (at no place)."""
    if found := _MOMENT.fullmatch(text):
        day_, clock, fraction, offset = found.groups()
        try:
            value = datetime.fromisoformat(
                f"{day_}T{clock}.{(fraction or '0')[:6]:0<6}{'+00:00' if offset in 'Zz' else offset}"
            )
        except ValueError:
            return Fault("", "time_range", "there is no such day or time of day.")
        if not EARLIEST <= value.date() < LATEST:
            return Fault("", "time_range", f"it does not lie between {EARLIEST} and {LATEST}.")
        return value
    if _NAIVE.fullmatch(text):
        return Fault(
            "", "time_naive", "it has no offset from UTC, or no seconds: write it as 2026-02-14T02:10:00-08:00."
        )
    if _HOUR_ONLY.fullmatch(text):
        return Fault("", "time_offset", "its offset has no minutes: write -08:00, not -08.")
    return Fault("", "time_format", "it is no time of RFC 3339: write it as 2026-02-14T02:10:00-08:00.")


def day(text: str) -> date | Fault:
    """Return a day of ISO 8601, or what is wrong with it (at no place)."""
    if not _DAY.fullmatch(text):
        return Fault("", "date_format", "it is no date: write it as 2026-02-14.")
    try:
        value = date.fromisoformat(text)
    except ValueError:
        return Fault("", "date_range", "there is no such day.")
    if not EARLIEST <= value < LATEST:
        return Fault("", "date_range", f"it does not lie between {EARLIEST} and {LATEST}.")
    return value


def pointer_to(path: Iterable[str | int], start: str = "") -> str:
    """Return the JSON pointer of a path (RFC 6901)."""
    return start + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


_HALF: Final = re.compile(r"(-|\.|[eE][+-]?|tr?u?|fa?l?s?|nu?l?)?")
"""What of a number or a word can be left over where a text was cut."""


class _Json(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


_JSON_FAULTS: Final = {
    "charset": "it is not UTF-8: encode it so, whatever the header says.",
    "byte_order_mark": "it begins with a byte order mark: leave that out.",
    "empty": "there is nothing in it: send an object, or null for a tombstone.",
    "truncated": "the JSON ends in its middle: send it whole.",
    "json": "it is not JSON.",
    "duplicate_name": "an object has the same name twice: which one counts nobody can say.",
    "not_a_number": "NaN and Infinity are not JSON: leave out what is not known.",
    "number_range": "a number is too large to be held.",
    "nesting": f"it is nested deeper than {DEPTH_MOST}.",
    "nul": "a text holds the character NUL, which no database keeps.",
    "surrogate": "a text holds half of a surrogate pair.",
}


def _as_written(text: bytes) -> Any:
    """Return the value of a text that is just as `orjson` writes it, so that no name stands twice; None for others."""
    try:
        value = orjson.loads(text)
        return value if orjson.dumps(value) == text else None
    except (ValueError, TypeError):  # what is wrong with it, the strict reader says
        return None


def _utf8(text: bytes) -> str:
    said = text.decode()
    if said.startswith("\ufeff"):
        raise _Json("byte_order_mark")
    if not said.strip():
        raise _Json("empty")
    return said


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Json("duplicate_name")
    return made


def _constant(_: str) -> Any:
    raise _Json("not_a_number")


def _whole(text: str) -> int:
    if len(text) > DIGITS_MOST:
        raise _Json("number_range")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Json("number_range")
    return value


_READER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole, parse_float=_float
)


def _unfit(value: Any) -> list[str]:
    """Return the codes of what in a JSON value cannot be kept."""
    codes: dict[str, None] = {}
    waiting = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        if isinstance(each, str):
            codes |= {"nul": None} if "\0" in each else {}
            codes |= {"surrogate": None} if _SURROGATE.search(each) else {}
        elif isinstance(each, dict | list):
            if depth > DEPTH_MOST:
                return ["nesting"]
            inner = [*each, *each.values()] if isinstance(each, dict) else each
            waiting += [(part, depth + 1) for part in inner]
    return [*codes]


def _headers(headers: Headers) -> tuple[dict[str, str], list[Fault]]:
    """Return the headers that mean something here, as text."""
    found: dict[str, str] = {}
    faults: list[Fault] = []
    for name, value in headers:
        if not name.startswith("ce_") and name not in _PLAIN:
            continue  # an agency's own
        shown = name if name in _HEADERS or name in TRACE else "ce_*"
        if name in found:
            faults.append(Fault(shown, "duplicate_header", "the header stands there twice."))
        elif value is None:
            faults.append(Fault(shown, "null_header", "the header is null: leave it out."))
        else:
            try:
                text = value.decode()
            except UnicodeDecodeError:
                faults.append(Fault(shown, "charset", "the header is not UTF-8."))
            else:
                if "\0" in text:
                    faults.append(Fault(shown, "nul", _JSON_FAULTS["nul"]))
                found[name] = text
    return found, faults


_PLAIN: Final = frozenset({"content-type", *TRACE})
_HEADERS: Final = frozenset({"content-type", *(f"ce_{name}" for name in _ATTRIBUTES)})


def _binary(headers: Mapping[str, str], value: bytes | None, faults: list[Fault]) -> CloudEvent:
    said: dict[str, Any] = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
    if not said and not faults:
        raise Undecodable(
            [Fault("ce_specversion", "no_event", "no ce_ header, and no content type of a structured CloudEvent.")]
        )
    faults += [
        Fault(f"ce_{name}", "misplaced", "the data is the value, its type the header content-type.")
        for name in ("data", "data_base64", "datacontenttype")
        if said.pop(name, None) is not None
    ]
    said |= {name: headers[name] for name in TRACE if name in headers and name not in said}
    if "content-type" in headers:
        said["datacontenttype"] = headers["content-type"]
    faults += _attributes(said, structured=False)
    data: Any = value
    if value is not None and _is_json(said.get("datacontenttype")):
        data = _collected(faults, value)
    return _event(said, data, faults, tombstone=value is None, structured=False)


def _structured(media: str, value: bytes | None) -> CloudEvent:
    faults = _charset(media, "content-type")
    if value is None:
        faults.append(Fault("", "tombstone", "only a binary event can be a tombstone: send the attributes as headers."))
    whole: Any = None if value is None else _collected(faults, value)
    if value is not None and not faults and not isinstance(whole, dict):
        faults.append(Fault("", "no_event", "a structured event is one JSON object."))
    if faults:
        raise Undecodable(faults)
    said = {name: value for name, value in whole.items() if name not in ("data", "data_base64")}
    faults += _attributes(said, structured=True)
    data = whole.get("data")
    if whole.get("data_base64") is not None:
        if "data" in whole:
            faults.append(Fault("/data_base64", "misplaced", "it has data as well: send one of the two."))
        else:
            data = _from_base64(whole["data_base64"], said, faults)
    return _event(said, data, faults, tombstone=False, structured=True)


def _from_base64(text: Any, said: Mapping[str, Any], faults: list[Fault]) -> Any:
    try:
        inner = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        faults.append(Fault("/data_base64", "base64", "it is not Base64 (RFC 4648)."))
        return None
    return _collected(faults, inner, "/data_base64") if _is_json(said.get("datacontenttype")) else inner


def _collected(faults: list[Fault], text: bytes, pointer: str = "") -> Any:
    try:
        return parse_json(text, pointer)
    except Undecodable as error:
        faults += error.faults
        return None


def _is_json(media: Any) -> bool:
    return not isinstance(media, str) or _JSON_MEDIA.match(media) is not None


def _charset(media: str, place: str) -> list[Fault]:
    found = _CHARSET.search(media)
    if found is None or found[1].lower() in ("utf-8", "utf8"):
        return []
    return [Fault(place, "charset", "it names another character set: send UTF-8.")]


def _attributes(said: dict[str, Any], *, structured: bool) -> list[Fault]:
    """Return what is wrong with the attributes; an optional one that is null is as good as none."""
    for name in [name for name, value in said.items() if value is None]:
        del said[name]
    faults = [
        Fault(_place(name, structured=structured), "missing", "a CloudEvent cannot be without it.")
        for name in _REQUIRED
        if name not in said
    ]
    for name, value in said.items():
        if wrong := [*(_of_attribute(name, value) if name in _ATTRIBUTES else _of_extension(name, value))]:
            place = _place(name if name in _ATTRIBUTES else "*", structured=structured)
            faults += [fault._replace(place=place) for fault in wrong]
    return faults


def _place(attribute: str, *, structured: bool) -> str:
    if structured:
        return f"/{attribute}"
    return "content-type" if attribute == "datacontenttype" else f"ce_{attribute}"


def _of_attribute(name: str, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault("", "string_type", "it must be a text.")
    elif not value.strip():
        yield Fault("", "empty", "it is empty: leave it out, if it may be.")
    elif name == "specversion" and value != SPECVERSION:
        yield Fault("", "specversion", f"only CloudEvents {SPECVERSION} is taken.")
    elif name == "time" and isinstance(wrong := moment(value), Fault):
        yield wrong
    elif name == "datacontenttype":
        if not _MEDIA.fullmatch(value):
            yield Fault("", "media_type", f"it is no media type (RFC 2046), such as {JSON_TYPE}.")
        yield from _charset(value, "")


def _of_extension(name: str, value: Any) -> Iterator[Fault]:
    if not _NAME.fullmatch(name):
        yield Fault("", "extension_name", "an extension's name has lower-case letters and digits only.")
    if not _is_scalar(value):
        yield Fault("", "extension_type", "an extension is a text, a truth value or a 32-bit number.")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or (isinstance(value, int) and -(2**31) <= value < 2**31)


def _event(said: Mapping[str, Any], data: Any, faults: list[Fault], *, tombstone: bool, structured: bool) -> CloudEvent:
    if faults:
        raise Undecodable(faults)
    time = moment(said["time"]) if "time" in said else None
    return CloudEvent(
        id=said["id"],
        source=said["source"],
        type=said["type"],
        time=time if isinstance(time, datetime) else None,
        datacontenttype=said.get("datacontenttype"),
        dataschema=said.get("dataschema"),
        subject=said.get("subject"),
        extensions=MappingProxyType({name: value for name, value in said.items() if name not in _ATTRIBUTES}),
        data=data,
        tombstone=tombstone,
        structured=structured,
    )


def _said(event: CloudEvent) -> dict[str, Any]:
    """Return an event's attributes in order, without those it does not have."""
    said: dict[str, Any] = {"specversion": SPECVERSION}
    for name in _ATTRIBUTES[1:]:
        value = getattr(event, name)
        if value is not None:
            said[name] = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
    return said | dict(event.extensions)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bytes(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
