"""deploy/prometheus: alerts that can fire, each tested with promtool, each with its entry in the runbook."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from commands import ROOT as COMMAND
from promql import complaints, promtool
from support import ROOT

from streamverify.core.metrics.metric import Process

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "alerts.yml"
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]
]
NAMES = [alert["alert"] for alert in ALERTS]
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
ENTRIES = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, flags=re.MULTILINE | re.DOTALL))


def test_promtool_accepts_the_rules() -> None:
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_promtool_finds_that_they_fire_and_do_not_fire_as_expected() -> None:
    tested = promtool("test", "rules", *map(str, TESTS))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(TESTS) > 0


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_tested_to_fire_and_not_to_fire(name: str) -> None:
    checks = [
        (check, test)
        for file in TESTS
        for test in yaml.safe_load(file.read_text("utf-8"))["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == name
    ]
    assert any(check["exp_alerts"] for check, _ in checks), "it never fires"
    assert any(not check["exp_alerts"] for check, _ in checks), "it always fires"
    # Beside what fires there are series that are in order.
    fired = [(len(check["exp_alerts"]), len(test["input_series"])) for check, test in checks if check["exp_alerts"]]
    assert all(alerts < series for alerts, series in fired)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_alert_says_what_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"
    for text in (alert["annotations"]["summary"], alert["annotations"]["description"]):
        assert text.endswith(".")
        assert len(text) < 300


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_alert_uses_metrics_labels_and_values_that_there_are(alert: dict[str, Any]) -> None:
    assert list(complaints(alert["expr"])) == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_series_of_the_tests_are_ones_that_there_are(file: Any) -> None:
    series = [
        each["series"] for test in yaml.safe_load(file.read_text("utf-8"))["tests"] for each in test["input_series"]
    ]
    assert [complaint for each in series for complaint in complaints(each)] == []


def test_each_alert_has_an_entry_in_the_runbook_and_each_entry_an_alert() -> None:
    assert list(ENTRIES) == NAMES


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_entry_says_what_it_means_where_to_look_and_what_to_do(alert: dict[str, Any]) -> None:
    entry = ENTRIES[alert["alert"]]
    assert re.findall(r"^\*\*(\w+)\.\*\*", entry, flags=re.MULTILINE) == ["Means", "Look", "Do"]
    assert f"**Means.** *{alert['labels']['severity'].capitalize()}.*" in entry


def test_the_links_inside_of_the_runbook_lead_to_entries() -> None:
    links = re.findall(r"\[(Streamverify\w+)\]\(#(\w+)\)", RUNBOOK)
    assert len(links) > 10
    assert [(name, anchor) for name, anchor in links if name not in NAMES or anchor != name.lower()] == []
    # The plain names, too: an alert that is renamed must not stay there under the old one.
    assert set(re.findall(r"\bStreamverify[A-Z]\w+", RUNBOOK)) == set(NAMES)


def test_the_commands_of_the_runbook_are_commands_with_options_that_there_are() -> None:
    named = re.findall(r"(?:^    |`)(streamverify [a-z][^`\n]*)", RUNBOOK, flags=re.MULTILINE)
    assert len(named) > 20
    for line in named:
        # A block's lines have a remark, two spaces behind the command.
        _, *words = re.split(r"\s{2,}", line)[0].split()
        command: Any = COMMAND
        while words and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_check_of_queries_finds_what_is_wrong() -> None:
    assert list(complaints('sum by (status) (rate(streamverify_results_total{reason="ok"}[5m]))')) == []
    assert list(complaints("histogram_quantile(0.5, sum by (le) (rate(streamverify_run_seconds_bucket[5m])))")) == []
    assert list(complaints("up == 0 and streamverify_ready == 1")) == []
    for wrong in (
        "streamverify_result_total",
        "rate(streamverify_run_seconds[5m])",
        "streamverify_slots_bucket",
        'streamverify_results_total{cause="ok"}',
        'streamverify_results_total{reason="okay"}',
        'streamverify_results_total{reason=~"ok|okay"}',
        'streamverify_http_requests_total{code=~"7.."}',
        "sum by (cause) (streamverify_results_total)",
        "sum(streamverify_slots) on (slot) streamverify_ready",
    ):
        assert list(complaints(wrong)), wrong


def test_promtool_accepts_the_configuration_that_the_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    [shown] = [block for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if "scrape_configs" in block]
    (tmp_path / "prometheus.yml").write_text(shown, "utf-8")
    shutil.copy(RULES, tmp_path)
    checked = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    jobs = {job["job_name"] for job in yaml.safe_load(shown)["scrape_configs"]}
    assert jobs == {f"streamverify-{process}" for process in Process}
