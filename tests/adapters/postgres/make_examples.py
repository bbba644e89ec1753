"""Write a stored example for every topic that has none of its present version; never touch one that exists.

    python -m tests.adapters.postgres.make_examples

An example is a promise that what was recorded then is read for ever: it is committed, and never changed.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import find, settings

from adapters.postgres.keyring import DataKey
from adapters.postgres.mapper import SealingMapper
from domain.event import TOPICS, Event
from tests.adapters.postgres.events import KeysInHand, events, pending, row_of

EXAMPLES = Path(__file__).parent / "examples"


def path_of(cls: type[Event]) -> Path:
    return EXAMPLES / f"{cls.topic}.v{cls.schema_version}.json"


def example(cls: type[Event]) -> dict[str, Any]:
    """An event, the row it became, and the keys that seal it."""
    event = find(events(cls, full=True), lambda _: True, settings=settings(database=None, max_examples=1))
    keys, kept = KeysInHand(), {}
    for subject in filter(None, (event.participant_id, event.matter_id)):
        key_id, key = uuid4(), AESGCM.generate_key(256)
        keys.keys[subject] = DataKey(key_id, AESGCM(key))
        kept[str(subject)] = {"key_id": str(key_id), "key": b64encode(key).decode()}
    place = pending(event, version=3)
    row = row_of(SealingMapper(keys).to_stored_event(place))._asdict()
    row["state"] = b64encode(row["state"]).decode()
    return {
        "row": row,
        "keys": kept,
        "event": event.model_dump(mode="json"),
        "envelope": place.envelope.model_dump(mode="json"),
    }


if __name__ == "__main__":
    EXAMPLES.mkdir(exist_ok=True)
    for cls in TOPICS.values():
        if not path_of(cls).exists():
            text = json.dumps(example(cls), indent=2, sort_keys=True, ensure_ascii=False, default=str)
            path_of(cls).write_text(text + "\n", encoding="utf-8")
            sys.stdout.write(f"{path_of(cls).name}\n")
