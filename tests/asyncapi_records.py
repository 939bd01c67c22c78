"""Holds records against schemas/asyncapi.json, as a stranger would who has nothing but that file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT: dict[str, Any] = json.loads((ROOT / "schemas" / "asyncapi.json").read_text("utf-8"))


def complaints_about(message: str, payload: object, kafka_headers: Mapping[str, object]) -> list[str]:
    """What the document has against a message: its value as JSON, and its Kafka headers as text."""
    described = DOCUMENT["components"]["messages"][message]
    found = list(_errors(described["payload"], payload))
    if "headers" in described:
        found += _errors(described["headers"], dict(kafka_headers))
    return found


def _errors(schema: Mapping[str, Any], value: object) -> list[str]:
    # The references are into the document, so it is the root of what is validated.
    rooted = {"allOf": [schema], "components": DOCUMENT["components"]}
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(rooted).iter_errors(value)]
