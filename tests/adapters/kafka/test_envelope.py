"""The envelope keeps CloudEvents 1.0: the cases of its own conformance suite, then ours, which the suite has not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.kafka.envelope import (
    BYTES_MOST,
    DEPTH_MOST,
    STRUCTURED_TYPE,
    CloudEvent,
    Record,
    Undecodable,
    decode,
    encode,
    structured,
)

_VALID: dict[str, Any] = {
    "specversion": "1.0",
    "id": "minimal",
    "type": "io.cloudevents.test",
    "source": "https://c.io",
}
_BAD: dict[str, Any] = _VALID | {"id": "invalid"}

# The ten valid and the twenty-five invalid single events of the project cloudevents/conformance (`format/json`), under
# the ids that they have there. They are told here by what sets each apart from a minimal event; None takes a name out.
OFFICIAL_VALID: dict[str, dict[str, Any]] = {
    "validMinimal": {},
    "validMinimalWithNullForOptional": dict.fromkeys(("datacontenttype", "dataschema", "subject", "time")),
    "validAllCoreAttributes": {
        "datacontenttype": "text/plain",
        "dataschema": "https://cloudevents.io/dataschema",
        "subject": "tests",
        "time": "2018-04-05T17:31:00Z",
    },
    "validMinimalWithTimeUtc": {"time": "2018-04-05T17:31:00Z"},
    "validMinimalWithTimeToNanosecondsUtc": {"time": "2018-04-05T17:31:00.000000000Z"},
    "validMinimalWithTimeUsingPositiveOffset": {"time": "2018-04-05T18:31:00+01:00"},
    "validMinimalWithTimeUsingNegativeOffset": {"time": "2018-04-05T16:31:00-01:00"},
    "validRelativeSource": {"source": "#fragment"},
    "validSimpleTextData": {"datacontenttype": "text/plain", "data": "Simple text"},
    "validAllExtensionTypes": {
        "extinteger": 10,
        "extboolean": True,
        "extstring": "text",
        "exturi": "https://cloudevents.io",
        "exturiref": "//authority/path",
        "exttimestamp": "2023-03-31T15:12:00Z",
        "extbinary": "TWE=",
    },
}
OFFICIAL_INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "invalidNoSpecVersion": ({"specversion": None}, "missing"),
    "invalidNoId": ({"id": None}, "missing"),
    "invalidNoType": ({"type": None}, "missing"),
    "invalidNoSource": ({"source": None}, "missing"),
    "invalidTimeGarbage": ({"time": "lunchtime"}, "time_format"),
    "invalidTimeToMinute": ({"time": "2018-04-05T18:31Z"}, "time_format"),
    "invalidTimeOffsetX": ({"time": "2018-04-05T18:31:00X"}, "time_format"),
    "invalidTimeOffsetOutOfRange": ({"time": "2018-04-05T18:31:00+25:00"}, "time_format"),
    "invalidTimeOffsetNonInteger": ({"time": "2018-04-05T18:31:00+xx:00"}, "time_format"),
    "invalidTimeOffsetHourOnly": ({"time": "2018-04-05T18:31:00+05"}, "time_offset"),
    "invalidEmptyId": ({"id": ""}, "empty"),
    "invalidEmptyType": ({"type": ""}, "empty"),
    "invalidEmptySource": ({"source": ""}, "empty"),
    "invalidEmptySpecVersion": ({"specversion": ""}, "empty"),
    "invalidUnknownSpecVersion": ({"specversion": "0.9"}, "specversion"),
    "invalidNonRfc2046DataContentType": ({"datacontenttype": "xyz"}, "media_type"),
    "invalidEmptyDataContentType": ({"datacontenttype": ""}, "empty"),
    "invalidEmptyDataSchema": ({"dataschema": ""}, "empty"),
    "invalidEmptySubject": ({"subject": ""}, "empty"),
    "invalidNumericId": ({"id": 25}, "string_type"),
    "invalidObjectId": ({"id": {"xyz": "abc"}}, "string_type"),
    "invalidCapitalizedExtension": ({"MyExtension": "bad"}, "extension_name"),
    "invalidPunctuatedExtension": ({"my.extension": "bad"}, "extension_name"),
    "invalidNonIntegerExtensionValue": ({"my.extension": 1.5}, "extension_type"),
    "invalidBothDataAndDataBase64": ({"data": "text", "data_base64": "eyAieHl6IjogMTIzIH0="}, "misplaced"),
}

# Ours.
OWN_INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "time without an offset": ({"time": "2018-04-05T18:31:00"}, "time_naive"),
    "time without an offset, to the minute": ({"time": "2018-04-05T18:31"}, "time_naive"),
    "a day that there is not": ({"time": "2018-02-30T18:31:00Z"}, "time_range"),
    "an hour that there is not": ({"time": "2018-02-03T24:31:00Z"}, "time_range"),
    "a year before anybody": ({"time": "0001-01-01T00:00:00Z"}, "time_range"),
    "a year after anybody": ({"time": "9999-12-31T23:59:59-08:00"}, "time_range"),
    "time as a number": ({"time": 1522953060}, "string_type"),
    "arabic digits": ({"time": "٢٠١٨-04-05T18:31:00Z"}, "time_format"),
    "extension of 33 bits": ({"count": 2**31}, "extension_type"),
    "extension that is an object": ({"trace": {}}, "extension_type"),
    "another charset of the data": ({"datacontenttype": "application/json; charset=latin1", "data": 1}, "charset"),
    "data that is not Base64": ({"data_base64": "eyAi*"}, "base64"),
}
BROKEN_JSON: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"specversion": "1.0", "id": "i", "data": {"a": "b', "truncated"),
    "cut before a value": (b'{"specversion": "1.0", "id":', "truncated"),
    "nothing": (b"  ", "empty"),
    "no JSON": (b"specversion: 1.0", "json"),
    "two values": (b"{} {}", "json"),
    "latin 1": ('{"id": "José"}'.encode("latin-1"), "charset"),
    "utf-16": ('{"id": "José"}'.encode("utf-16"), "charset"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte_order_mark"),
    "twice the same name": (b'{"id": "a", "id": "b"}', "duplicate_name"),
    "twice, escaped": (b'{"id": "a", "\\u0069d": "b"}', "duplicate_name"),
    "twice, without a space": (b'{"id":"a","id":"b"}', "duplicate_name"),
    "twice, far inside": (b'{"data": {"a": [{"b": 1, "b": 1}]}}', "duplicate_name"),
    "not a number": (b'{"data": NaN}', "not_a_number"),
    "infinity": (b'{"data": -Infinity}', "not_a_number"),
    "infinite by exponent": (b'{"data": 1e999}', "number_range"),
    "endless digits": (b'{"data": ' + b"9" * 5000 + b"}", "number_range"),
    "deep": (b'{"data": ' + b"[" * DEPTH_MOST + b"]" * DEPTH_MOST + b"}", "nesting"),
    "deep, without a space": (b'{"data":' + b"[" * DEPTH_MOST + b"]" * DEPTH_MOST + b"}", "nesting"),
    "deep beyond any stack": (b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nesting"),
    "half a pair": (b'{"id": "a\\ud800"}', "surrogate"),
    "NUL": (b'{"data": {"a": "x\\u0000y"}}', "nul"),
    "NUL, without a space": (b'{"data":{"a":"x\\u0000y"}}', "nul"),
    "NUL in a name": (b'{"data": {"a\\u0000": 1}}', "nul"),
    "NUL as it is": (b'{"data": "x\x00y"}', "json"),
    "a list": (b"[]", "no_event"),
    "too long": (b'"' + b"x" * BYTES_MOST + b'"', "too_large"),
}


def _with(event: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    required = {"specversion", "id", "type", "source"}
    made = event | change
    return {name: value for name, value in made.items() if value is not None or name not in required}


def _structured(value: bytes) -> Record:
    return Record([("content-type", STRUCTURED_TYPE.encode())], None, value)


def _binary(**headers: str | None) -> list[tuple[str, bytes | None]]:
    said = {f"ce_{name}": value for name, value in _VALID.items()} | headers
    return [(name, None if value is None else value.encode()) for name, value in said.items() if value != ""]


def codes(record: Record) -> set[str]:
    try:
        decode(record)
    except Undecodable as error:
        return {fault.code for fault in error.faults}
    return set()


def test_the_suite_is_whole() -> None:
    assert (len(OFFICIAL_VALID), len(OFFICIAL_INVALID)) == (10, 25)


@pytest.mark.parametrize("case", OFFICIAL_VALID)
def test_official_valid(case: str) -> None:
    said = _with(_VALID, OFFICIAL_VALID[case])
    event = decode(_structured(json.dumps(said).encode()))
    again = structured(event)
    assert {name: again.get(name) for name in ("id", "source", "type")} == {
        n: said[n] for n in ("id", "source", "type")
    }
    assert event.data == said.get("data")
    if said.get("time"):
        assert event.time is not None
        assert event.time.timestamp() == 1522949460  # the same moment in every one of them


@pytest.mark.parametrize("case", OFFICIAL_INVALID)
def test_official_invalid(case: str) -> None:
    change, code = OFFICIAL_INVALID[case]
    assert code in codes(_structured(json.dumps(_with(_BAD, change)).encode()))


@pytest.mark.parametrize("case", OWN_INVALID)
def test_own_invalid(case: str) -> None:
    change, code = OWN_INVALID[case]
    assert codes(_structured(json.dumps(_with(_BAD, change)).encode())) == {code}


@pytest.mark.parametrize("case", BROKEN_JSON)
def test_broken_json_has_a_code_of_its_own(case: str) -> None:
    text, code = BROKEN_JSON[case]
    assert codes(_structured(text)) == {code}


@pytest.mark.parametrize("case", sorted(BROKEN_JSON.keys() - {"a list"}))
def test_broken_json_in_binary_mode(case: str) -> None:
    text, code = BROKEN_JSON[case]
    assert codes(Record(_binary(), None, text)) == {code}


def test_wherever_a_text_is_cut_it_is_called_cut() -> None:
    text = json.dumps(
        _VALID | {"data": [True, False, None, -1, 2.5, 1e-7, {}, [], {"a": "b", "c": {"d": [""]}}]}
    ).encode()
    for cut in range(1, len(text)):
        assert codes(_structured(text[:cut])) == {"truncated"}, text[:cut]


# The three scenarios of `features/kafka-protocol-binding.feature` of the same project.
_FEATURE = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "time": "2018-04-05T03:56:24Z",
    "id": "1234-1234-1234",
    "source": "/mycontext/subcontext",
    "datacontenttype": "application/json",
}


def test_official_kafka_binary() -> None:
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}" if name != "datacontenttype" else "content-type", value.encode())
        for name, value in _FEATURE.items()
    ]
    event = decode(Record(headers, None, b'{"message": "Hello World!"}'))
    assert structured(event) == _FEATURE | {"data": {"message": "Hello World!"}}


@pytest.mark.parametrize(
    "media",
    [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=utf-8",
        "Application/CloudEvents+JSON; charset=UTF-8",  # ours: the prefix is compared without regard to case
    ],
)
def test_official_kafka_structured(media: str) -> None:
    value = json.dumps(_FEATURE | {"data": {"message": "Hello World!"}}).encode()
    event = decode(Record([("content-type", media.encode())], b"k", value))
    assert structured(event) == _FEATURE | {"data": {"message": "Hello World!"}}


# Ours, of the Kafka binding.
@pytest.mark.parametrize(
    ("headers", "value", "found"),
    [
        ([], b"{}", {"no_event"}),
        ([("content-type", b"application/json")], b"{}", {"no_event"}),
        ([("content-type", b"application/cloudevents+avro")], b"{}", {"format"}),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", {"format"}),
        ([("content-type", b"application/cloudevents+json; charset=latin1")], b"{}", {"charset"}),
        ([("content-type", STRUCTURED_TYPE.encode())], None, {"tombstone"}),
        (_binary(ce_id=None), b"{}", {"null_header", "missing"}),
        ([*_binary(), ("ce_id", b"again")], b"{}", {"duplicate_header"}),
        ([*_binary(), ("ce_subject", b"Jos\xe9")], b"{}", {"charset"}),
        ([*_binary(), ("ce_subject", b"a\x00b")], b"{}", {"nul"}),
        ([*_binary(), ("ce_datacontenttype", b"application/json")], b"{}", {"misplaced"}),
        ([*_binary(), ("ce_My-Ext", b"x")], b"{}", {"extension_name"}),
        ([*_binary(), ("content-type", b"application/json; charset=UTF-16")], b"{}", {"charset"}),
    ],
)
def test_headers_that_cannot_be(headers: list[tuple[str, bytes | None]], value: bytes | None, found: set[str]) -> None:
    assert codes(Record(headers, None, value)) == found


def test_only_a_binary_event_without_value_is_a_tombstone() -> None:
    event = decode(Record(_binary(), b"k", None))
    assert event.tombstone
    assert event.data is None
    assert not decode(_structured(json.dumps(_VALID).encode())).tombstone


def test_every_fault_is_told_at_once_and_quotes_nothing() -> None:
    said = _BAD | {"time": "secret", "Ray Bell": "secret", "id": 7, "datacontenttype": "secret"}
    with pytest.raises(Undecodable) as caught:
        decode(_structured(json.dumps(said).encode()))
    told = str(caught.value.faults) + str(caught.value)
    assert len(caught.value.faults) == 4
    assert "secret" not in told
    assert "Ray" not in told


@pytest.mark.parametrize("code", sorted({code for _, code in BROKEN_JSON.values()}))
def test_what_is_raised_has_no_text_of_the_record_with_it(code: str) -> None:
    text = next(text for text, its in BROKEN_JSON.values() if its == code)
    with pytest.raises(Undecodable) as caught:
        decode(_structured(text))
    error: BaseException | None = caught.value
    while error is not None:  # a JSONDecodeError has the whole document, a UnicodeDecodeError all bytes
        assert isinstance(error, Undecodable)
        error = error.__context__


def test_an_event_goes_out_in_binary_and_comes_back_the_same() -> None:
    event = CloudEvent(
        id="7",
        source="urn:lead:s:p:x",
        type="t",
        extensions={"operation": "add", "traceparent": "00-a-b-01", "flag": "true"},
        data={"Name": "José"},
        datacontenttype="application/json",
    )
    record = encode(event, b"key", "a.topic")
    assert dict(record.headers)["ce_id"] == b"7"
    assert dict(record.headers)["traceparent"] == b"00-a-b-01"
    assert decode(record) == event
    gone = encode(CloudEvent(id="8", source="s", type="t"), b"key")
    assert gone.value is None
    assert decode(gone).tombstone
