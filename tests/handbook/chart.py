"""What of the Helm chart is made: settings in its schema, copies of alerts and dashboards, the table of its values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml
from support import ROOT

from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHART = ROOT / "deploy" / "helm"
SCHEMA = CHART / "values.schema.json"
COPIES = {
    "deploy/prometheus/alerts.yml": "files/rules",
    "deploy/prometheus/recording.yml": "files/rules",
    "deploy/grafana/dashboards/*.json": "files/dashboards",
}
"""What the chart carries too, as Helm reads nothing outside of a chart, and in which of its folders."""

SET_BY_THE_CHART = frozenset(
    {
        *("bootstrap_servers", "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password"),
        *("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_keyfile_password", "group_id", "group_instance_id"),
        *("http_host", "http_port", "gateway_host", "gateway_port", "api_keys"),
        *("drain_timeout", "sandbox", "cache", "cache_key"),
    }
)
"""Settings that have values of their own in the chart, are secrets, or would contradict a port or a probe."""


def chart_files() -> dict[Path, str]:
    """Make the files of the chart that are made: path to text."""
    return {SCHEMA: schema_text(), **dict(copies())}


def schema_text() -> str:
    """Write the schema of the values with the settings as they are now."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    properties = Settings.model_json_schema()["properties"]
    schema["$defs"]["settings"]["properties"] = {
        name.upper(): _as_given(described) for name, described in properties.items() if name not in SET_BY_THE_CHART
    }
    _require(schema, yaml.safe_load((CHART / "values.yaml").read_text("utf-8")))
    return json.dumps(schema, indent=2) + "\n"


def _require(schema: dict[str, Any], values: dict[str, Any]) -> None:
    """Require every key that has a default: null for one takes it away, and a template would stumble over that."""
    may_be_null = {"#/$defs/grace", "#/$defs/profileOrNull"}
    schema["required"] = [
        key
        for key, value in values.items()
        if value is not None and schema["properties"][key].get("$ref") not in may_be_null
    ]
    for key, inner in schema["properties"].items():
        if "properties" in inner and isinstance(values.get(key), dict):
            _require(inner, values[key])


def _as_given(described: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of a setting one for a value that is given: no null, and nothing that is no part of a check."""
    kept = {key: value for key, value in described.items() if key not in {"title", "default", "format", "ge"}}
    if "anyOf" in kept:
        forms = [_as_given(form) for form in kept.pop("anyOf") if form != {"type": "null"}]
        kept |= forms[0] if len(forms) == 1 else {"anyOf": forms}
    return kept


def copies() -> Iterator[tuple[Path, str]]:
    """Read what the chart has copies of: the path of each copy, and its text."""
    for pattern, folder in COPIES.items():
        for path in sorted(ROOT.glob(pattern)):
            yield CHART / folder / path.name, path.read_text("utf-8")


def values_table() -> str:
    """Make the table of the chart's values, from values.yaml and the comments above its keys."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    rows = [
        f"| `{'.'.join(path)}` | {_default_of(_at(values, path))} | {text} |"
        for path, text in described_values()
        if text or not isinstance(_at(values, path), dict)
    ]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows]) + "\n"


def described_values() -> list[tuple[tuple[str, ...], str]]:
    """List the keys of values.yaml in their order, each with the comment above it.

    A key of gateway, router or table without a comment means what the key of that name means for the one before it.
    """
    path: list[str] = []
    comment: list[str] = []
    found: dict[tuple[str, ...], str] = {}
    for line in (CHART / "values.yaml").read_text("utf-8").split("\n"):
        if match := re.match(r" *# (.*)", line):
            comment.append(match[1])
        elif match := re.match(r"( *)(\w+):", line):
            path[len(match[1]) // 2 :] = [match[2]]
            found[tuple(path)] = " ".join(comment)
            comment = []
        elif not line:
            comment = []
    for path_there, text in found.items():
        if not text:
            before = (found.get((other, *path_there[1:]), "") for other in ("worker", "gateway"))
            found[path_there] = next(filter(None, before), "")
    return list(found.items())


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def _default_of(value: Any) -> str:
    if isinstance(value, list) and value:
        return "see values.yaml"
    return "" if value in ("", {}, []) else f"`{json.dumps(value)}`".replace('"', "")
