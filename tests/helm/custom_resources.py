"""The schemas of ServiceMonitor, PrometheusRule and ScaledObject: of their projects' own modules, which Go fetches."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_MODULES = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
}
"""Modules of which nothing is compiled, with their definitions of custom resources."""


@cache
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Read the schemas: apiVersion and kind to a JSON Schema that refuses what the definition does not name."""
    found = {}
    for module, files in _MODULES.items():
        argv = ["go", "mod", "download", "-json", module]
        # In a folder without a go.mod, so that it is no module's dependency.
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300, cwd="/")
        assert done.returncode == 0, done.stderr + done.stdout
        for file in files:
            definition = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / file).read_text("utf-8"))["spec"]
            for version in definition["versions"]:
                api = f"{definition['group']}/{version['name']}"
                schema = version["schema"]["openAPIV3Schema"]
                found[api, definition["names"]["kind"]] = _strict(schema)
                # What every object has is no part of a definition.
                schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return found


def _strict(schema: Any) -> Any:
    """Refuse unknown fields wherever the definition names the known ones."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    for value in schema.values():
        _strict(value)
    names_all = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if names_all and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema
