"""docker-compose.yml and deploy/Dockerfile: what they name exists, and fits together.

No container engine runs here, so this reads them instead. The compose file is also checked against the compose
specification's JSON schema (`check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import typer
import yaml
from kafka_broker import IMAGE
from support import ROOT

from streamverify.cli.app import app
from streamverify.settings import PREFIX, Settings, load_settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
# --- compose --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_is_one_and_is_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    settings = {
        variable: value for variable, value in SERVICES[name]["environment"].items() if variable.startswith(PREFIX)
    }
    assert settings
    unknown = {variable for variable in settings if variable.removeprefix(PREFIX).lower() not in Settings.model_fields}
    assert not unknown
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    loaded = load_settings()
    assert {field for field in loaded.model_fields_set if f"{PREFIX}{field.upper()}" in settings}


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in SERVICES[name]["command"]:
        assert word in command.commands, f"there is no command {word} in {command.name}"
        command = command.commands[word]
    assert not hasattr(command, "commands"), f"{SERVICES[name]['command']} is no whole command"


def test_the_health_check_fails_where_nothing_answers() -> None:
    code = SERVICES["worker"]["healthcheck"]["test"][-1].replace(":9464", ":1")
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode != 0


def test_the_broker_is_reachable_where_it_says_it_is() -> None:
    environment = SERVICES["kafka"]["environment"]
    listens = dict(item.split("://") for item in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(item.split("://") for item in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    for listener, address in advertised.items():
        assert address.rpartition(":")[2] == listens[listener].rpartition(":")[2]
    assert set(listens) - set(advertised) == {environment["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    protocols = dict(item.split(":") for item in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(listens)
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    for name in OURS:
        assert SERVICES[name]["environment"]["STREAMVERIFY_BOOTSTRAP_SERVERS"] == advertised["INSIDE"]
        assert advertised["INSIDE"].partition(":")[0] in SERVICES
    # What `streamverify` without any setting connects to.
    assert advertised["OUTSIDE"] == Settings.model_fields["bootstrap_servers"].default
    assert SERVICES["kafka"]["ports"] == [f"127.0.0.1:9092:{advertised['OUTSIDE'].rpartition(':')[2]}"]


def test_one_version_of_kafka_everywhere() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    assert version
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}" == IMAGE


# --- image ----------------------------------------------------------------------------------------------------------


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    assert "*" in ignore
    assert copied
    for source in " ".join(copied).split():
        path = source.removeprefix("./")
        assert (ROOT / path).exists()
        assert f"!{path}" in ignore
