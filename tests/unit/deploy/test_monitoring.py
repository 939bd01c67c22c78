"""deploy/prometheus/prometheus.yml and what Grafana is provisioned with: each name in them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from compose_file import OURS, PROFILES, SERVICES, port_of, services_of
from promql import promtool
from support import ROOT

PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
JOBS: dict[str, dict[str, Any]] = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}


def in_container(service: str, path: str) -> Path:
    """The file of this repository that a container has at this path."""
    for volume in SERVICES[service]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith(".") and PurePosixPath(path).is_relative_to(target):
            return ROOT.joinpath(source, PurePosixPath(path).relative_to(target))
    raise AssertionError(f"{service} has nothing at {path}")


def names_in(profile: str) -> dict[str, str]:
    """The names that the network of the containers knows, and the service that each leads to."""
    found = {}
    for name, service in services_of(profile).items():
        aliases = service.get("networks", {}).get("default", {}).get("aliases", [])
        for known in (name, *aliases):
            assert known not in found
            found[known] = name
    return found


def test_there_is_a_job_for_each_process_that_has_metrics() -> None:
    commands = {SERVICES[name]["command"][0] for name in OURS if name != "topics"}
    assert JOBS.keys() == {f"streamverify-{command}" for command in commands}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("job", JOBS)
def test_prometheus_finds_every_container_of_a_job(job: str, profile: str) -> None:
    [found] = JOBS[job]["dns_sd_configs"]
    assert found["type"] == "A"
    [name] = found["names"]
    service = names_in(profile)[name]
    assert SERVICES[service]["command"] == [job.removeprefix("streamverify-")]
    assert found["port"] == port_of(service)


def test_prometheus_is_given_its_file_and_keeps_its_data() -> None:
    command = dict(word.removeprefix("--").split("=") for word in SERVICES["prometheus"]["command"])
    assert in_container("prometheus", command["config.file"]) == ROOT / "deploy" / "prometheus" / "prometheus.yml"
    assert f"prometheus-data:{command['storage.tsdb.path']}" in SERVICES["prometheus"]["volumes"]
    for rules in PROMETHEUS["rule_files"]:
        assert (ROOT / "deploy" / "prometheus" / rules).is_file()


def test_promtool_takes_the_configuration_with_its_rules() -> None:
    checked = promtool("check", "config", str(ROOT / "deploy" / "prometheus" / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


def test_the_health_check_of_prometheus_is_one_that_promtool_knows() -> None:
    promtool_itself, *words = SERVICES["prometheus"]["healthcheck"]["test"][1:]
    assert promtool_itself == "promtool"
    asked = promtool(*(re.sub(r"localhost:\d+", "127.0.0.1:1", word) for word in words))
    # It asks, and says that nobody answers; a word that it does not know would be wrong usage.
    assert asked.returncode not in (0, 2), asked.stderr
    assert "connection refused" in asked.stderr.lower()


def test_grafana_reads_the_prometheus_that_is_there() -> None:
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == ("prometheus", "prometheus")
    url = urlsplit(source["url"])
    [port] = SERVICES["prometheus"]["ports"]
    assert url.hostname == "prometheus"
    assert str(url.port) == port.rpartition(":")[2]
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


def test_grafana_is_for_looking_only() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    # No user is made, and so none with a known password.
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    [port] = SERVICES["grafana"]["ports"]
    assert port.startswith("127.0.0.1:")
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "streamverify.yml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    folder = in_container("grafana", provider["options"]["path"])
    assert {file.stem for file in folder.iterdir()} == {"overview", "worker", "lean", "kafka"}
    assert in_container("grafana", environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    # Where Grafana looks for what is provisioned, if nothing else is said.
    assert in_container("grafana", "/etc/grafana/provisioning") == PROVISIONING
