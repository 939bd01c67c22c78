"""schemas/asyncapi.json is that of the code, its examples hold, and it has every topic and every way to connect.

That AsyncAPI's own parser takes it is checked by `make check-asyncapi`.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any, get_args

import pytest
from asyncapi_records import DOCUMENT, complaints_about
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from support import ROOT

from streamverify.bus.topics import plan_topics
from streamverify.cli.asyncapi import CHANNELS, PRIVATE, asyncapi_document, asyncapi_file
from streamverify.core.messages.draft7 import components
from streamverify.core.messages.models import ProofRequest, ProofResult
from streamverify.core.messages.schemas import schema_files
from streamverify.settings import Settings

OURS = {name: json.loads(text) for name, text in schema_files().items()}
MESSAGES = DOCUMENT["components"]["messages"]


def test_the_file_is_current() -> None:
    for name, text in asyncapi_file().items():
        assert (ROOT / "schemas" / name).read_text("utf-8") == text, "run: streamverify schema --write schemas"


def test_it_is_the_same_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMVERIFY_REQUEST_TOPIC", "elsewhere")
    monkeypatch.setenv("STREAMVERIFY_MAX_PROOF_BYTES", "4000000")
    assert asyncapi_document() == DOCUMENT


def test_every_topic_that_is_an_interface_is_a_channel_with_its_settings() -> None:
    plans = {plan.name: plan for plan in plan_topics(Settings.model_construct()) if plan.purpose not in PRIVATE}
    channels = {each["address"]: each["bindings"]["kafka"] for each in DOCUMENT["channels"].values()}
    assert set(channels) == set(plans)
    assert set(CHANNELS) == {name for name in Settings.model_fields if name.endswith("_topic")}
    for name, plan in plans.items():
        binding = channels[name]
        assert (binding["topic"], binding["partitions"], binding["replicas"]) == (
            name,
            plan.partitions,
            plan.replication,
        )
        shown = binding["topicConfiguration"]
        assert {
            word: ",".join(value) if isinstance(value, list) else str(value) for word, value in shown.items()
        } == plan.settings


def test_each_message_of_a_channel_is_read_or_written_by_a_service() -> None:
    on_channels = {
        f"#/channels/{channel}/messages/{kind}"
        for channel, each in DOCUMENT["channels"].items()
        for kind in each["messages"]
    }
    used = {reference["$ref"] for each in DOCUMENT["operations"].values() for reference in each["messages"]}
    assert used == on_channels
    assert {kind.rpartition("/")[2] for kind in on_channels} == set(MESSAGES)
    services = {each["tags"][0]["name"] for each in DOCUMENT["operations"].values()}
    assert services == {"worker", "router", "table", "gateway", "client", "delete"}


def test_every_way_to_connect_is_a_server() -> None:
    protocols = get_args(Settings.model_fields["security_protocol"].annotation)
    assert [each["title"].partition("=")[2] for each in DOCUMENT["servers"].values()] == list(protocols)
    for each in DOCUMENT["servers"].values():
        protocol = each["title"].partition("=")[2]
        assert (each["protocol"] == "kafka-secure") is protocol.endswith("SSL")
        kinds = {DOCUMENT["components"]["securitySchemes"][_last(each_)]["type"] for each_ in each.get("security", [])}
        if protocol.startswith("SASL"):
            assert kinds == {"plain", "scramSha256", "scramSha512"}
        else:
            assert kinds == ({"X509"} if protocol == "SSL" else set())
        assert set(re.findall(r"\{(\w+)\}", each["host"])) == set(each["variables"])


def _last(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def test_every_kafka_header_that_the_code_names_is_described() -> None:
    # Constants of the package whose text is the name of a Kafka header: they begin as ours do.
    named = set()
    for file in (ROOT / "streamverify").rglob("*.py"):
        named |= set(
            re.findall(
                r"^(?:\w*HEADER|REQUEST_ID|RETRIES|REPLAYS) = \"(streamverify-[a-z-]+)\"",
                file.read_text("utf-8"),
                re.MULTILINE,
            )
        )
    described = {
        name
        for schema in DOCUMENT["components"]["schemas"].values()
        for name in schema.get("properties", {})
        if name.startswith("streamverify-")
    }
    assert named == described
    assert len(named) >= 7


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(references, node))
        if not isinstance(node, dict):
            return set()
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))

    for reference in references(DOCUMENT):
        node = DOCUMENT
        for word in reference.removeprefix("#/").split("/"):
            node = node[word]
    assert len(references(DOCUMENT)) > 30


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_each_schema_is_one_of_draft_7(name: str) -> None:
    Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][name])


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_messages(name: str) -> None:
    assert MESSAGES[name]["examples"]
    for example in MESSAGES[name]["examples"]:
        assert complaints_about(name, example["payload"], example.get("headers", {})) == []


def test_what_is_no_message_is_found() -> None:
    [example] = MESSAGES["proofResult"]["examples"]
    assert complaints_about("proofResult", example["payload"] | {"status": "perhaps"}, example["headers"])
    assert complaints_about("proofResult", example["payload"], {})
    assert complaints_about("deletedResult", {}, {})
    assert complaints_about("deadLetter", "", {})


def test_every_field_of_the_models_is_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(ProofRequest.model_fields) <= set(schemas["ProofRequest"]["properties"])
    assert {field.alias or name for name, field in ProofResult.model_fields.items()} <= set(
        schemas["ProofResult"]["properties"]
    )


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the steps that lead to it."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for step, value in inner for place in places(value, (*path, step)))]


SPOILT = st.sampled_from([None, "", "x", 0, -1, 1.5, True, [], {}, ["x"], {"x": 1}, "2026-01-31T12:00:00Z"])


@given(data=st.data(), name=st.sampled_from(sorted(OURS)))
def test_the_translation_takes_exactly_what_the_schema_takes(data: st.DataObject, name: str) -> None:
    schema = OURS[name]
    value = deepcopy(data.draw(st.sampled_from(schema["examples"])))
    for _ in range(data.draw(st.integers(0, 3))):
        *way, last = data.draw(st.sampled_from([place for place in places(value) if place]))
        node = value
        for step in way:
            node = node[step]
        if isinstance(node, dict) and data.draw(st.booleans()):
            del node[last]
        else:
            node[last] = deepcopy(data.draw(SPOILT))
        if not any(places(value)):
            break
    kind = schema["title"]
    draft7 = {"$ref": f"#/components/schemas/{kind}", "components": {"schemas": components(schema)}}
    assert Draft7Validator(draft7).is_valid(value) is Draft202012Validator(schema).is_valid(value)


def test_a_word_that_draft_7_does_not_know_is_refused() -> None:
    pair = {"title": "Pair", "type": "object", "properties": {"both": {"prefixItems": [{"type": "string"}]}}}
    with pytest.raises(ValueError, match="Pair: draft-07 has no prefixItems"):
        components(pair)


def test_a_field_may_be_called_as_a_word_of_json_schema() -> None:
    odd = {"title": "Odd", "properties": {"$ref": {"type": "string"}, "prefixItems": {"type": "null"}}}
    assert components(odd) == {"Odd": odd}
