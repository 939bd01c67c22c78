"""JSON Schemas (draft 2020-12) of the messages, for producers and consumers in any language.

The descriptions come from the models; what a request may look like beyond its model (aliases, nulls, integer ids) is
written here, beside `codec.decode_request`, which decides it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, get_args

from streamverify.core.messages.dead_letter import PREFIX as DEAD_LETTER_PREFIX
from streamverify.core.messages.models import (
    ALIASES,
    MAX_CUSTOM_ID,
    MAX_RUN,
    MAX_THEOREM,
    OUTCOMES,
    RFC_3339,
    SCHEMA_VERSION,
    InfotreeType,
    ProofRequest,
    ProofResult,
    Require,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WRONG_PROOF = "theorem t (a b : Nat) : a + b = a := by simp"


def schema_files() -> dict[str, str]:
    """Make the text of each JSON Schema in the folder `schemas`, by the name of its file."""
    return as_files({"proof-request": _request(), "proof-result": _result(), "dead-letter": _dead_letter()})


def as_files(schemas: Mapping[str, Schema]) -> dict[str, str]:
    """Write each schema, by the name of its file."""
    return {
        f"{name}.schema.json": json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        for name, schema in schemas.items()
    }


def named(name: str, title: str, description: str, body: Mapping[str, Any], version: int = SCHEMA_VERSION) -> Schema:
    """Make a schema with its name. That is a URN, because nobody is to fetch it from a host."""
    return {
        "$schema": _DIALECT,
        "$id": f"urn:streamverify:schema:{name}:{version}",
        "title": title,
        "description": description,
        **body,
    }


def model_schema(name: str, model: type[BaseModel], version: int, example: BaseModel) -> Schema:
    """Make the schema of something that is only ever written by us."""
    # As it is written: a field with a default is always there.
    schema = without_titles(model.model_json_schema(mode="serialization"))
    description = f"{schema.pop('description')} Unknown fields are to be ignored: a later version may add some."
    body = {**schema, "examples": [example.model_dump(mode="json")]}
    return named(name, model.__name__, description, body, version)


def _request() -> Schema:
    types = _request_types()
    properties = {
        name: {"description": field.description, **types[name]} for name, field in ProofRequest.model_fields.items()
    }
    for name, alias in ALIASES.items():
        properties[alias] = {"description": f"Read as `{name}` where that is absent or null, and ignored elsewhere."}
    body = {
        "type": "object",
        "required": ["custom_id"],
        "properties": properties,
        "allOf": [
            # One of the two is a text; null counts as not given, so that `code` counts beside `"proof": null`.
            {
                "anyOf": [
                    {"required": ["proof"], "properties": {"proof": {"type": "string"}}},
                    {
                        "required": ["code"],
                        "properties": {"proof": {"type": "null"}, "code": {"type": "string"}},
                    },
                ]
            },
            # `infotree` is looked at only where `infotree_type` is absent or null.
            {
                "anyOf": [
                    {"required": ["infotree_type"], "properties": {"infotree_type": {"type": "string"}}},
                    {"properties": {"infotree": {"enum": [*get_args(InfotreeType), None]}}},
                ]
            },
        ],
        "examples": _REQUEST_EXAMPLES,
    }
    description = (
        "One Lean file to verify: the value of a record of the request topic. Null counts as not given, for every "
        "field. Unknown fields are ignored. Integers are written without fraction or exponent."
    )
    return named("proof-request", "ProofRequest", description, body)


def _request_types() -> dict[str, Schema]:
    """Say what the decoder accepts for each field. Null is accepted everywhere, as it counts as not given."""
    text_or_null = {"type": ["string", "null"]}
    flag = {"type": ["boolean", "null"], "default": False}
    return {
        "custom_id": {"type": ["string", "integer"], "minLength": 1, "maxLength": MAX_CUSTOM_ID},
        "proof": text_or_null,
        "timeout": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "infotree_type": {"enum": [*get_args(InfotreeType), None]},
        "all_tactics": flag,
        "disable_cache": flag,
        "require": {"enum": [*get_args(Require), None]},
        "run": {**text_or_null, "maxLength": MAX_RUN},
        "group": {**text_or_null, "maxLength": MAX_RUN},
        "first_success": flag,
        "theorem": {**text_or_null, "maxLength": MAX_THEOREM},
        "statement": text_or_null,
        "deadline": {**text_or_null, "format": "date-time", "pattern": RFC_3339},
        "metadata": {"type": ["object", "null"]},
    }


def _result() -> Schema:
    schema = without_titles(ProofResult.model_json_schema())
    reasons = "; ".join(
        f"`{reason}` ({outcome.status}{', retriable' if outcome.retriable else ''})"
        for reason, outcome in OUTCOMES.items()
    )
    # What the model checks beyond the fields: a failure and an answer of Lean exclude each other.
    null, answer = {"type": "null"}, {"not": {"type": "null"}}
    schema["oneOf"] = [
        {
            "required": ["error"],
            "properties": {"error": {"type": "string"}, "response": null, "status": {"not": {"const": "verified"}}},
        },
        {"required": ["response"], "properties": {"error": null, "response": answer}},
    ]
    schema["$defs"]["Reason"]["description"] = f"What there is today: {reasons}."
    description = schema.pop("description") + (
        " Unknown fields and unknown reasons are to be accepted: a later version may add some."
    )
    return named("proof-result", "ProofResult", description, {**schema, "examples": _RESULT_EXAMPLES})


def without_titles(node: Any) -> Any:
    """Pydantic titles each field with its name in capitals, which says nothing."""
    if isinstance(node, list):
        return [without_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: without_titles(item) for name, item in node.items() if name != "title" or not isinstance(item, str)}


def _dead_letter() -> Schema:
    number = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
    kafka_headers = {
        "topic": {"type": "string", "description": "The topic of the original record.", "maxLength": 249},
        "partition": {**number, "description": "Its partition."},
        "offset": {**number, "description": "Its offset."},
        "timestamp": {**number, "description": "Its timestamp, in milliseconds since the epoch."},
        "group": {"type": "string", "description": "The consumer group that gave it up."},
        "stage": {
            "type": "string",
            "description": "Where it failed: `decode` (a worker could not read the value), `route` (the router could "
            "not read it, or the request topic did not take it), `verify` (it ran each time that its worker died); "
            "a later version may add some.",
        },
        "exception.class.name": {"type": "string", "description": "The Python class of the error."},
        "exception.message": {"type": "string", "description": "What went wrong, for people."},
        "exception.stacktrace": {"type": "string", "description": "The end of the stack trace."},
        "attempts": {**number, "description": "How often it was tried."},
    }
    body = {
        "type": "object",
        "required": [DEAD_LETTER_PREFIX + name for name in kafka_headers],
        "properties": {DEAD_LETTER_PREFIX + name: schema for name, schema in kafka_headers.items()},
        "additionalProperties": {"type": ["string", "null"]},
        "examples": _DEAD_LETTER_EXAMPLES,
    }
    description = (
        "The Kafka headers of a record of the dead letter topic, each value read as UTF-8 text. The record's key, "
        "value and timestamp, and its other Kafka headers, are those of the original record, untouched; where the "
        "topic did not take them, key and value are empty."
    )
    return named("dead-letter", "DeadLetterHeaders", description, body)


_REQUEST_EXAMPLES: list[Schema] = [
    {"custom_id": "add-comm", "proof": "theorem t (a b : Nat) : a + b = b + a := Nat.add_comm a b"},
    {
        "custom_id": 10009,
        "code": "import Mathlib\n\nexample : (2 : Nat) + 2 = 4 := by norm_num",
        "timeout": 30,
        "infotree": "original",
        "deadline": "2026-01-31T12:00:00Z",
        "run": "sweep-7",
        "metadata": {"sample": 3},
    },
]

_RESULT_EXAMPLES: list[Schema] = [
    {
        "schema_version": 3,
        "custom_id": "add-zero",
        "status": "rejected",
        "reason": "lean_error",
        "retriable": False,
        "error": None,
        "summary": "line 1, column 36: unsolved goals a b : Nat ⊢ b = 0",
        "response": {
            "messages": [
                {
                    "severity": "error",
                    "pos": {"line": 1, "column": 36},
                    "endPos": {"line": 1, "column": 43},
                    "data": "unsolved goals\na b : Nat\n⊢ b = 0",
                }
            ],
            "sorries": [],
            "tactics": [],
            "infotree": None,
            "env": 1,
            "time": 0.013,
        },
        "truncated": [],
        "assurance": "none",
        "theorems": [],
        "findings": [],
        "timings": {"queued": 0.002, "import": 0.0, "run": 0.013, "audit": 0.0, "total": 0.015},
        "attempts": 1,
        "worker": "worker-1",
        "verifier": {
            "kind": "lean",
            "sandbox": "none",
            "lean_version": "4.33.0",
            "repl_version": None,
            "mathlib_version": None,
            "policy_version": None,
        },
        "source": {"topic": "lean.proofs", "partition": 3, "offset": 1207, "timestamp": 1769860800000},
        "proof_sha256": hashlib.sha256(_WRONG_PROOF.encode()).hexdigest(),
        "run": "sweep-7",
        "group": None,
        "cached": None,
        "superseded_by": None,
        "metadata": {"sample": 3},
    },
]

_DEAD_LETTER_EXAMPLES: list[Schema] = [
    {
        DEAD_LETTER_PREFIX + name: text
        for name, text in {
            "topic": "lean.proofs",
            "partition": "3",
            "offset": "1208",
            "timestamp": "1769860800000",
            "group": "streamverify",
            "stage": "decode",
            "exception.class.name": "streamverify.core.errors.UndecodableRequest",
            "exception.message": "`custom_id` is missing: it must be a string or an integer",
            "exception.stacktrace": "",
            "attempts": "1",
        }.items()
    }
]
