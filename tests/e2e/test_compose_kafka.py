"""What `docker compose up` would run, as processes: the services' commands with the variables of the file.

No container engine runs here. What differs from the containers: names of the topics, addresses and ports, because all
processes are on one machine, which others use, too.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from command import end, environment, run_command, started
from compose_file import OURS, SERVICES, environment_of, port_of, services_of
from kafka_broker import free_port
from support import recorded

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.kafka

PROFILE = "stand-in"
PATIENCE = 240.0
PROOF = recorded("core-lean")[0]["proof"]


def variables(service: str, here: Mapping[str, str]) -> dict[str, str]:
    """The variables of the container, but for what has to differ on this machine."""
    return environment() | environment_of(service) | {PREFIX + name: value for name, value in here.items()}


def names(kafka: str) -> dict[str, str]:
    """A broker that is reached as from outside, and topics that other tests do not use."""
    unique = f"compose-{uuid.uuid4().hex[:8]}"
    topics = ("REQUEST_TOPIC", "RESULT_TOPIC", "DLQ_TOPIC", "GROUPS_TOPIC", "INGEST_TOPIC")
    return {"BOOTSTRAP_SERVERS": kafka, "GROUP_ID": unique} | {name: f"{unique}.{name.lower()}" for name in topics}


def is_healthy(service: str, port: int) -> bool:
    """Run the health check of the file, once, with the port that the process has here."""
    _, _, option, code = SERVICES[service]["healthcheck"]["test"]
    code = code.replace(f":{port_of(service)}/", f":{port}/")
    return subprocess.run([sys.executable, option, code], check=False, capture_output=True).returncode == 0


def check(port: int, proof: str) -> dict[str, Any]:
    """Ask the gateway for the verdict on one proof."""
    body = json.dumps({"snippets": [{"id": "a", "code": proof}]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/check", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - http
        [result] = json.load(answer)["results"]
    return dict(result)


def test_the_processes_of_the_stand_in_profile_become_healthy_verify_and_drain(kafka: str) -> None:
    here = names(kafka)
    made = run_command(variables("topics", here), *SERVICES["topics"]["command"])
    assert made.returncode == 0, made.stderr
    running = {name for name in services_of(PROFILE) if name in OURS} - {"topics"}
    # Two of the workers, as the file has it.
    wanted = [(name, free_port()) for name in sorted(running) for _ in range(SERVICES[name].get("scale", 1))]
    assert len(wanted) == 5
    with contextlib.ExitStack() as stack:
        processes = []
        for name, port in wanted:
            setting = {"GATEWAY_PORT" if name == "gateway" else "HTTP_PORT": str(port)}
            env = variables(name, here | setting)
            processes.append(stack.enter_context(started(env, *SERVICES[name]["command"])))
        waiting, give_up = list(wanted), time.monotonic() + PATIENCE
        while waiting and time.monotonic() < give_up:
            assert all(process.poll() is None for process in processes)
            waiting = [(name, port) for name, port in waiting if not is_healthy(name, port)]
            time.sleep(1)
        assert not waiting
        gateway = dict(wanted)["gateway"]
        answer = check(gateway, PROOF)
        assert answer["streamverify"]["status"] == "verified", answer
        assert answer["streamverify"]["assurance"] == "checked"
        for name, port in wanted:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as metrics:
                assert b"\nstreamverify_ready 1" in metrics.read(), name
        for process in processes:
            process.terminate()
        for process in processes:
            said = end(process, signal.SIGCONT)
            assert process.returncode == 0, said
