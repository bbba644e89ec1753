"""The contract as documents: JSON Schemas, the JSON-LD context, and AsyncAPI 3.0.0; all follow from `contract.py`."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from adapters.kafka.contract import FAMILIES, TYPES, VOCABULARY, Direction, Family, MessageType, Version
from adapters.kafka.envelope import BYTES_MOST, JSON_TYPE, SPECVERSION
from adapters.kafka.messages.niem import NC, NIBRS, J
from adapters.kafka.messages.outgoing import ParticipantStatus

ASYNCAPI: Final = "3.0.0"
KAFKA_BINDING: Final = "0.5.0"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SEALED_BODY: Final = "participant-status/body"
SEALED_BODY_VERSION: Final = Version(1, 0, 0)

_NIEM: Final = "https://docs.oasis-open.org/niemopen/ns/model"
_PREFIXES: Final = {
    "nc": f"{_NIEM}/niem-core/6.0/",
    "j": f"{_NIEM}/domains/justice/6.0/",
    "nibrs": "http://fbi.gov/cjis/nibrs/2019/",
    "lead": "urn:lead:terms:",
}
_DESCRIPTION: Final = (
    "What a LEAD site takes from police records, jail, prosecutor and court systems, and what it tells them. "
    "Every party has topics of its own. The guide stands beside this document, in README.md."
)
_EXTENSIONS: Final = {
    "ce_correlationid": "The business matter that the message is part of; kept in every answer to it.",
    "ce_causationid": "The id of the message that this one answers.",
    "ce_partitionkey": "The record's key, if it is said in the event as well.",
    "traceparent": "W3C trace context; as ce_traceparent it is taken too.",
    "tracestate": "W3C trace context; as ce_tracestate it is taken too.",
}


class _Schema(GenerateJsonSchema):
    """Without a title at every field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def schema(kind: MessageType) -> dict[str, Any]:
    """Return the JSON Schema of a type's data, in its present version."""
    return _schema(kind.model, kind.dataschema)


def sealed_body() -> dict[str, Any]:
    """Return the JSON Schema of what the sealed body of a participant's status holds."""
    return _schema(ParticipantStatus, f"urn:lead:schema:{SEALED_BODY.replace('/', ':')}:{SEALED_BODY_VERSION}")


def context() -> dict[str, Any]:
    """Return the JSON-LD context: each name of a message, and the term that it stands for."""
    prefixes = {**dict.fromkeys(NC, "nc"), **dict.fromkeys(J, "j"), **dict.fromkeys(NIBRS, "nibrs")}
    return {"@context": _PREFIXES | {name: f"{prefixes.get(name, 'lead')}:{name}" for name in sorted(VOCABULARY)}}


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Golden Thread: the stream of a LEAD site",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON_TYPE,
        "servers": {
            "site": {
                "host": "kafka.lead.example:9093",
                "protocol": "kafka-secure",
                "description": "The site's broker; its address and your user come from the site.",
                "security": [{"$ref": "#/components/securitySchemes/scram"}],
            }
        },
        "channels": {family.name: _channel(family) for family in FAMILIES},
        "operations": {f"{_action(family)}-{family.name}": _operation(family) for family in FAMILIES},
        "components": {
            "messages": {kind.short: _message(kind) for kind in TYPES.values()},
            "parameters": {
                "party": {"description": "The code of the party in the site's register.", "examples": ["city-pd"]}
            },
            "securitySchemes": {
                "scram": {"type": "scramSha512", "description": "Over TLS; each system of a party has its own user."}
            },
        },
    }


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": name} | model.model_json_schema(schema_generator=_Schema)


def _action(family: Family) -> str:
    """Return what LEAD does with a topic."""
    return "receive" if family.direction is Direction.IN else "send"


def _channel(family: Family) -> dict[str, Any]:
    keys = ", or if that is missing ".join("/".join(path) for path in family.key)
    cleanup = "compact" if family.compacted else "delete"
    verb = "Written by" if family.direction is Direction.IN else "Read by the party, written by"
    return {
        "address": family.topic("{party}"),
        "description": f"{verb} {family.who}. The record's key is {keys}.",
        "parameters": {"party": {"$ref": "#/components/parameters/party"}},
        "messages": {kind.short: {"$ref": f"#/components/messages/{kind.short}"} for kind in _of(family)},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": [cleanup], "max.message.bytes": BYTES_MOST},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(family: Family) -> dict[str, Any]:
    return {
        "action": _action(family),
        "channel": {"$ref": f"#/channels/{family.name}"},
        "messages": [{"$ref": f"#/channels/{family.name}/messages/{kind.short}"} for kind in _of(family)],
    }


def _of(family: Family) -> list[MessageType]:
    return [kind for kind in TYPES.values() if kind.family is family]


def _message(kind: MessageType) -> dict[str, Any]:
    return {
        "name": kind.name,
        "title": kind.model.__name__,
        "summary": (kind.model.__doc__ or "").partition("\n")[0],
        "contentType": JSON_TYPE,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": _headers(kind),
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{kind.path}/{kind.version}.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDING}},
        "examples": [{"name": "example", "payload": kind.model.example}],
    }


def _headers(kind: MessageType) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"],
        "properties": {
            "ce_specversion": {"const": SPECVERSION},
            "ce_id": text | {"maxLength": 200, "description": "With ce_source, unique for ever."},
            "ce_source": text | {"description": "urn:lead:<site>:<party code>:<ORI or system>"},
            "ce_type": {"const": kind.name},
            "ce_time": {"type": "string", "format": "date-time", "description": "When the message was made."},
            "ce_dataschema": text | {"examples": [kind.dataschema]},
            "ce_operation": {"enum": list(kind.operations)},
            "content-type": {"type": "string", "examples": [JSON_TYPE]},
        }
        | {name: text | {"description": sentence} for name, sentence in _EXTENSIONS.items()},
    }
