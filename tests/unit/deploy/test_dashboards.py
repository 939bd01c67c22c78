"""deploy/grafana: the dashboards are what the tables of panels make, and what Grafana's models know, nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from boards import BOARDS
from boards.grafana import as_json
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard
from make import FOLDER
from promql import complaints, promtool
from support import ROOT

from streamverify.core.metrics.metric import Process
from streamverify.core.metrics.table import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from boards.panels import Board, Panel

FILES = sorted(FOLDER.glob("*.json"))
PANELS = [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]
PANEL_IDS = [f"{board.uid}: {panel.title}" for board, panel in PANELS]
OWN_UNITS = {"suffix:/s"}
"""A unit that Grafana writes behind the value as it stands."""
KNOWN_UNITS = {value for name, value in vars(units).items() if name.isupper() or isinstance(value, str)}


def test_the_files_are_what_the_boards_make() -> None:
    made = {board.file: as_json(board) for board in BOARDS}
    assert {file.name for file in FILES} == set(made)
    stale = [file.name for file in FILES if file.read_text("utf-8") != made[file.name]]
    assert stale == [], "run: make dashboards"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_grafanas_models_read_a_file_and_write_the_same(file: Path) -> None:
    """What the schema does not have would be lost on the way, and a value of another type would be an error."""
    register_default_plugins()
    given = json.loads(file.read_text("utf-8"))
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert again == given


def test_what_the_schema_does_not_have_is_found() -> None:
    register_default_plugins()
    given = json.loads(as_json(BOARDS[0]))
    given["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(given))) != given


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=PANEL_IDS)
def test_each_panel_says_what_it_shows(board: Board, panel: Panel) -> None:
    assert panel.description.endswith("."), board.title
    assert panel.unit in KNOWN_UNITS | OWN_UNITS
    # Several series need names; a table has columns.
    assert all(query.legend for query in panel.queries) or panel.columns
    # A colour by name is of a series that there may be.
    for name in panel.colours or {}:
        legends = [query.legend for query in panel.queries]
        assert name in legends or any(
            name in label.values
            for legend in legends
            for wanted in re.findall(r"\{\{(\w+)\}\}", legend)
            for metric in METRICS.values()
            for label in metric.labels
            if label.name == wanted
        ), name


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=PANEL_IDS)
def test_each_query_uses_metrics_labels_and_values_that_there_are(board: Board, panel: Panel) -> None:
    for query in panel.queries:
        assert list(complaints(query.promql)) == [], board.title
        assert 'job=~"$job"' in query.promql
        assert 'instance=~"$instance"' in query.promql
        # A label in the legend is one that the query leaves.
        assert [label for label in re.findall(r"\{\{(\w+)\}\}", query.legend) if label not in left(query.promql)] == []


def left(query: str) -> set[str]:
    """The labels that the outermost aggregation of a query leaves; of a plain selection all."""
    found = re.search(r"(?:sum|max|min)\s*by\s*\(([^)]*)\)", query)
    if found:
        return {label.strip() for label in found[1].split(",")}
    if query.startswith(("sum(", "max(", "min(")):
        return set()
    return {"job", "instance", *(label for metric in METRICS.values() for label in metric.label_names)}


def test_each_process_is_on_a_dashboard_with_most_of_its_metrics() -> None:
    text = "".join(query.promql for _, panel in PANELS for query in panel.queries)
    shown = {name for name in METRICS if name in text}
    for process in Process:
        own = {metric.name for metric in METRICS.values() if process in metric.processes}
        assert len(own & shown) >= 0.6 * len(own), f"{process}: {sorted(own - shown)}"


def test_promtool_can_read_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.promql.replace("$__rate_interval", "1m")}
        for number, query in enumerate(query for _, panel in PANELS for query in panel.queries)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    checked = promtool("check", "rules", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_ids_and_places_are_those_of_one_panel_each() -> None:
    for file in FILES:
        dashboard: dict[str, Any] = json.loads(file.read_text("utf-8"))
        panels = dashboard["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert place["x"] + place["w"] <= 24
            taken |= cells


def test_the_alerts_that_a_panel_names_are_there() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8")))
    named = {name for _, panel in PANELS for name in re.findall(r"\bStreamverify\w+", panel.description)}
    assert len(named) > 8
    assert named <= alerts
