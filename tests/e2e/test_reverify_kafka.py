"""docs/re-verify.md, typed on a real Apache Kafka."""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import TYPE_CHECKING

import pytest
from command import end, make_environment, run_command, serving_worker, started, wait_for_log
from support import ROOT

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PATIENCE = 300.0


def typed_all(env: Mapping[str, str], command: str) -> list[list[str]]:
    """The arguments of the page's lines for a command, with the topics of this test."""
    text = (ROOT / "docs" / "re-verify.md").read_text().replace("\\\n", " ")
    own = {name: env[f"{PREFIX}{name}_TOPIC"] for name in ("RESULT", "DLQ")}
    return [
        shlex.split(
            line.replace("lean.results", own["RESULT"])
            .replace("lean.proofs.dlq", own["DLQ"])
            .replace("next", f"{env[PREFIX + 'GROUP_ID']}-next")
        )
        for line in re.findall(rf"^    streamverify ({command}.*)$", text, re.MULTILINE)
    ]


def typed(env: Mapping[str, str], command: str) -> list[str]:
    [line] = typed_all(env, command)
    return line


def reasons(env: Mapping[str, str], *more: str) -> dict[str, str]:
    shown = run_command(env, "results", "--json", *more)
    return {result["custom_id"]: result["reason"] for result in map(json.loads, shown.stdout.splitlines())}


def wait_until_done(env: Mapping[str, str], offsets: list[str]) -> None:
    give_up = time.monotonic() + PATIENCE
    while " 0 records to do" not in run_command(env, *offsets).stdout:
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_a_topic_is_verified_again_by_what_the_page_says(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make_environment(kafka, real=True)
    attempt = {"proof": "theorem t : 1 = 1 := rfl", "theorem": "t", "run": "r", "group": "g", "first_success": True}
    requests = [
        {"custom_id": "good", "proof": "theorem t : 1 = 1 := rfl"},
        {"custom_id": "bad", "proof": "theorem t : 1 = 2 := by\n  -- synthetic: error\n  rfl"},
        {"custom_id": "late", "proof": "theorem t : 1 = 1 := rfl", "deadline": "2020-01-01T00:00:00Z"},
        {"custom_id": "g0", **attempt},
    ]
    late = {"custom_id": "g1", **attempt}
    with serving_worker(env):
        for batch in (requests, [late]):
            lines = "".join(json.dumps(request) + "\n" for request in batch)
            assert run_command(env, "produce", "-", stdin=lines).returncode == 0
            wait_until_done(env, ["offsets"])
        before = reasons(env)
        assert (before["good"], before["bad"], before["late"]) == ("ok", "lean_error", "expired")
        assert before["g1"] == "superseded"
    assert run_command(env, *typed(env, "topics create"), "--partitions", "3").returncode == 0
    arguments = typed(env, "worker")
    at = arguments.index("--lean-project")
    with started(env, *arguments[:at], *arguments[at + 2 :]) as worker:
        wait_for_log(worker, "partitions_restored")
        wait_until_done(env, typed(env, "offsets"))
        end(worker)
    after = reasons(env, "--result-topic", f"{env[PREFIX + 'RESULT_TOPIC']}.{env[PREFIX + 'GROUP_ID']}-next")
    assert after == {"good": "ok", "bad": "lean_error", "late": "ok", "g0": "ok", "g1": "ok"}
    assert reasons(env) == before
    monkeypatch.chdir(tmp_path)
    for line in typed_all(env, "export"):
        assert run_command(env, *line).returncode == 0
    [compared] = typed_all(env, "report")
    shown = run_command(env, *compared)
    assert shown.returncode == 0, shown.stderr
    assert "late" in shown.stdout
