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

from streamverify.bus.topics import plan_topics
from streamverify.cli.app import make_app
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.warm_headers import saved_headers_file
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
    given = SERVICES[name]["environment"]
    settings = {variable: value for variable, value in given.items() if variable.startswith(PREFIX)}
    assert settings
    # `${NAME:-}` passes a variable of the shell on, and an empty one counts as not given.
    passed_on = {variable for variable, value in settings.items() if value == f"${{{variable}:-}}"}
    settings |= dict.fromkeys(passed_on, "")
    unknown = {variable for variable in settings if variable.removeprefix(PREFIX).lower() not in Settings.model_fields}
    assert not unknown
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    loaded = load_settings()
    assert {f"{PREFIX}{field.upper()}" for field in loaded.model_fields_set} == settings.keys() - passed_on


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    command: Any = typer.main.get_command(make_app())
    words = SERVICES[name]["command"]
    for word in [word for word in words if not word.startswith("-")]:
        assert word in command.commands, f"there is no command {word} in {command.name}"
        command = command.commands[word]
    assert not hasattr(command, "commands"), f"{words} is no whole command"
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_a_second_worker_has_neither_the_name_nor_the_port_of_the_first() -> None:
    """`--scale worker=2` gives all containers of the service the same environment."""
    worker = SERVICES["worker"]
    assert "container_name" not in worker
    assert f"{PREFIX}GROUP_INSTANCE_ID" not in worker["environment"]
    [port] = worker["ports"]
    host, outside, inside = port.split(":")
    first, _, last = outside.partition("-")
    assert (host, inside) == ("127.0.0.1", worker["environment"][f"{PREFIX}HTTP_PORT"])
    # As many as the topic has partitions, at least: Docker takes one of the range that is free.
    assert int(last) - int(first) + 1 >= plan_topics(load_settings())[0].partitions


def test_what_a_worker_remembers_outlives_its_container() -> None:
    """The root file system is read-only: the folder for the state is a volume that the worker's user may write to."""
    worker = SERVICES["worker"]
    mounted = dict(volume.split(":") for volume in worker["volumes"])
    assert set(mounted) <= set(COMPOSE["volumes"])
    [folder] = mounted.values()
    uid = worker["user"].partition(":")[0]
    [home] = re.findall(r"^WORKDIR (/home/\S+)$", DOCKERFILE, flags=re.MULTILINE)
    made = re.findall(rf"^RUN install -d -o {uid} -g {uid} (.+)$", DOCKERFILE, flags=re.MULTILINE)
    assert folder in " ".join(made).split()
    command = ReplCommand(argv=("lake",), env=None, cwd=None, kind="lean", wrapped=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", home)
        patched.delenv("XDG_STATE_HOME", raising=False)
        assert saved_headers_file(command).is_relative_to(folder)


def test_every_volume_is_named_and_used() -> None:
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume[0] != "."
    }
    assert named == set(COMPOSE["volumes"])
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            if volume.startswith("."):
                assert (ROOT / volume.split(":")[0]).exists()


def test_kafka_alone_needs_nothing_that_is_built() -> None:
    """`docker compose up kafka` is the way to a Kafka for who runs the workers elsewhere."""
    assert not {"build", "depends_on"} & SERVICES["kafka"].keys()
    for page in ("README.md", "streamverify/cli/broker.py", "docker-compose.yml"):
        said = re.findall(r"docker\s+compose\s+up(?: -d)?\s+kafka", (ROOT / page).read_text("utf-8"))
        assert said, page


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
