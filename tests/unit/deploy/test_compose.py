"""docker-compose.yml: what it names exists and fits together, in each profile.

`make check` holds it against the compose specification's JSON schema. The commands of the stand-in profile, with the
variables of the file, are run by tests/e2e/test_compose_kafka.py, which asks their health checks and drains them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from itertools import combinations

import pytest
from commands import options_of
from compose_file import COMPOSE, OURS, PROFILES, SERVICES, WORKERS, environment_of, port_of, services_of
from kafka_broker import IMAGE
from support import ROOT

from streamverify.bus.topics import plan_topics
from streamverify.settings import PREFIX, Settings, load_settings

SERVING = [name for name in OURS if name != "topics"]
FROM_SHELL = {
    f"{PREFIX}MAX_PROOF_BYTES": "900000",
    f"{PREFIX}API_KEYS": "team=a-long-secret",
    f"{PREFIX}REPL": "synthetic",
}


def load(name: str, shell: dict[str, str]) -> Settings:
    """The settings that a container of this service has."""
    with pytest.MonkeyPatch.context() as patched:
        for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
            patched.delenv(variable)
        for variable, value in environment_of(name, shell).items():
            patched.setenv(variable, value)
        return load_settings()


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_the_whole_and_what_a_service_waits_for_can_come(profile: str) -> None:
    services = services_of(profile)
    assert "COMPOSE_PROFILES=stand-in" in (ROOT / ".env").read_text().splitlines()
    # Each of these commands is run by the end-to-end test, whichever profile has it.
    commands = [" ".join(service["command"]) for name, service in services.items() if name in OURS]
    assert sorted(commands) == ["gateway", "router", "table", "topics create --alter", "worker"]
    graph = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert {"kafka", "prometheus", "grafana"} <= graph.keys()
    # Nothing of another profile is waited for, and nothing waits for itself.
    assert set(TopologicalSorter(graph).static_order()) == graph.keys()
    # `docker compose up kafka` is the way to a Kafka for who runs the workers elsewhere.
    assert graph["kafka"] == set()
    for name in set(OURS) & graph.keys():
        assert graph[name] == ({"kafka"} if name == "topics" else {"kafka", "topics"})
    for name, service in services.items():
        # Everything that goes on is asked how it is, and started again.
        assert "test" in service["healthcheck"] or name == "topics"
        assert service["restart"] == ("no" if name == "topics" else "unless-stopped")
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == f"service_{'completed_successfully' if needed == 'topics' else 'healthy'}"


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_is_valid_and_one_of_its_command(name: str) -> None:
    for shell in ({}, FROM_SHELL):
        # An empty variable counts as not given.
        given = {variable for variable, value in environment_of(name, shell).items() if value}
        assert {f"{PREFIX}{field.upper()}" for field in load(name, shell).model_fields_set} == given
    for variable, value in SERVICES[name]["environment"].items():
        assert "${" not in value or environment_of(name, FROM_SHELL)[variable] == FROM_SHELL[variable]
    command = "topics create" if name == "topics" else SERVICES[name]["command"][0]
    options = options_of(command).keys()
    flags = {f"--{variable.removeprefix(PREFIX).lower().replace('_', '-')}" for variable in environment_of(name)}
    assert flags <= options
    # The largest proof is one setting for all that heed it.
    assert (f"{PREFIX}MAX_PROOF_BYTES" in SERVICES[name]["environment"]) == ("--max-proof-bytes" in options)


@pytest.mark.parametrize("name", WORKERS)
def test_more_workers_have_no_name_in_common(name: str) -> None:
    """`--scale worker=3` gives all containers of the service the same environment."""
    assert SERVICES[name]["scale"] == 2
    assert not {"container_name", "hostname", "mac_address"} & SERVICES[name].keys()
    assert "ipv4_address" not in SERVICES[name]["networks"]["default"]
    assert f"{PREFIX}GROUP_INSTANCE_ID" not in SERVICES[name]["environment"]


def test_ports_are_for_this_machine_alone_and_lead_to_where_something_listens() -> None:
    ranges: dict[str, range] = {}
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            host, outside, inside = port.split(":")
            assert host == "127.0.0.1"
            first, _, last = outside.partition("-")
            ranges[name] = range(int(first), int(last or first) + 1)
            assert name not in OURS or int(inside) == port_of(name)
    assert ranges.keys() == SERVICES.keys() - {"topics"}
    # As many as the topic has partitions, at least: Docker takes one of the range that is free for each worker.
    assert min(len(ranges[name]) for name in WORKERS) >= plan_topics(load_settings())[0].partitions
    for one, other in combinations(ranges, 2):
        # Workers of two profiles are never there together.
        assert {one, other} <= set(WORKERS) or not set(ranges[one]) & set(ranges[other]), (one, other)
    # Beyond the loopback of its container.
    assert load("gateway", {}).gateway_host == "0.0.0.0"  # noqa: S104 - of the container


def test_every_volume_is_named_and_used_and_every_mounted_path_is_there() -> None:
    volumes = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert {source for source, *_ in volumes if source[0] != "."} == set(COMPOSE["volumes"])
    for source, _, *mode in volumes:
        if source.startswith("."):
            assert (ROOT / source).exists(), f"Docker would make an empty folder of {source}"
            assert mode == ["ro"]


@pytest.mark.parametrize("name", SERVING)
def test_a_container_is_asked_where_it_listens_and_has_more_time_to_end_than_its_drain_takes(name: str) -> None:
    *python, code = SERVICES[name]["healthcheck"]["test"]
    assert python == ["CMD", "python3", "-c"]
    address = f"http://127.0.0.1:{port_of(name)}/"
    assert address in code
    silent = code.replace(address, "http://127.0.0.1:1/")
    assert subprocess.run([sys.executable, "-c", silent], check=False, capture_output=True).returncode != 0
    assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= load(name, {}).drain_timeout + 15


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["mem_limit"]
    assert "no-new-privileges:true" in service["security_opt"]
    with_lean = name in {"worker-core", "worker-mathlib"}
    # bubblewrap needs them, and where there is no Lean there is none.
    assert any(option.endswith("unconfined") for option in service["security_opt"]) == with_lean
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & service.keys()
    # What has Lean is told of no stand-in, and asks no less of a proof than it would by itself.
    assert not with_lean or not {f"{PREFIX}REPL", f"{PREFIX}REQUIRE"} & service["environment"].keys()


SECRET = re.compile(r"password|secret|token|api_?keys?|credential|sasl_username|cache_key", re.IGNORECASE)


def test_no_file_of_the_deployment_has_a_secret() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not SECRET.search(variable) or value in (f"${{{variable}:-}}", "true"), (name, variable)
    for file in [ROOT / ".env", *(ROOT / "deploy").rglob("*.yml")]:
        for line in file.read_text().splitlines():
            key, _, value = line.partition("#")[0].replace("=", ":").partition(":")
            assert not (SECRET.search(key) and value.strip()), (file.name, line)


def test_the_broker_is_reachable_where_it_says_it_is() -> None:
    environment = SERVICES["kafka"]["environment"]
    listens = dict(item.split("://") for item in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(item.split("://") for item in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    for listener, address in advertised.items():
        assert address.rpartition(":")[2] == listens[listener].rpartition(":")[2]
    for name in OURS:
        assert SERVICES[name]["environment"]["STREAMVERIFY_BOOTSTRAP_SERVERS"] == advertised["INSIDE"]
    assert advertised["INSIDE"].partition(":")[0] in SERVICES
    # What `streamverify` without any setting connects to.
    assert advertised["OUTSIDE"] == Settings.model_fields["bootstrap_servers"].default
    assert SERVICES["kafka"]["ports"] == [f"127.0.0.1:9092:{advertised['OUTSIDE'].rpartition(':')[2]}"]


def test_the_images_of_others_are_pinned_and_kafka_is_of_one_version_everywhere() -> None:
    for name in SERVICES.keys() - set(OURS):
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"]), name
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>(.*)</kafka.version>", pom)
    assert version
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}" == IMAGE
