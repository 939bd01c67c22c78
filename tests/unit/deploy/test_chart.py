"""The Helm chart names what is there. `make check-helm` renders it, for which it needs a Helm; this does not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from commands import all_commands
from handbook.chart import CHART, SCHEMA, SET_BY_THE_CHART, chart_files, described_values

from streamverify.core.metrics.metric import Process
from streamverify.core.metrics.table import METRICS
from streamverify.core.overview.urls import FIRST_PORT
from streamverify.settings import Settings
from streamverify.version import __version__

if TYPE_CHECKING:
    from pathlib import Path


TEMPLATES = sorted((CHART / "templates").iterdir())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
GIVEN = sorted((CHART / "ci").glob("*-values.yaml"))
REFUSED = sorted((CHART / "ci" / "refused").glob("*.yaml"))


def merged(values: Any, given: Any) -> Any:
    """Values as Helm merges them: key by key; a list is replaced, and null takes a key away."""
    if not (isinstance(values, dict) and isinstance(given, dict)):
        return given
    both = values | {key: merged(values.get(key), value) for key, value in given.items()}
    return {key: value for key, value in both.items() if key not in given or given[key] is not None}


def schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))


@pytest.mark.parametrize("path", chart_files(), ids=lambda path: path.name)
def test_what_is_made_is_as_make_docs_makes_it(path: Path) -> None:
    assert path.read_text("utf-8") == chart_files()[path], "run make docs"


def test_the_chart_carries_nothing_that_is_no_copy() -> None:
    carried = {path for path in (CHART / "files").rglob("*") if path.is_file()}
    assert carried == chart_files().keys() - {SCHEMA}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_setting_and_metric_in_it_is_one(template: Path) -> None:
    text = template.read_text("utf-8")
    names = set(re.findall(r"\bSTREAMVERIFY_([A-Z_]+)\b", text))
    assert {name.lower() for name in names} <= Settings.model_fields.keys()
    metrics = set(re.findall(r"\bstreamverify_\w+", text))
    assert metrics <= METRICS.keys()
    # What is read out of a process's settings, for a time that has to follow it.
    read = set(re.findall(r"\.settings\.([A-Z_]+)", text))
    assert {name.lower() for name in read} <= Settings.model_fields.keys()


def test_what_the_chart_sets_is_refused_among_the_settings() -> None:
    text = "\n".join(template.read_text("utf-8") for template in TEMPLATES if template.suffix == ".yaml")
    helpers = (CHART / "templates" / "_helpers.tpl").read_text("utf-8")
    set_there = set(re.findall(r"- name: STREAMVERIFY_([A-Z_]+)\n", text + helpers))
    assert {name.lower() for name in set_there} <= SET_BY_THE_CHART
    assert Settings.model_fields.keys() >= SET_BY_THE_CHART
    [known] = re.findall(r'define "streamverify.setByTheChart" -}}\n(.*?)\n', helpers)
    assert set(known.split()) == {name.upper() for name in SET_BY_THE_CHART}
    free = json.loads(SCHEMA.read_text("utf-8"))["$defs"]["settings"]["properties"]
    assert {name.lower() for name in free} == Settings.model_fields.keys() - SET_BY_THE_CHART


def test_ports_commands_and_defaults_are_ours() -> None:
    text = "\n".join(template.read_text("utf-8") for template in TEMPLATES)
    ports = re.findall(r'(?:containerPort: |port: |_PORT\n +value: ")(\d+)', text)
    assert set(ports) == {"53", str(FIRST_PORT), str(Settings.model_fields["gateway_port"].default)}
    assert {*Process, "topics create"} <= all_commands().keys()
    assert [template.stem for template in TEMPLATES if "args: [" in template.read_text("utf-8")] == [
        *("gateway", "streams", "worker")
    ]
    default = Settings.model_fields["drain_timeout"].default
    assert {VALUES[process]["drainTimeout"] for process in Process} == {default}
    assert "(default 300 .Values.settings.IMPORT_TIMEOUT)" in text
    assert Settings.model_fields["import_timeout"].default == 300
    assert "default 45000 (default .root.Values.settings.SESSION_TIMEOUT_MS" in text
    assert Settings.model_fields["session_timeout_ms"].default == 45000


def test_its_version_of_streamverify_is_this_one() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"] == __version__


@pytest.mark.parametrize("path", [None, *GIVEN], ids=lambda path: "values" if path is None else path.stem)
def test_values_satisfy_the_schema(path: Path | None) -> None:
    given = yaml.safe_load(path.read_text("utf-8")) if path else {}
    schema().validate(merged(VALUES, given))


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_hostile_values_are_refused_by_the_schema_or_by_the_words_of_a_template(path: Path) -> None:
    text = path.read_text("utf-8")
    words = text.partition("\n")[0].removeprefix("# refused: ")
    errors = list(schema().iter_errors(merged(VALUES, yaml.safe_load(text))))
    if words.startswith(("/", "additional properties", "missing property", "localhostProfile")):
        assert errors
    else:
        # Words of a template, which `make check-helm` hears from Helm itself; the values have the right form.
        assert not errors


def test_a_key_that_is_not_known_is_refused_wherever_it_stands() -> None:
    def objects(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        return [
            path,
            *(
                each
                for key, value in values.items()
                if isinstance(value, dict)
                for each in objects(value, (*path, key))
            ),
        ]

    open_ones = {
        "nodeSelector",
        "affinity",
        "podLabels",
        "podAnnotations",
        "annotations",
        "labels",
        "requests",
        "limits",
    }
    for path in objects(VALUES):
        if path and path[-1] in open_ones:
            continue
        given: dict[str, Any] = {"notAKey": 1}
        for key in reversed(path):
            given = {key: given}
        assert list(schema().iter_errors(merged(VALUES, given))), path


def test_no_value_of_another_part_is_said_in_the_words_of_workers() -> None:
    # A key without a comment is described as the worker's of the same name is.
    words = re.compile(r"\bworkers?\b|\bproofs? that run|running proofs|Lean|Mathlib|SLOTS|autoscaling")
    wrong = [
        path for path, text in described_values() if path[0] in {"gateway", "router", "table"} and words.search(text)
    ]
    assert wrong == [], "deploy/helm/values.yaml: give these keys comments of their own"


def test_every_value_is_described() -> None:
    def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for key, value in values.items():
            found += leaves(value, (*path, key)) if isinstance(value, dict) and value else [(*path, key)]
        return found

    described = {path for path, text in described_values() if text}
    missing = [path for path in leaves(VALUES) if not any(path[:end] in described for end in range(1, len(path) + 1))]
    assert not missing
