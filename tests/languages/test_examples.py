"""Producers and consumers in Java, Go, Rust and kcat: their vectors, and the same proofs through a real Kafka."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest
from command import environment, run_command, serving_worker
from kafka_broker import KafkaNodes
from support import ROOT

from streamverify.core.scheduling.partitioner import affinity_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "docs" / "examples"
LANGUAGES = ["java", "go", "rust", "kcat"]
NEEDED = {"java": ["mvn", "java"], "go": ["go"], "rust": ["cargo"], "kcat": ["kcat", "jq"]}
BUILDS = {
    "java": ["mvn", "-q", "-B", "package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"],
    "go": ["go", "build", "-o", "target/example", "."],
    "rust": ["cargo", "build", "--locked"],
}
PROOFS = {
    "bare.lean": "theorem t : 1 = 1 := rfl\n",
    "mathlib.lean": "-- a comment\nimport Mathlib\nimport Aesop\n\ntheorem t : 1 = 1 := rfl\n",
    "wrong.lean": "import Mathlib\n\ntheorem t : 1 = 2 := rfl -- synthetic: error\n",
}
VERDICTS = {"bare.lean": "verified ok", "mathlib.lean": "verified ok", "wrong.lean": "rejected lean_error"}

# The first build fetches and compiles libraries; how long that takes says nothing of the examples.


def run(command: list[str], folder: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}{done.stdout[-3000:]}"
    return done.stdout


@cache
def built(language: str) -> None:
    """Build an example. What is missing is a failure: nothing here is skipped."""
    missing = [name for name in NEEDED[language] if shutil.which(name) is None]
    assert not missing, f"not installed: {', '.join(missing)}"
    if language in BUILDS:
        run(BUILDS[language], EXAMPLES / language)


def example(language: str, *arguments: str) -> str:
    built(language)
    folder = EXAMPLES / language
    commands = {
        "java": ["java", "-cp", f"{folder}/target/classes:{folder}/target/lib/*", "streamverify.Main"],
        "go": [f"{folder}/target/example"],
        "rust": [f"{folder}/target/debug/streamverify-example"],
    }
    if language == "kcat":
        return run([f"{folder}/{arguments[0]}.sh", *arguments[1:]])
    return run([*commands[language], *arguments])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_vectors_hold(language: str) -> None:
    said = example(language, "vectors", str(ROOT / "schemas"))
    assert "vectors hold" in said
    assert int(said.split()[0]) >= (7 if language == "kcat" else 1400)


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    """A Kafka of its own, as the examples have the topics' usual names, with a worker."""
    with KafkaNodes() as kafka:
        env = environment(BOOTSTRAP_SERVERS=kafka.bootstrap_servers, REPL="synthetic", REQUIRE="checked", HTTP_PORT="0")
        made = run_command(env, "topics", "create", "--partitions", "6")
        assert made.returncode == 0, made.stderr
        with serving_worker(env):
            yield kafka.bootstrap_servers


def test_each_sends_proofs_with_their_keys_and_reads_all_verdicts(servers: str, tmp_path: Path) -> None:
    expected = set()
    for language in LANGUAGES:
        folder = tmp_path / language
        folder.mkdir()
        for name, proof in PROOFS.items():
            (folder / name).write_text(proof)
            expected.add(f"{folder / name} {VERDICTS[name]}")
        example(language, "produce", servers, *(str(folder / name) for name in PROOFS))
    for language in LANGUAGES:
        said = example(language, "consume", servers, str(len(expected)))
        assert set(said.splitlines()) == expected, language
    sent = ["kcat", "-C", "-q", "-b", servers, "-t", "lean.proofs", "-o", "beginning", "-e", "-f", "%k\\n"]
    keys = sorted(affinity_key(proof).decode() for proof in PROOFS.values() for _ in LANGUAGES)
    assert sorted(run(sent).splitlines()) == keys
