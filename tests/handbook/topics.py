"""The page of topics and messages, made from schemas/asyncapi.json as streamverify makes it."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from streamverify.cli.asyncapi import asyncapi_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Node = dict[str, Any]

_DAY_MS = 24 * 60 * 60 * 1000


def topics_part() -> str:
    """Make the part on the topics: their settings, and who reads and writes them."""
    document = asyncapi_document()
    return "\n".join(line for name in document["channels"] for line in _channel(document, name)) + "\n"


def messages_part() -> str:
    """Make the part on the messages: key, Kafka headers, every field of the value, an example."""
    document = asyncapi_document()
    return "\n".join(line for name in document["components"]["messages"] for line in _message(document, name)) + "\n"


def _channel(document: Node, name: str) -> Iterator[str]:
    channel = document["channels"][name]
    binding = channel["bindings"]["kafka"]
    kinds = [f"[{_title(document, kind)}](#{_title(document, kind).lower()})" for kind in channel["messages"]]
    settings = {"partitions": binding["partitions"], **binding["topicConfiguration"]}
    yield from ("", f"### {channel['address']}", "", _wrapped(channel["description"]), "")
    yield from (f"Messages: {', '.join(kinds)}.", "", "| setting | value |", "|---|---|")
    yield from (f"| `{setting}` | {_value(setting, value)} |" for setting, value in settings.items())
    yield from ("", "| who | does | group |", "|---|---|---|")
    for operation in document["operations"].values():
        if operation["channel"]["$ref"] == f"#/channels/{name}":
            verb = {"send": "writes", "receive": "reads"}[operation["action"]]
            [group] = operation["bindings"]["kafka"].get("groupId", {"enum": [""]})["enum"]
            in_group = f"`{group}`" if group else ""
            yield f"| {operation['tags'][0]['name']} {verb} | {operation['summary']} | {in_group} |"


def _value(setting: str, value: Any) -> str:
    if isinstance(value, list):
        return f"`{','.join(value)}`"
    days = f" ({value / _DAY_MS:g} days)" if setting.endswith(".ms") else ""
    return f"`{value}`{days}"


def _title(document: Node, kind: str) -> str:
    return str(document["components"]["messages"][kind]["title"])


def _message(document: Node, name: str) -> Iterator[str]:
    message = document["components"]["messages"][name]
    schemas = document["components"]["schemas"]
    key = message["bindings"]["kafka"]["key"]
    yield from ("", f"### {message['title']}", "", message["summary"], "", _wrapped(f"Key: {_key(key)}"), "")
    if "headers" in message:
        headers = schemas[_name(message["headers"])]
        yield from ("| Kafka header | type | meaning |", "|---|---|---|", *_fields(headers, schemas), "")
    payload = schemas[_name(message["payload"])]
    if "properties" in payload:
        yield from ("| field | type | meaning |", "|---|---|---|", *_fields(payload, schemas), "")
        for definition, schema in schemas.items():
            if definition.startswith(f"{message['title']}.") and "properties" in schema:
                short = definition.partition(".")[2]
                yield from (
                    _wrapped(f"{short}: {schema['description']}"),
                    "",
                    "| field | type | meaning |",
                    "|---|---|---|",
                )
                yield from (*_fields(schema, schemas), "")
            elif definition.startswith(f"{message['title']}.") and "enum" in schema:
                short = definition.partition(".")[2]
                yield from (_wrapped(f"{short}: one of {_type(schema)}. {schema.get('description', '')}"), "")
    else:
        yield _wrapped(f"Value: {payload['description']}")
    example = message["examples"][-1]
    if isinstance(example["payload"], dict):
        shown = json.dumps(example["payload"], ensure_ascii=False, indent=2)
        yield from ("", "```json", shown, "```")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _key(schema: Node) -> str:
    pattern = f" It matches `{schema['pattern']}`." if "pattern" in schema else ""
    return f"{schema['description']}{pattern}"


def _fields(schema: Node, schemas: Mapping[str, Node]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        needed = ", required" if name in required else ""
        about = field.get("description") or _described(field, schemas)
        yield f"| `{name}` | {_type(field)}{needed} | {_cell(about)} |"


def _described(field: Node, schemas: Mapping[str, Node]) -> str:
    return str(schemas[_name(field)].get("description", "")) if "$ref" in field else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _type(field: Node) -> str:
    """A type in a few words: what is alternative is joined by `or`."""
    if "$ref" in field:
        return _name(field).partition(".")[2]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in field:
            return " or ".join(dict.fromkeys(_type(each) for each in field[word]))
    if "enum" in field:
        return ", ".join("null" if value is None else f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    types = field.get("type", "any")
    if types == "array":
        return f"list of {_type(field.get('items', {}))}"
    return types if isinstance(types, str) else " or ".join(types)


def _name(reference: Node) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
