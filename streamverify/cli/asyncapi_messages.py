"""The messages of the AsyncAPI document: of each its key, its Kafka headers, its value and examples."""

from __future__ import annotations

import json
from typing import Any

from streamverify.client.dead_letters import REPLAYS
from streamverify.client.requests import REQUEST_ID
from streamverify.core.groups.announcement import announcement_schema, cancellation_schema
from streamverify.core.groups.scope import CALLERS_ID_HEADER, KEY_HEADER
from streamverify.core.messages.draft7 import COMPONENTS, components
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN, RUN_HEADER, Status
from streamverify.core.messages.retries import RETRIES
from streamverify.core.messages.schemas import schema_files
from streamverify.core.scheduling.partitioner import affinity_key
from streamverify.worker.results import STATUS_HEADER

Node = dict[str, Any]

_COUNT = {"type": "string", "pattern": "^[0-9]{1,9}$"}
REQUEST_HEADERS: Node = {
    REQUEST_ID: {
        "type": "string",
        "description": "Chosen by the sender, different for each request: by it the sender knows its answer.",
    },
    RUN_HEADER: {
        "type": "string",
        "maxLength": MAX_RUN,
        "description": "The `run` of the request, so that a reader can filter without parsing.",
    },
    KEY_HEADER: {
        "type": "string",
        "description": "Set by a gateway: the name of its caller's API key. It tells callers apart.",
    },
    CALLERS_ID_HEADER: {
        "type": "string",
        "description": "Set by a gateway: the id that its caller gave the proof.",
    },
    RETRIES: {**_COUNT, "description": "How often `streamverify retry` has sent the request again."},
    REPLAYS: {**_COUNT, "description": "How often `streamverify dlq replay` has sent the record again."},
    "traceparent": {
        "type": "string",
        "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
        "description": "The trace that the request belongs to (W3C Trace Context). It is copied to the result.",
    },
}
"""Kafka headers of a request that mean something to us. Any others may be there: all are copied to the result."""


def schemas() -> dict[str, Node]:
    """Make every schema that the messages refer to: those of the folder `schemas`, and of the Kafka headers."""
    made: dict[str, Node] = {}
    for text in schema_files().values():
        made |= components(json.loads(text))
    made |= components(announcement_schema())
    made |= components(cancellation_schema())
    made["RequestHeaders"] = {
        "type": "object",
        "description": "Kafka headers of a request, each value read as UTF-8 text. None is required, and others may be "
        "there: all are copied to the result.",
        "properties": REQUEST_HEADERS,
    }
    status = {"enum": [*Status], "description": "The `status` of the result, so that a reader can filter by it."}
    made["ResultHeaders"] = {
        "type": "object",
        "description": "Kafka headers of a result: those of its request, and ours. Where the topic would not take so "
        "large a record, only ours are left.",
        "required": [STATUS_HEADER],
        "properties": {STATUS_HEADER: status, **REQUEST_HEADERS},
    }
    made["OriginalValue"] = {
        "description": "The value of the original record, untouched: any bytes. Null where it was too large.",
        "contentMediaType": "application/octet-stream",
    }
    made["Nothing"] = {"type": "null", "description": "A record without a value, which removes its key (a tombstone)."}
    return made


def messages(binding: str) -> dict[str, Node]:
    """Make every message. `binding` is the version of AsyncAPI's Kafka binding."""
    examples = {name.partition(".")[0]: json.loads(text)["examples"] for name, text in schema_files().items()}
    [result], [letter] = examples["proof-result"], examples["dead-letter"]
    request_id = "6f1c0c7e5a3b4f0f9c1d2e3f4a5b6c7d"
    of_request = {REQUEST_ID: request_id, RUN_HEADER: "sweep-7"}
    custom_id = {"type": "string", "minLength": 1, "maxLength": MAX_CUSTOM_ID, "description": "The custom_id."}
    fingerprint = {
        "type": "string",
        "description": "Anything. Our own producers set the fingerprint of the proof's import header (32 hexadecimal "
        "digits), which chooses the partition: docs/partitioning.md.",
        "examples": [affinity_key("import Mathlib").decode()],
    }
    correlated = {"correlationId": {"$ref": "#/components/correlationIds/requestId"}}
    return {
        "proofRequest": {
            **_message("ProofRequest", "One Lean file to verify.", fingerprint, "RequestHeaders", binding),
            **correlated,
            "examples": [
                _example("least", "Only two fields are required.", examples["proof-request"][0]),
                _example("more", "Aliases, a time-out and a run.", examples["proof-request"][1], of_request),
            ],
        },
        "proofResult": {
            **_message("ProofResult", "The verdict on one request.", custom_id, "ResultHeaders", binding),
            **correlated,
            "examples": [
                _example("rejected", "Lean reported an error.", result, of_request | {STATUS_HEADER: result["status"]})
            ],
        },
        "deletedResult": {
            **_message("Nothing", "A result was deleted: readers forget it.", custom_id, None, binding),
            "title": "DeletedResult",
            "examples": [_example("tombstone", "The key alone.", None)],
        },
        "deadLetter": {
            **_message(
                "OriginalValue",
                "A record that could not be answered, as it came, with what went wrong in its Kafka headers.",
                {"description": "The key of the original record, untouched; empty where the topic did not take it."},
                "DeadLetterHeaders",
                binding,
            ),
            "title": "DeadLetter",
            "contentType": "application/octet-stream",
            "examples": [_example("undecodable", "A value without a custom_id.", '{"proof": "…"}', letter)],
        },
        "announcement": {
            **_message(
                "Announcement",
                "An attempt of a group has succeeded; the record's timestamp says when.",
                {
                    "type": "string",
                    "pattern": "^[0-9a-f]{32}:[0-9a-f]{16}$",
                    "description": "The scope, and a digest of the id: compaction keeps each success of a scope.",
                },
                None,
                binding,
            ),
            "examples": [_example("success", "An audited attempt.", announcement_schema()["examples"][0])],
        },
        "cancellation": {
            **_message(
                "Cancellation",
                "Requests were cancelled; the record's timestamp says when.",
                {
                    "type": "string",
                    "pattern": "^cancellation:[0-9a-f]{32}$",
                    "description": "A digest of which requests: compaction keeps the last one of each.",
                },
                None,
                binding,
            ),
            "examples": [_example("run", "All that waits of a run.", cancellation_schema()["examples"][0])],
        },
    }


def _message(schema: str, about: str, key: Node, headers: str | None, binding: str) -> Node:
    return {
        "name": schema,
        "title": schema,
        "summary": about,
        "contentType": "application/json",
        "payload": {"$ref": f"{COMPONENTS}{schema}"},
        **({"headers": {"$ref": f"{COMPONENTS}{headers}"}} if headers else {}),
        "bindings": {"kafka": {"key": key, "bindingVersion": binding}},
    }


def _example(name: str, summary: str, payload: Any, kafka_headers: Node | None = None) -> Node:
    headers = {"headers": kafka_headers} if kafka_headers else {}
    return {"name": name, "summary": summary, "payload": payload, **headers}
