"""docker-compose.yml and deploy/Dockerfile: what they name exists, and fits together.

No container engine runs here, so this reads them instead. The compose file is also checked against the compose
specification's JSON schema (`check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml`).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
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
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(line[0], line[1].strip()) for line in lines]


def arguments_of(instruction: str) -> list[str]:
    return [argument for name, argument in instructions() if name == instruction]


def seconds(duration: str) -> float:
    match = re.fullmatch(r"(\d+)(s|m)", duration)
    assert match, f"{duration!r} is no simple duration"
    return int(match[1]) * {"s": 1, "m": 60}[match[2]]


def published(service: str) -> list[list[str]]:
    return [port.split(":") for port in SERVICES[service]["ports"]]


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


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_built_from_what_is_there(name: str) -> None:
    build = SERVICES[name]["build"]
    context = ROOT / build["context"]
    assert context.resolve() == ROOT
    assert (context / build["dockerfile"]).is_file()
    known = {argument.partition("=")[0] for argument in arguments_of("ARG")}
    assert set(build["args"]) <= known


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == arguments_of("USER")[-1]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_worker_may_confine_lean_or_says_that_it_does_not() -> None:
    """bubblewrap needs namespaces, mounts and an unmasked /proc, all of which a container forbids by default."""
    worker = SERVICES["worker"]
    assert "bubblewrap" in " ".join(arguments_of("RUN"))
    needed = {"seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"}
    sandbox = worker["environment"]["STREAMVERIFY_SANDBOX"]
    assert needed <= set(worker["security_opt"]) or sandbox == "none"
    assert not any(needed & set(SERVICES[name]["security_opt"]) for name in OURS if name != "worker")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_memory_limit_and_a_pinned_image(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])
    if name not in OURS:
        assert re.fullmatch(r"\S+:\d+\.\d+\.\d+", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wanted["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_volumes_are_declared() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_worker_may_drain_before_it_is_killed() -> None:
    worker = SERVICES["worker"]
    drain = float(worker["environment"]["STREAMVERIFY_DRAIN_TIMEOUT"])
    assert seconds(worker["stop_grace_period"]) >= drain + 15


def test_the_worker_is_healthy_when_it_is_ready() -> None:
    worker = SERVICES["worker"]
    port = worker["environment"]["STREAMVERIFY_HTTP_PORT"]
    program, flag, code = worker["healthcheck"]["test"][1:]
    assert (program, flag) == ("python", "-c")
    assert f'"http://127.0.0.1:{port}/ready"' in code
    compile(code, "healthcheck", "exec")
    assert published("worker") == [["127.0.0.1", port, port]]
    assert port in arguments_of("EXPOSE")


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
    assert published("kafka") == [["127.0.0.1", "9092", advertised["OUTSIDE"].rpartition(":")[2]]]


def test_one_version_of_kafka_everywhere() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    assert version
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}" == IMAGE


# --- image ----------------------------------------------------------------------------------------------------------


def copied() -> list[str]:
    """What the Dockerfile takes from the checkout."""
    words = [shlex.split(argument) for argument in arguments_of("COPY")]
    return [source for sources in words if not sources[0].startswith("--from") for source in sources[:-1]]


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignore
    assert len(copied()) >= 4
    for source in copied():
        path = source.removeprefix("./")
        assert (ROOT / path).exists()
        assert f"!{path}" in ignore


def test_the_package_finds_what_it_is_built_from() -> None:
    needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= set(copied())


def test_stages_exist_before_they_are_used() -> None:
    known: set[str] = set()
    for name, argument in instructions():
        words = argument.split()
        if name == "FROM":
            assert words[0] in known or ":" in words[0], f"{words[0]} is neither a stage nor a pinned image"
            known |= {words[2]} if len(words) > 2 else set()
        elif name == "COPY" and words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in known


def test_the_image_runs_our_command_as_nobody_special() -> None:
    entry = yaml.safe_load(arguments_of("ENTRYPOINT")[-1])
    assert entry[0] in PROJECT["scripts"]
    assert yaml.safe_load(arguments_of("CMD")[-1])[0] in [command.name for command in app.registered_commands]
    uid = arguments_of("USER")[-1].partition(":")[0]
    assert int(uid) > 0
    assert f"--uid {uid}" in " ".join(arguments_of("RUN"))


def test_the_image_names_known_variables_only() -> None:
    variables = re.findall(rf"{PREFIX}[A-Z_]+", " ".join(arguments_of("ENV")))
    assert "STREAMVERIFY_LEAN_HOME" in variables
    fields = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert set(variables) <= fields | {"STREAMVERIFY_LEAN_HOME"}


def test_lean_is_where_the_worker_looks() -> None:
    lean_home = re.search(r"STREAMVERIFY_LEAN_HOME=(\S+)", DOCKERFILE)
    assert lean_home
    assert f"setup_lean.sh --dir {lean_home[1]} " in DOCKERFILE
    assert f"--from=lean {lean_home[1]} {lean_home[1]}" in arguments_of("COPY")


def test_build_arguments_reach_setup_lean() -> None:
    script = (ROOT / "setup_lean.sh").read_text()
    versions = {argument.rstrip("=") for argument in arguments_of("ARG")} - {"SETUP_FLAGS"}
    assert versions == {"LEAN_VERSION", "REPL_VERSION", "MATHLIB_VERSION"}
    for variable in versions:
        assert f"${{{variable}:-" in script
