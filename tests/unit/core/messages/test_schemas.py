"""The schemas in schemas/ are those of the models, and accept what the models accept."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from support import ROOT

from streamverify.core.messages.codec import RequestLimits, decode_request, decode_result
from streamverify.core.messages.dead_letter import PREFIX, DeadLetter
from streamverify.core.messages.models import ALIASES, ProofRequest
from streamverify.core.messages.schemas import schema_files
from streamverify.core.overview.schemas import overview_schema_files
from streamverify.core.reports.schemas import report_schema_files

FILES = schema_files() | report_schema_files() | overview_schema_files()
SCHEMAS = {name: json.loads(text) for name, text in FILES.items()}
REQUEST = SCHEMAS["proof-request.schema.json"]
RESULT = SCHEMAS["proof-result.schema.json"]
DEAD_LETTER = SCHEMAS["dead-letter.schema.json"]


def accepts(schema: dict[str, Any], value: object) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def test_the_files_are_current() -> None:
    folder = ROOT / "schemas"
    stale = [
        name for name, text in FILES.items() if not (folder / name).exists() or (folder / name).read_text() != text
    ]
    surplus = [file.name for file in folder.glob("*.schema.json") if file.name not in FILES]

    assert not stale, f"{stale} are not current; write them anew: streamverify schema --write schemas"
    assert not surplus, f"{surplus} belong to no schema; delete them"


@pytest.mark.parametrize("name", FILES)
def test_each_is_a_schema_with_a_name_that_is_no_host(name: str) -> None:
    schema = SCHEMAS[name]

    Draft202012Validator.check_schema(schema)
    assert schema["$id"].startswith("urn:streamverify:")
    assert schema["title"]
    assert schema["description"]


def undescribed(schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """The properties for which neither they nor the definition that they refer to has a description."""
    missing = []
    for name, field in schema.get("properties", {}).items():
        target = root.get("$defs", {}).get(field.get("$ref", "").removeprefix("#/$defs/"), {})
        if not field.get("description") and not target.get("description"):
            missing.append(name)
    return missing


@pytest.mark.parametrize("name", FILES)
def test_every_field_is_described(name: str) -> None:
    root = SCHEMAS[name]

    assert undescribed(root, root) == []
    for definition in root.get("$defs", {}).values():
        assert undescribed(definition, root) == []


def test_the_request_shows_every_field_and_alias() -> None:
    assert set(REQUEST["properties"]) == set(ProofRequest.model_fields) | set(ALIASES.values())


@pytest.mark.parametrize("name", FILES)
def test_examples_are_valid(name: str) -> None:
    assert SCHEMAS[name]["examples"]
    for example in SCHEMAS[name]["examples"]:
        Draft202012Validator(SCHEMAS[name]).validate(example)


def test_examples_are_what_the_decoders_take() -> None:
    for example in REQUEST["examples"]:
        decode_request(orjson.dumps(example), limits=RequestLimits(4096))
    for example in RESULT["examples"]:
        decode_result(orjson.dumps(example))
    for example in DEAD_LETTER["examples"]:
        headers = [(name, text.encode()) for name, text in example.items()]
        DeadLetter.from_record(key=None, value=None, kafka_headers=headers)


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "p"},
        {"proof": None, "code": "p"},
        {"proof": "p", "code": 5},
        {"proof": "p", "infotree": "full"},
        {"proof": "p", "infotree_type": "full", "infotree": 5},
        {"proof": "p", "infotree_type": None, "infotree": "tactics"},
        {"proof": "p", "unknown": [1]},
        {"proof": "p", "timeout": None, "all_tactics": None, "deadline": None},
    ],
)
def test_a_request_in_any_accepted_form_is_valid(fields: dict[str, Any]) -> None:
    assert accepts(REQUEST, {"custom_id": 7} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"proof": 5, "code": "p"},
        {"proof": None, "code": None},
        {"proof": "p", "infotree": "all"},
        {"proof": "p", "infotree_type": "all", "infotree": "full"},
        {"proof": "p", "timeout": "60"},
        {"proof": "p", "timeout": True},
        {"proof": "p", "deadline": "2026-01-31T12:00:00"},
        {"proof": "p", "custom_id": True},
        {"proof": "p", "custom_id": ""},
        {"proof": "p", "metadata": []},
    ],
)
def test_a_request_in_any_other_form_is_not(fields: dict[str, Any]) -> None:
    assert not accepts(REQUEST, {"custom_id": 7} | fields)


def test_a_dead_letter_needs_all_our_headers() -> None:
    (example,) = DEAD_LETTER["examples"]

    for name in example:
        assert not accepts(DEAD_LETTER, {key: text for key, text in example.items() if key != name})
    assert not accepts(DEAD_LETTER, example | {PREFIX + "offset": "many"})
    assert accepts(DEAD_LETTER, example | {"trace": "x"})
