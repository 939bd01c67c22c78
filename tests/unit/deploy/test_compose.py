"""docker-compose.yml: what it names exists and fits together, in each profile.

The file is also checked against the compose specification's JSON schema (`make check`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from itertools import combinations
from typing import Any

import pytest
import typer
from compose_file import COMPOSE, OURS, PROFILES, SERVICES, WORKERS, environment_of, port_of, seconds, services_of
from kafka_broker import IMAGE
from support import ROOT

from streamverify.bus.topics import plan_topics
from streamverify.cli.app import make_app
from streamverify.core.errors import SettingsError
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.warm_headers import saved_headers_file
from streamverify.settings import PREFIX, Settings, load_settings

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
LONG_RUNNING = [name for name, service in SERVICES.items() if service.get("restart") != "no"]


def load(name: str, shell: dict[str, str]) -> Settings:
    """The settings that a container of this service has."""
    with pytest.MonkeyPatch.context() as patched:
        for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
            patched.delenv(variable)
        for variable, value in environment_of(name, shell).items():
            patched.setenv(variable, value)
        return load_settings()


# --- profiles -------------------------------------------------------------------------------------------------------


def test_there_are_the_three_profiles_and_one_of_them_is_taken_where_none_is_given() -> None:
    assert PROFILES == ["core", "mathlib", "stand-in"]
    lines = [line for line in (ROOT / ".env").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["COMPOSE_PROFILES=stand-in"]


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_the_whole_and_needs_nothing_of_another(profile: str) -> None:
    services = services_of(profile)
    commands = [" ".join(service["command"]) for name, service in services.items() if name in OURS]
    assert sorted(commands) == ["gateway", "router", "table", "topics create --alter", "worker"]
    assert {"kafka", "prometheus", "grafana"} <= services.keys()
    graph = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    for name, needed in graph.items():
        assert needed <= services.keys(), name
    assert set(TopologicalSorter(graph).static_order()) == services.keys()
    # Whatever talks to Kafka waits for it; and whatever uses the topics for these.
    for name in set(OURS) & services.keys():
        needed = {"kafka"} if name == "topics" else {"kafka", "topics"}
        assert needed == graph[name]


def test_what_is_waited_for_can_come() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[needed]["restart"] == "no"


# --- settings and commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_is_one_and_is_valid(name: str) -> None:
    given = SERVICES[name]["environment"]
    settings = {variable for variable in given if variable.startswith(PREFIX)}
    assert settings == given.keys()
    assert {variable.removeprefix(PREFIX).lower() for variable in settings} <= Settings.model_fields.keys()
    # An empty variable counts as not given.
    expected = {variable for variable, value in environment_of(name).items() if value}
    assert {f"{PREFIX}{field.upper()}" for field in load(name, {}).model_fields_set} == expected


@pytest.mark.parametrize("name", OURS)
def test_what_comes_from_the_shell_reaches_the_setting_of_its_name(name: str) -> None:
    shell = {
        f"{PREFIX}MAX_PROOF_BYTES": "900000",
        f"{PREFIX}API_KEYS": "team=a-long-secret",
        f"{PREFIX}REPL": "synthetic",
    }
    from_shell = {variable for variable, value in SERVICES[name]["environment"].items() if "${" in value}
    assert from_shell <= shell.keys()
    for variable in from_shell:
        assert environment_of(name, shell)[variable] == shell[variable]
    load(name, shell)
    if f"{PREFIX}MAX_PROOF_BYTES" in from_shell:
        with pytest.raises(SettingsError, match="MAX_PROOF_BYTES"):
            load(name, {f"{PREFIX}MAX_PROOF_BYTES": "much"})


def test_the_largest_proof_is_one_setting_for_all_that_heed_it() -> None:
    heeding = {"topics", "gateway", *WORKERS}
    assert {name for name in OURS if f"{PREFIX}MAX_PROOF_BYTES" in SERVICES[name]["environment"]} == heeding


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_understood_by_the_real_command_line(name: str) -> None:
    command: Any = typer.main.get_command(make_app())
    words = list(SERVICES[name]["command"])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context(command.name, words)
    assert not context.args


@pytest.mark.parametrize("name", [name for name in OURS if name != "topics"])
def test_a_command_has_each_setting_that_it_is_given(name: str) -> None:
    command: Any = typer.main.get_command(make_app()).commands[SERVICES[name]["command"][0]]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts}
    flags = {f"--{variable.removeprefix(PREFIX).lower().replace('_', '-')}" for variable in environment_of(name)}
    assert flags <= options


def test_the_stand_in_needs_no_lean_and_says_what_it_is() -> None:
    settings = load("worker", {})
    assert settings.repl == "replay"
    assert settings.require == "checked"
    assert SERVICES["worker"]["build"]["target"] == "stand-in"
    for name in ("worker-core", "worker-mathlib"):
        assert f"{PREFIX}REPL" not in SERVICES[name]["environment"]
        assert f"{PREFIX}REQUIRE" not in SERVICES[name]["environment"]


# --- scale, ports, volumes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKERS)
def test_more_workers_have_neither_a_name_nor_a_port_in_common(name: str) -> None:
    """`--scale worker=3` gives all containers of the service the same environment."""
    worker = SERVICES[name]
    assert worker["scale"] == 2
    assert not {"container_name", "hostname", "mac_address"} & worker.keys()
    assert "ipv4_address" not in worker["networks"]["default"]
    assert f"{PREFIX}GROUP_INSTANCE_ID" not in worker["environment"]
    [port] = worker["ports"]
    first, _, last = port.split(":")[1].partition("-")
    # As many as the topic has partitions, at least: Docker takes one of the range that is free.
    assert int(last) - int(first) + 1 >= plan_topics(load_settings())[0].partitions


def test_ports_are_for_this_machine_alone_and_lead_to_where_something_listens() -> None:
    ranges: dict[str, range] = {}
    for name, service in SERVICES.items():
        [port] = service.get("ports") or ["127.0.0.1:1:1"] if name == "topics" else service["ports"]
        host, outside, inside = port.split(":")
        assert host == "127.0.0.1"
        first, _, last = outside.partition("-")
        ranges[name] = range(int(first), int(last or first) + 1)
        if name in OURS and name != "topics":
            assert int(inside) == port_of(name)
    for one, other in combinations(ranges, 2):
        # Workers of two profiles are never there together.
        if not {one, other} <= set(WORKERS):
            assert not set(ranges[one]) & set(ranges[other]), (one, other)


def test_a_gateway_in_a_container_listens_beyond_its_loopback() -> None:
    assert load("gateway", {}).gateway_host == "0.0.0.0"  # noqa: S104 - of the container


def test_what_a_worker_remembers_outlives_its_container() -> None:
    """The root file system is read-only: the folder for the state is a volume that the worker's user may write to."""
    for name in WORKERS:
        worker = SERVICES[name]
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


def test_every_volume_is_named_and_used_and_every_mounted_path_is_there() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    named = {volume.split(":")[0] for volume in volumes if volume[0] != "."}
    assert named == set(COMPOSE["volumes"])
    for volume in volumes:
        source, _, *mode = volume.split(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), f"Docker would make an empty folder of {source}"
            assert mode == ["ro"]


def test_kafka_alone_needs_nothing_that_is_built() -> None:
    """`docker compose up kafka` is the way to a Kafka for who runs the workers elsewhere."""
    assert not {"build", "depends_on"} & SERVICES["kafka"].keys()


# --- health and the end ---------------------------------------------------------------------------------------------


def test_everything_that_goes_on_has_a_health_check_and_is_started_again() -> None:
    assert set(SERVICES) - set(LONG_RUNNING) == {"topics"}
    for name in LONG_RUNNING:
        check = SERVICES[name]["healthcheck"]
        assert seconds(check["timeout"]) < seconds(check["interval"])
        assert seconds(check["start_interval"]) < seconds(check["start_period"])
        assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [name for name in OURS if name != "topics"])
def test_a_health_check_asks_the_port_that_is_listened_on_and_fails_where_nothing_answers(name: str) -> None:
    *python, code = SERVICES[name]["healthcheck"]["test"]
    assert python == ["CMD", "python3", "-c"]
    address = f"http://127.0.0.1:{port_of(name)}/"
    assert address in code
    silent = code.replace(address, "http://127.0.0.1:1/")
    assert subprocess.run([sys.executable, "-c", silent], check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize("name", [name for name in OURS if name != "topics"])
def test_a_container_is_given_more_time_to_end_than_its_drain_takes(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) >= load(name, {}).drain_timeout + 15


# --- confinement ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert "no-new-privileges:true" in service["security_opt"]
    loosened = {option for option in service["security_opt"] if option.endswith("unconfined")}
    # bubblewrap needs them, and where there is no Lean there is none.
    assert bool(loosened) == (name in {"worker-core", "worker-mathlib"})
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & service.keys()


SECRET = re.compile(r"password|secret|token|api_?keys?|credential|sasl_username|cache_key", re.IGNORECASE)


def test_no_file_of_the_deployment_has_a_secret() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert value in (f"${{{variable}:-}}", "true"), (name, variable)
    for file in [ROOT / ".env", *(ROOT / "deploy").rglob("*.yml")]:
        for line in file.read_text().splitlines():
            key, _, value = line.partition("#")[0].replace("=", ":").partition(":")
            assert not (SECRET.search(key) and value.strip()), (file.name, line)


# --- Kafka ----------------------------------------------------------------------------------------------------------


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


def test_the_images_of_others_are_pinned() -> None:
    for name, service in SERVICES.items():
        if name not in OURS:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name
