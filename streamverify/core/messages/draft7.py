"""JSON Schemas of draft 2020-12 as AsyncAPI's Schema Objects, which are a superset of draft-07.

Readers of an AsyncAPI document (its own parser, generators of code and of pages) take other dialects for opaque text.
Two things differ in what our schemas use: definitions move into the document's components, and beside a `$ref` draft-07
ignores every other word, so that a description there needs an `allOf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

COMPONENTS = "#/components/schemas/"
_DEFINITIONS = "#/$defs/"
_NAMES_OF_SCHEMAS = frozenset({"properties", "patternProperties"})
"""Words whose value has schemas under names that a user chose: a field may be called `$ref`."""
_ONLY_2020_12 = frozenset(
    {
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "dependentRequired",
        "dependentSchemas",
        "maxContains",
        "minContains",
        "prefixItems",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Words that draft-07 does not know, and would ignore: what they forbid would be allowed."""


def components(schema: Mapping[str, Any]) -> dict[str, Schema]:
    """Make the components of one schema: itself under its title, and its definitions as `Title.Definition`.

    Examples are left out: they stand with the message.

    Raises:
        ValueError: It uses a word that draft-07 does not have.
    """
    title = schema["title"]
    body = {name: value for name, value in schema.items() if name not in {"$schema", "$id", "$defs", "examples"}}
    made = {title: _translated(body, title)}
    for name, definition in schema.get("$defs", {}).items():
        made[f"{title}.{name}"] = _translated(definition, title)
    return made


def _translated(node: Any, title: str) -> Any:
    if isinstance(node, list):
        return [_translated(item, title) for item in node]
    if not isinstance(node, dict):
        return node
    if unknown := _ONLY_2020_12 & node.keys():
        raise ValueError(f"{title}: draft-07 has no {', '.join(sorted(unknown))}")
    rest = {
        word: {name: _translated(field, title) for name, field in value.items()}
        if word in _NAMES_OF_SCHEMAS
        else _translated(value, title)
        for word, value in node.items()
        if word != "$ref"
    }
    if "$ref" not in node:
        return rest
    reference = {"$ref": f"{COMPONENTS}{title}.{node['$ref'].removeprefix(_DEFINITIONS)}"}
    return {"allOf": [reference], **rest} if rest else reference
