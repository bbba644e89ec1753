"""A message is taken if it keeps the contract; if not, it is told why by place and code, and never by its words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from adapters.kafka.asyncapi import schema
from adapters.kafka.contract import FAULTS_MOST, TYPES, VOCABULARY, MessageType, example, key_of, read
from adapters.kafka.envelope import CloudEvent, Fault, Record, Undecodable, encode, structured

ARREST = TYPES["org.lead.arrest.recorded.v1"]
FILED = TYPES["org.lead.case.filed.v1"]
kinds = pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.short)


def key(kind: MessageType) -> bytes:
    return str(key_of(kind.family, kind.model.example)).encode()


def record(kind: MessageType, topic: str | None = None, **changes: Any) -> Record:
    return encode(replace(example(kind), **changes), key(kind), topic)


def faults(sent: Record) -> list[Fault]:
    with pytest.raises(Undecodable) as caught:
        read(sent)
    return list(caught.value.faults)


def found(sent: Record) -> set[tuple[str, str]]:
    return {(fault.place, fault.code) for fault in faults(sent)}


def changed(kind: MessageType, path: str, value: Any) -> dict[str, Any]:
    """Return the example's data with the value at a path replaced; `...` takes it out."""
    data = deepcopy(kind.model.example)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    inner: Any = data
    for step in steps:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return data


@kinds
def test_an_example_is_taken_in_both_modes(kind: MessageType) -> None:
    binary = read(record(kind, kind.family.topic("city-pd" if kind.family.direction == "out" else _party(kind))))
    assert binary.kind is kind
    assert binary.operation == kind.operations[0]
    text = json.dumps(structured(example(kind))).encode()
    whole = read(Record([("content-type", b"application/cloudevents+json")], key(kind), text))
    assert whole.body == binary.body


def _party(kind: MessageType) -> str:
    return example(kind).source.split(":")[3]


SECRET = "Zebedee Quux"


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (*path, step)
        yield from _leaves(inner, (*path, step))


@kinds
def test_no_fault_says_a_word_of_the_message(kind: MessageType) -> None:
    """At every place: a text that does not fit there, an object instead, and a name that the schema has not."""
    for path in _leaves(kind.model.example):
        for wrong in (SECRET * 2000, {SECRET: SECRET}, [SECRET], "\u0000" + SECRET, 10**30):
            data: Any = deepcopy(kind.model.example)
            inner = data
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = wrong
            if path[-1] == "ExclusionText" and isinstance(wrong, list):
                continue  # any texts may stand there
            told = faults(record(kind, data=data))
            assert told
            assert "Zebedee" not in str(told), path
            assert "Quux" not in str(told), path


@pytest.mark.parametrize(
    ("path", "value", "place", "code"),
    [
        ("Arrest/ActivityDate/DateTime", "2026-02-14T02:10:00", "", "time_naive"),
        ("Arrest/ActivityDate/DateTime", "2026-02-14T02:10:00-08", "", "time_offset"),
        ("Arrest/ActivityDate/DateTime", "2026-02-30T02:10:00-08:00", "", "time_range"),
        ("Arrest/ActivityDate/DateTime", "1026-02-14T02:10:00-08:00", "", "time_range"),
        ("Arrest/ActivityDate/DateTime", "14 Feb", "", "time_format"),
        ("Arrest/ActivityDate/DateTime", 1771063800, "", "string_type"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonBirthDate/Date", "05/09/1984", "", "date_format"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonBirthDate/Date", "1984-02-30", "", "date_range"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonBirthDate/Date", "0001-01-01", "", "date_range"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonSexCode", "X", "", "literal_error"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonName/PersonSurName", "  ", "", "string_too_short"),
        ("Arrest/ArrestSubject/RoleOfPerson/PersonName/PersonSurName", ..., "", "missing"),
        ("Arrest/ArrestCharge", [], "", "too_short"),
        ("Arrest/ArrestCharge/0/ChargeUCRCode", "35a", "", "string_pattern_mismatch"),
        ("Arrest/ArrestCharge/0/ChargeCountQuantity", "1", "", "int_type"),
        ("Arrest/ArrestCharge/0/ChargeCountQuantity", 0, "", "greater_than_equal"),
        ("Arrest/BookedIndicator", "yes", "", "bool_type"),
        ("Arrest/ArrestAgency/OrganizationORIIdentification/IdentificationID", "WASPD", "", "string_pattern_mismatch"),
        ("LeadDiversion/DiversionReasonCode", "no reason", "", "enum"),
        ("Arrest/CaseDocketID", "26-1", "", "extra_forbidden"),
        ("Arrest/PersonSurname", "Bell", "/Arrest", "extra_forbidden"),
    ],
)
def test_what_is_wrong_with_an_arrest(path: str, value: Any, place: str, code: str) -> None:
    assert found(record(ARREST, data=changed(ARREST, path, value))) == {(place or f"/{path}", code)}


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    (fault,) = faults(record(ARREST, data=changed(ARREST, "Arrest/ArrestSubject/RoleOfPerson/PersonSurname", "x")))
    assert "PersonSurName" in fault.sentence


def test_in_structured_mode_a_place_is_within_the_whole() -> None:
    said = structured(example(ARREST)) | {"data": changed(ARREST, "Arrest/BookedIndicator", "yes"), "time": "noon"}
    sent = Record([("content-type", b"application/cloudevents+json")], None, json.dumps(said).encode())
    assert found(sent) == {("/time", "time_format")}
    said["time"] = "2026-02-14T02:10:00Z"
    sent = sent._replace(value=json.dumps(said).encode())
    assert found(sent) == {("/data/Arrest/BookedIndicator", "bool_type")}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"type": "org.lead.arrest.recordd.v1"}, ("ce_type", "unknown_type")),
        ({"type": "org.lead.arrest.recorded.v2"}, ("ce_type", "unknown_type")),
        ({"source": "urn:lead:king-county:city-pd"}, ("ce_source", "source")),
        ({"time": None}, ("ce_time", "missing")),
        ({"dataschema": "urn:lead:schema:arrest:recorded:2-0-0"}, ("ce_dataschema", "unknown_major")),
        ({"dataschema": "urn:lead:schema:arrest:amended:1-0-0"}, ("ce_dataschema", "dataschema")),
        ({"dataschema": "1-0-0"}, ("ce_dataschema", "dataschema")),
        ({"datacontenttype": "text/plain"}, ("content-type", "media_type")),
        ({"datacontenttype": "application/json-patch+json"}, ("content-type", "media_type")),
        ({"source": f"urn:lead:{'k' * 64}:city-pd:x"}, ("ce_source", "source")),
        ({"extensions": {"operation": "delete"}}, ("ce_operation", "operation")),
        ({"extensions": {"partitionkey": "another"}}, ("ce_partitionkey", "key_mismatch")),
        ({"data": None, "extensions": {}}, ("", "tombstone")),
    ],
)
def test_what_is_wrong_with_an_envelope(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    sent = record(ARREST, **changes)
    if changes.get("datacontenttype") == "text/plain":
        sent = sent._replace(value=b"text")
    assert found(sent) == {fault}


def test_the_key_of_the_record_is_the_number_in_the_data() -> None:
    assert found(record(ARREST)._replace(key=b"MNI-20931")) == {("key", "key_mismatch")}
    assert found(record(ARREST, "in.city-pd.arrest.v1")._replace(key=None)) == {("key", "missing")}
    assert read(record(ARREST)._replace(key=None)).kind is ARREST  # from a file


def test_a_declined_case_without_a_docket_goes_by_the_offices_own_number() -> None:
    declined = TYPES["org.lead.case.declined.v1"]
    assert key(declined) == b"PA-26-2207"
    data = changed(declined, "CourtCase/CaseDocketID", "26-1-00317-9")
    assert read(encode(replace(example(declined), data=data, extensions={}), b"26-1-00317-9")).kind is declined


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("in.city-pd.arrest.v1", None),
        ("in.other-pd.arrest.v1", ("ce_source", "wrong_party")),
        ("in.city-pd.case.v1", ("ce_type", "wrong_topic")),
        ("city-pd.arrest.v2", ("ce_type", "wrong_topic")),
    ],
)
def test_the_topic_says_who_sent_it_and_the_message_must_not_say_otherwise(
    topic: str, fault: tuple[str, str] | None
) -> None:
    if fault is None:
        assert read(record(ARREST, topic)).party == "city-pd"
    else:
        assert found(record(ARREST, topic)) == {fault}


def test_a_charge_is_taken_out_of_the_table_by_a_tombstone() -> None:
    listed = TYPES["org.lead.charge.listed.v1"]
    gone = encode(replace(example(listed), data=None, extensions={"operation": "delete"}), b"RCW-9A.56.050")
    message = read(gone)
    assert message.body is None
    assert message.operation == "delete"
    added = encode(replace(example(listed), data=None, extensions={"operation": "add"}), b"RCW-9A.56.050")
    assert found(added) == {("ce_operation", "operation")}


def test_of_a_newer_minor_what_is_not_known_is_dropped_and_counted() -> None:
    data = changed(ARREST, "Arrest/WeatherText", "rain") | {"Mood": {"a": [1]}}
    data["Arrest"]["ArrestSubject"]["RoleOfPerson"]["PersonNick"] = SECRET
    newer = read(record(ARREST, data=data, dataschema="https://site.example/schemas/arrest/recorded/1-2-0.json"))
    assert newer.dropped == 3
    assert newer.body == read(record(ARREST)).body
    assert data["Mood"], "what came is left as it came"
    ours = record(ARREST, data=data, dataschema="urn:lead:schema:arrest:recorded:1-0-7")
    assert {code for _, code in found(ours)} == {"extra_forbidden"}
    broken = changed(ARREST, "Arrest/WeatherText", "rain")
    broken["Arrest"]["BookedIndicator"] = "yes"
    sent = record(ARREST, data=broken, dataschema="urn:lead:schema:arrest:recorded:1-2-0")
    assert found(sent) == {("/Arrest/BookedIndicator", "bool_type")}


_DAY = {"Date": "2026-02-10"}
_CHARGE = {"ArrestTransactionNumber": "A26-0042210", "ChargeSequenceID": "1"}


@pytest.mark.parametrize(
    ("name", "path", "value", "place"),
    [
        ("case.order", "Warrant", ..., ""),
        (
            "case.order",
            "CourtOrder",
            {"CourtOrderCategoryCode": "release", "CourtOrderIssuingDate": _DAY},
            "",
        ),
        ("case.order", "CourtCase/CaseDefendantParty", [], ""),
        ("case.order", "Warrant/WarrantStatusCode", "active", "/Warrant"),
        ("case.order", "Warrant/WarrantStatusDate", ..., "/Warrant"),
        ("arrest.recorded", "Incident", ..., ""),
        ("arrest.recorded", "Arrest/ArrestCharge/0/ProsecutorPartyCode", ..., ""),
        ("case.sealed", "CourtCase/SealedScopeCode", "charge", "/CourtCase"),
        (
            "case.sealed",
            "CourtCase/CaseCharge",
            [_CHARGE],
            "/CourtCase",
        ),
    ],
)
def test_what_belongs_together(name: str, path: str, value: Any, place: str) -> None:
    kind = TYPES[f"org.lead.{name}.v1"]
    (fault,) = faults(record(kind, data=changed(kind, path, value)))
    assert (fault.place, fault.code) == (place, "value_error")


def test_one_charge_of_a_case_can_be_sealed_and_an_order_can_be_no_warrant() -> None:
    sealed, order = TYPES["org.lead.case.sealed.v1"], TYPES["org.lead.case.order.v1"]
    scope = {"SealedScopeCode": "charge", "CaseCharge": [_CHARGE]}
    one = sealed.model.example | {"CourtCase": sealed.model.example["CourtCase"] | scope}
    made = {"CourtOrderCategoryCode": "release", "CourtOrderIssuingDate": _DAY}
    other = {"CourtCase": {"CaseDocketID": "26-1-00317-9"}, "CourtOrder": made, "Warrant": None}
    for kind, data in ((sealed, one), (order, other)):
        assert read(record(kind, data=data)).kind is kind
        assert Draft202012Validator(schema(kind)).is_valid(data)


def test_a_message_of_nothing_but_faults_is_answered_soon_and_in_bounds() -> None:
    data = ARREST.model.example | {f"Arrest{n}": n for n in range(50_000)}
    before = perf_counter()
    assert len(faults(record(ARREST, data=data))) == FAULTS_MOST
    assert perf_counter() - before < 5


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(VOCABULARY)), inner, max_size=4),
    max_leaves=12,
)


@given(st.data(), st.sampled_from(sorted(TYPES)))
def test_whatever_comes_it_is_taken_or_refused_and_nothing_else_happens(data: st.DataObject, name: str) -> None:
    kind = TYPES[name]
    sent = record(kind, kind.family.topic("city-pd"))
    text = sent.value or b""
    at = data.draw(st.integers(0, len(text)))
    value = data.draw(
        st.none()
        | st.binary(max_size=40)
        | st.just(text[:at])
        | st.binary(max_size=4).map(lambda some: text[:at] + some + text[at + 1 :])
        | _JSON.map(lambda some: json.dumps(some).encode())
    )
    headers = [
        (key, data.draw(st.sampled_from([text, text, text, None, b"", b"\xff", b"0"]))) for key, text in sent.headers
    ]
    told: tuple[Fault, ...] = ()
    try:
        read(sent._replace(value=value, headers=headers))
    except Undecodable as error:
        told = error.faults
        if not told:
            raise AssertionError("refused, and no word why") from error
    assert len(told) < FAULTS_MOST + 20


def test_everything_wrong_is_told_at_once() -> None:
    data = changed(ARREST, "Arrest/BookedIndicator", "yes")
    del data["Arrest"]["ArrestCategoryCode"]
    sent = record(ARREST, "in.city-pd.case.v1", data=data, source="urn:lead:x", time=None)
    assert found(sent) == {
        ("ce_source", "source"),
        ("ce_time", "missing"),
        ("ce_type", "wrong_topic"),
        ("/Arrest/BookedIndicator", "bool_type"),
        ("/Arrest/ArrestCategoryCode", "missing"),
    }


def test_two_defendants_keep_their_charges_apart() -> None:
    filed = read(record(TYPES["org.lead.case.initiated.v1"])).body
    assert filed is not None
    both = filed.CourtCase.CaseDefendantParty  # type: ignore[attr-defined]
    assert [one.EntityPerson.PersonName.PersonSurName for one in both] == ["Bell", "Cruz"]
    assert [one.CaseCharge[0].ArrestTransactionNumber for one in both] == ["A26-0042210", "A26-0042211"]


def test_nothing_that_leaves_tells_a_revocation_from_a_seal_or_an_error() -> None:
    withdrawn = TYPES["org.lead.participant.retracted.v1"]
    assert set(withdrawn.model.model_fields) == {"ParticipantKey", "StatusVersion"}
    out = [kind for kind in TYPES.values() if kind.family.name == "control"]
    assert out == [withdrawn]


def test_an_event_of_another_kind_altogether() -> None:
    sent = encode(CloudEvent(id=SECRET, source=SECRET, type=SECRET, data={SECRET: SECRET}), SECRET.encode())
    assert "Zebedee" not in str(faults(sent))
