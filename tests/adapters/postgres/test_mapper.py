"""The bytes of the log: what is sealed opens in its own place alone, and what was recorded once is read for ever."""

from __future__ import annotations

import json
import pkgutil
from base64 import b64decode
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

import domain
from adapters.postgres.keyring import DataKey, KeyDestroyed
from adapters.postgres.mapper import LogCorrupt, SealingMapper, StoredRow
from domain.contact import ContactKind, ContactMade
from domain.event import TOPICS, Envelope, Event, PersonName, labels_of
from domain.labels import TABLE, Label, Seal
from domain.referral import Charge, ChargeHeld, ReferralAccepted
from domain.roi import RoiGranted
from tests.adapters.postgres.events import NOON, KeysInHand, envelopes, events, pending, row_of, sealed
from tests.adapters.postgres.make_examples import EXAMPLES, path_of

CANARY = "canary7391"
TOPIC_NAMES = sorted(TOPICS)
STORED = sorted(EXAMPLES.glob("*.json"))


def contact(**changed: Any) -> ContactMade:
    fields: dict[str, Any] = {
        "participant_id": uuid4(),
        "party_id": uuid4(),
        "occurred_at": NOON - timedelta(days=1),
        "kind": ContactKind.VISIT,
        "reached": True,
        "note": CANARY,
    }
    return ContactMade(**(fields | changed))


def charge(**changed: Any) -> ChargeHeld:
    return ChargeHeld(
        participant_id=uuid4(),
        party_id=uuid4(),
        matter_id=uuid4(),
        occurred_at=NOON,
        charge=Charge(code="35A", description=CANARY, severity="felony"),
        incident_number="26-1",
        prosecutor=uuid4(),
        **changed,
    )


class Told(Event):
    """Under both keys at once, with a clear field."""

    label: ClassVar[Label] = Label.CONTACT_FACT
    requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")
    schema_version: ClassVar[int] = 1

    note: Annotated[str, Label.CONTACT_NOTE]
    docket: Annotated[str, Label.CASE_DOCKET]
    status: Annotated[str, Label.ENROLMENT_STATUS]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(Told, "topic", "test.told", raising=False)
    monkeypatch.setitem(TOPICS, "test.told", Told)
    return Told(participant_id=uuid4(), matter_id=uuid4(), occurred_at=NOON, note="n", docket="d", status="s")


def test_every_module_of_the_domain_is_known() -> None:
    before = set(TOPICS)
    for module in pkgutil.iter_modules(domain.__path__):
        import_module(f"domain.{module.name}")
    assert set(TOPICS) == before


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_event_comes_back(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(TOPIC_NAMES).flatmap(lambda topic: events(TOPICS[topic])))
    envelope = data.draw(envelopes())
    mapper, _, row = sealed(event, envelope)
    recorded = mapper.to_domain_event(row)
    assert recorded.event == event
    assert recorded.envelope == envelope
    assert not recorded.erased
    assert (recorded.stream, recorded.version) == (row.originator_id, row.originator_version)
    assert (recorded.position, recorded.recorded_at) == (row.notification_id, row.recorded_at)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_event_whose_keys_are_gone_comes_back_without_what_they_sealed(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(TOPIC_NAMES).flatmap(lambda topic: events(TOPICS[topic])))
    mapper, keys, row = sealed(event)
    keys.keys = dict.fromkeys(keys.keys)
    recorded = mapper.to_domain_event(row)
    cls: type[Event] = type(event)
    for name, label in labels_of(cls).items():
        if TABLE[label].seal is Seal.CLEAR:
            assert getattr(recorded.event, name) == getattr(event, name)
            assert name not in recorded.erased
        else:
            assert getattr(recorded.event, name) == (NOON if name == "occurred_at" else None)
            assert name in recorded.erased
    assert recorded.event.participant_id == event.participant_id


def test_the_state_is_canonical_and_clear_only_where_the_label_is() -> None:
    _, _, row = sealed(contact(location=CANARY))
    state = orjson.loads(row.state)
    assert row.state == orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
    assert list(state) == ["box", "data", "env", "f", "id", "v"]
    assert set(state["data"]) == {"participant_id", "party_id"}
    assert CANARY.encode() not in row.state
    assert b"visit" not in row.state
    assert b"2026" not in row.state, "that it happened then is a sealed fact too"


def test_a_set_is_stored_in_order() -> None:
    labels = frozenset({Label.NEED_HOUSING, Label.CONTACT_FACT, Label.IIP_GOAL, Label.ENROLMENT_STATUS})
    _, _, row = sealed(_granted(labels))
    assert orjson.loads(row.state)["data"]["labels"] == sorted(labels)


def _granted(labels: frozenset[Label]) -> RoiGranted:
    return RoiGranted(
        participant_id=uuid4(),
        party_id=uuid4(),
        expires_at=NOON,
        occurred_at=NOON,
        roi=uuid4(),
        reader="police",
        labels=labels,
        purpose="p",
        covers_from=NOON,
    )


def test_every_sealing_has_its_own_nonce() -> None:
    keys, event = KeysInHand(), contact()
    mapper = SealingMapper(keys)
    boxes = [orjson.loads(mapper.to_stored_event(pending(event)).state)["box"]["S"] for _ in range(200)]
    assert len({box["n"] for box in boxes}) == 200


def test_unequal_texts_under_one_key_make_equally_long_states() -> None:
    who, party, keys = uuid4(), uuid4(), KeysInHand()
    mapper = SealingMapper(keys)
    lengths = {
        size: len(mapper.to_stored_event(pending(contact(participant_id=who, party_id=party, note="a" * size))).state)
        for size in range(1, 200)
    }
    assert len(set(lengths.values())) == 4, "199 lengths of text look like four"


CHANGES: dict[str, dict[str, Any]] = {
    "stream": {"originator_id": uuid4()},
    "version": {"originator_version": 2},
    "topic": {"topic": "intake.completed"},
    "participant": {"participant_id": uuid4()},
    "no participant": {"participant_id": None},
    "matter": {"matter_id": uuid4()},
    "party": {"party_id": uuid4()},
    "staff": {"staff_id": uuid4()},
    "end": {"expires_at": NOON},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", [contact, charge, lambda: _granted(frozenset({Label.IIP_GOAL}))])
@pytest.mark.parametrize("destroyed", [False, True])
def test_a_changed_column_is_refused(make: Any, change: str, destroyed: bool) -> None:
    mapper, keys, row = sealed(make())
    if destroyed:
        keys.keys = dict.fromkeys(keys.keys)
    mapper.to_domain_event(row)
    changed = row._replace(**CHANGES[change])
    if changed == row:
        changed = row._replace(expires_at=NOON + timedelta(microseconds=1))
    for subject in filter(None, (changed.participant_id, changed.matter_id)):  # even if that subject has a key
        if not destroyed:
            keys.for_sealing(subject)
    _refused(mapper, changed)


def test_swapped_participant_and_party_are_refused() -> None:
    mapper, keys, row = sealed(contact())
    assert row.participant_id
    assert row.party_id
    keys.keys[row.party_id] = keys.keys[row.participant_id]
    _refused(mapper, row._replace(participant_id=row.party_id, party_id=row.participant_id))


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(lambda a, b: {**a, "box": b["box"]}, id="the box of another event of the same participant"),
        pytest.param(lambda a, b: {**a, "box": {"M": a["box"]["S"]}}, id="under another letter"),
        pytest.param(lambda a, b: {k: v for k, v in a.items() if k != "box"}, id="no box"),
        pytest.param(lambda a, b: {**a, "env": {**a["env"], "role": "officer"}}, id="another actor's role"),
        pytest.param(lambda a, b: {**a, "env": b["env"], "id": b["id"], "box": b["box"]}, id="all of another"),
        pytest.param(lambda a, b: {**a, "v": 2}, id="a later version"),
        pytest.param(lambda a, b: {**a, "f": 2}, id="a later form"),
        pytest.param(lambda a, b: {**a, "box": {"S": {**a["box"]["S"], "k": str(uuid4())}}}, id="another key"),
        pytest.param(lambda a, b: {**a, "box": {"S": {**a["box"]["S"], "c": "AAAA"}}}, id="other ciphertext"),
        pytest.param(lambda a, b: {**a, "data": {**a["data"], "note": "said"}}, id="a sealed field in the clear"),
    ],
)
def test_a_box_opens_only_in_its_place(moved: Any) -> None:
    who, keys = uuid4(), KeysInHand()
    mapper = SealingMapper(keys)
    one, two = (row_of(mapper.to_stored_event(pending(contact(participant_id=who)))) for _ in range(2))
    state = orjson.dumps(moved(orjson.loads(one.state), orjson.loads(two.state)), option=orjson.OPT_SORT_KEYS)
    _refused(mapper, one._replace(state=state))


def test_the_associated_data_alone_refuse_a_moved_box() -> None:
    """The state moved along with its columns, so that only the box can tell."""
    mapper, _, row = sealed(contact())
    state = orjson.loads(row.state)
    places: list[tuple[int, str, Any]] = [(0, "originator_id", uuid4()), (1, "originator_version", 5)]
    for at, column, value in places:
        placed = [*state["id"]]
        placed[at] = str(value) if isinstance(value, UUID) else value
        _refused(mapper, row._replace(**{column: value}, state=orjson.dumps({**state, "id": placed})))
    party = uuid4()
    data = {**state["data"], "party_id": str(party)}
    _refused(mapper, row._replace(party_id=party, state=orjson.dumps({**state, "data": data})))


def test_a_box_that_was_taken_away_is_missed_even_where_its_fields_are_optional() -> None:
    mapper, _, row = sealed(
        ReferralAccepted(participant_id=uuid4(), party_id=uuid4(), occurred_at=NOON, found_at="under the bridge")
    )
    state = orjson.loads(row.state)
    del state["box"]
    _refused(mapper, row._replace(state=orjson.dumps(state)))


def test_a_subject_that_never_had_a_key_is_not_an_erased_one() -> None:
    mapper, keys, row = sealed(contact())
    keys.keys.clear()
    _refused(mapper, row)


def test_bytes_that_are_no_event_are_refused() -> None:
    mapper, _, row = sealed(contact())
    for state in b"", b"{}", b"[]", b"null", CANARY.encode(), row.state[:-1], row.state.replace(b'"f":1', b'"f":null'):
        _refused(mapper, row._replace(state=state))


def _refused(mapper: SealingMapper, row: StoredRow) -> None:
    with pytest.raises(LogCorrupt) as caught:
        mapper.to_domain_event(row)
    told = str(caught.value)
    assert str(row.originator_id) in told
    assert CANARY not in told
    assert caught.value.__context__ is None, "nothing of the event travels along"
    assert caught.value.__cause__ is None


def test_one_key_of_two_is_gone(told: Told) -> None:
    mapper, keys, row = sealed(told)
    assert told.participant_id
    assert told.matter_id
    both = dict(keys.keys)
    keys.keys = {**both, told.matter_id: None}
    recorded = mapper.to_domain_event(row)
    assert recorded.erased == {"docket"}
    assert (recorded.event.note, recorded.event.docket, recorded.event.status) == ("n", None, "s")  # type: ignore[attr-defined]
    assert recorded.event.occurred_at == told.occurred_at
    keys.keys = {**both, told.participant_id: None}
    recorded = mapper.to_domain_event(row)
    assert recorded.erased == {"note", "occurred_at"}
    assert (recorded.event.docket, recorded.event.occurred_at) == ("d", row.recorded_at)  # type: ignore[attr-defined]


def test_clear_fields_of_an_erased_event_have_their_types() -> None:
    mapper, keys, row = sealed(charge())
    keys.keys = dict.fromkeys(keys.keys)
    event = mapper.to_domain_event(row).event
    assert isinstance(event.participant_id, UUID)
    assert isinstance(event.occurred_at, datetime)


def test_nothing_is_sealed_under_a_destroyed_key() -> None:
    event = contact()
    assert event.participant_id
    with pytest.raises(KeyDestroyed):
        SealingMapper(KeysInHand({event.participant_id: None})).to_stored_event(pending(event))


def test_upcasts(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    mapper, keys, row = sealed(told)

    class Later(Event):
        label: ClassVar[Label] = Label.CONTACT_FACT
        requires: ClassVar[tuple[str, ...]] = ("participant_id", "matter_id")
        schema_version: ClassVar[int] = 3
        upcasts: ClassVar = {
            1: lambda old: {**{k: v for k, v in old.items() if k != "note"}, "words": old.get("note")},
            2: lambda old: {**old, "status": f"{old['status']}!"},
        }
        words: Annotated[str | None, Label.CONTACT_NOTE]
        docket: Annotated[str, Label.CASE_DOCKET]
        status: Annotated[str, Label.ENROLMENT_STATUS]

    monkeypatch.setattr(Later, "topic", "test.told", raising=False)
    monkeypatch.setitem(TOPICS, "test.told", Later)
    event = mapper.to_domain_event(row).event
    assert isinstance(event, Later)
    assert (event.words, event.docket, event.status) == ("n", "d", "s!")
    assert told.matter_id
    keys.keys[told.matter_id] = None
    assert mapper.to_domain_event(row).erased == {"docket"}


@pytest.mark.parametrize("topic", TOPIC_NAMES)
def test_every_topic_has_an_example_of_its_version(topic: str) -> None:
    cls = TOPICS[topic]
    assert path_of(cls).exists(), "run: python -m tests.adapters.postgres.make_examples"
    assert set(cls.upcasts) == set(range(1, cls.schema_version))


@pytest.mark.parametrize("path", STORED, ids=[path.stem for path in STORED])
def test_every_example_loads_for_ever(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    columns: dict[str, Any] = {
        name: value
        if value is None or name in ("topic", "originator_version", "notification_id")
        else b64decode(value)
        if name == "state"
        else datetime.fromisoformat(value)
        if name.endswith("_at")
        else UUID(value)
        for name, value in stored["row"].items()
    }
    row = StoredRow(**columns)
    keys = {
        UUID(subject): DataKey(UUID(key["key_id"]), AESGCM(b64decode(key["key"])))
        for subject, key in stored["keys"].items()
    }
    recorded = SealingMapper(KeysInHand({**keys})).to_domain_event(row)
    cls, expected = TOPICS[row.topic], stored["event"]
    for version in range(orjson.loads(row.state)["v"], cls.schema_version):
        expected = cls.upcasts[version](expected)
    assert recorded.event == cls.model_validate(expected)
    assert recorded.envelope == Envelope.model_validate(stored["envelope"])
    then = labels_of(cls).keys() & stored["event"].keys()  # a field added since, with a default, was not there
    assert all(getattr(recorded.event, name) is not None for name in then), "an example leaves nothing out"


@pytest.mark.parametrize("topic", ["arrest.reported", "booking.reported"])
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_person_who_was_stored_without_a_name_of_its_own_opens(topic: str, forgotten: bool) -> None:
    stored = json.loads((EXAMPLES / f"{topic}.v1.json").read_text(encoding="utf-8"))["event"]
    given, surname = stored["person"]["given"], stored["person"]["surname"]
    if forgotten:
        del stored["person"]
    opened = TOPICS[topic].upcasts[1](stored)
    if forgotten:
        assert "person" not in opened
    else:
        assert TOPICS[topic].model_validate(opened).person.name == PersonName(given=given, surname=surname)  # type: ignore[attr-defined]


def test_an_event_without_anything_sealed_has_no_box() -> None:
    keys = KeysInHand()
    stored = SealingMapper(keys).to_stored_event(pending(_granted(frozenset({Label.IIP_GOAL}))))
    assert b"box" not in stored.state
    assert stored.sealed_under == ()
    assert not keys.keys
