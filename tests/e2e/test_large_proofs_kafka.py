"""A proof of nine megabytes, from a file to its verdict, with one setting for topics and worker; and who says no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from command import make_environment, run_command, started, wait_for_log

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kafka]

SIZE = 9_000_000
ALTER = ("topics", "create", "--alter", "--partitions", "3", "--max-proof-bytes", str(SIZE))


def test_a_large_proof_is_refused_by_the_topic_then_by_the_worker_and_then_verified(kafka: str, tmp_path: Path) -> None:
    env = make_environment(kafka, real=True)
    request_topic = env[PREFIX + "REQUEST_TOPIC"]
    file = tmp_path / "big.lean"
    # No text that compresses to nothing: a broker counts what it stores.
    lines = [f"-- {number:x} {number * 2_654_435_761 % 2**64:x}" for number in range(SIZE // 25)]
    text = "theorem t : 1 + 1 = 2 := rfl\n" + "\n".join(lines)
    file.write_text(text[: SIZE - 1])

    for flags in ([], ["--max-proof-bytes", str(SIZE)]):
        refused = run_command(env, "verify", str(file), "--wait", "5", *flags)
        assert refused.returncode == 2
        assert f"the topic {request_topic} takes 1,048,588 (its max.message.bytes)" in refused.stderr
        assert "`streamverify topics create --alter --max-proof-bytes " in refused.stderr
    assert run_command(env, *ALTER).returncode == 0
    assert "warning" not in run_command(env, "topics", "describe", "--partitions", "3").stderr

    with started(env, "worker") as small:
        wait_for_log(small, "partitions_restored")
        answered = run_command(env, "verify", str(file), "--json", "--wait", "300")
        result = json.loads(answered.stdout)
        assert (answered.returncode, result["reason"]) == (3, "too_large")
        assert "this worker takes at most 524,288: its MAX_PROOF_BYTES raises that" in answered.stdout
    with started(env, "worker", "--max-proof-bytes", str(SIZE)) as large:
        wait_for_log(large, "partitions_restored")
        verified = run_command(env, "verify", str(file), "--json", "--wait", "300")
        assert verified.returncode == 0, verified.stderr + verified.stdout[:2000]
        assert json.loads(verified.stdout)["status"] == "verified"
        produced = run_command(env, "produce", str(file), "--json")
        assert json.loads(produced.stdout)["sent"] == 1
