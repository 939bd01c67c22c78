"""stdout is the answer and nothing else, and what goes wrong with it is told; for every command on a running worker.

Each command runs in a fork of this process: with descriptors of its own, and without a second of imports.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from command import environment, make_environment, settings_of, started, wait_for_log
from commands import all_commands
from support import ROOT

from streamverify.bus.connection import make_producer
from streamverify.cli import main
from streamverify.client.dead_letter_topic import DeadLetters
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REQUEST = b'{"custom_id": "a", "proof": "theorem t : True := trivial"}\n'

VERDICTS = str(ROOT / "tests" / "data" / "verdicts.jsonl")
LETTER = "(the letter)"
"""Stands for the name of the dead letter, which the broker chooses."""
FILE = "(a file)"
"""Stands for a file that may be written."""
URL = "(the worker)"
"""Stands for the address of the worker."""
STANDS_FOR = {LETTER, FILE, URL}
JSON = {
    "config": ["--json"],
    "cancel": ["--run", "nobody's", "--json"],
    "delete": ["--id", "nobody's", "--json"],
    "dlq list": ["--json"],
    "dlq replay": [LETTER, "--dry-run", "--json"],
    "dlq show": [LETTER, "--json"],
    "doctor": ["--json"],
    "export": ["--output", FILE, "--overwrite", "--json"],
    "offsets": ["--json"],
    "produce": ["-", "--json"],
    "replay": ["-", "--format", "jsonl", "--json"],
    "report": [VERDICTS, VERDICTS, "--json"],
    "results": ["--json"],
    "retry": ["--since", "1h", "--json"],
    "schema": ["proof-result"],
    "status": ["--url", URL, "--json"],
    "top": ["--once", "--url", URL, "--json"],
    "topics create": ["--json"],
    "topics describe": ["--json"],
    "verify": ["-", "--json"],
    "workers": ["--url", URL, "--json"],
}
"""For each command that answers in JSON the arguments with which it does here."""
TEXT = {name: [argument for argument in arguments if argument != "--json"] for name, arguments in JSON.items()}
SERVICES = {"worker", "router", "table", "gateway", "broker", "serve"}
"""They run until they are told to stop, and answer nothing or one line (the broker: tests/e2e/test_cli.py)."""
OTHERS = {"demo"}
"""It has no --json, and brings its own broker: tests/e2e/test_cli.py."""

WARNINGS = {f"{PREFIX}SLTS": "4", f"{PREFIX}LOG_LEVEL": "debug", f"{PREFIX}LOG_FORMAT": "json"}
WITHOUT_SETTINGS = {"report", "schema"}
REFUSED_BY_EMBEDDED = {"topics create"}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """The lines that say why it failed."""
        return [line for line in self.stderr.splitlines() if line.startswith("error: ")]


@pytest.fixture(scope="module")
def served(
    broker: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a worker that has answered one proof and put one record among the dead letters."""
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    with started(env, "worker") as process:
        listening = re.findall(r"http_listening.* port=(\d+)", wait_for_log(process, "partitions_restored"))
        env[URL] = listening[0]
        env[LETTER] = asyncio.run(send_nonsense(env))
        env[FILE] = str(tmp_path_factory.mktemp("written") / "exported.jsonl")
        assert forked(env, "verify", "-", "--wait", "300").code == 0
        yield env


async def send_nonsense(env: Mapping[str, str]) -> str:
    """Send what is no request, and wait for the dead letter. Returns its name."""
    settings = settings_of(env)
    producer = make_producer(settings)
    await producer.start()
    await producer.send_and_wait(settings.request_topic, b"nonsense")
    await producer.stop()
    letters = DeadLetters(settings)
    while not (found := [letter async for letter in letters.read()]):
        await asyncio.sleep(0.05)
    return f"{found[0].partition}:{found[0].offset}"


def forked(env: Mapping[str, str], *arguments: str, stdout: int | None = None) -> Ran:
    """Run `streamverify ARGUMENT...` with a proof on stdin; `stdout` is its descriptor, -1 for none."""
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as talk, tempfile.TemporaryFile() as proof:
        proof.write(REQUEST)
        proof.seek(0)
        pid = os.fork()
        if pid == 0:
            _become(env, arguments, (proof.fileno(), answers.fileno() if stdout is None else stdout, talk.fileno()))
        _, status = os.waitpid(pid, 0)
        answers.seek(0)
        talk.seek(0)
        return Ran(os.waitstatus_to_exitcode(status), answers.read().decode(), talk.read().decode())


def _become(env: Mapping[str, str], arguments: Sequence[str], descriptors: Sequence[int]) -> NoReturn:
    code = 99
    try:
        for number, descriptor in enumerate(descriptors):
            if descriptor < 0:
                os.close(number)
            else:
                os.dup2(descriptor, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - instead of pytest's
        os.environ.clear()
        os.environ.update({name: value for name, value in env.items() if name not in STANDS_FOR})
        sys.argv = ["streamverify", *(env[each] if each in STANDS_FOR else each for each in arguments)]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        # No `finally` of the tests may run in this process.
        os._exit(code)


def test_every_command_is_here() -> None:
    assert set(JSON) | SERVICES | OTHERS == set(all_commands()), "a new command needs its line in JSON"


@pytest.mark.parametrize("command", JSON)
def test_with_json_stdout_has_json_and_nothing_else_whatever_is_warned_of(
    served: dict[str, str], command: str, request: pytest.FixtureRequest
) -> None:
    ran = forked(served | WARNINGS, *command.split(), *JSON[command])
    if command in REFUSED_BY_EMBEDDED and not request.config.getoption("--kafka"):
        assert (ran.code, ran.stdout) == (4, "")
        return
    # The topics of the test are not quite those that a user would make, which is told by the code, not on stdout.
    assert ran.code in ({0, 1, 4} if command.startswith("topics ") else {0}), ran
    lines = ran.stdout.splitlines() if command != "schema" else [ran.stdout]
    assert lines
    for line in lines:
        json.loads(line)
    if command not in WITHOUT_SETTINGS:
        assert "STREAMVERIFY_SLTS" in ran.stderr


@pytest.mark.any_broker
@pytest.mark.parametrize("arguments", [JSON, TEXT], ids=["json", "text"])
@pytest.mark.parametrize("command", sorted(JSON.keys() - REFUSED_BY_EMBEDDED))
def test_an_answer_that_cannot_be_written_is_one_line(
    served: dict[str, str], command: str, arguments: dict[str, list[str]]
) -> None:
    words = [*command.split(), *arguments[command]]
    with Path("/dev/full").open("wb") as full:
        ran = forked(served, *words, stdout=full.fileno())
    assert (ran.code, ran.errors) == (2, ["error: standard output cannot be written: No space left on device"])
    ran = forked(served, *words, stdout=-1)
    assert (ran.code, ran.errors) == (2, ["error: standard output cannot be written: Bad file descriptor"])
    assert "Traceback" not in ran.stderr


@pytest.mark.any_broker
@pytest.mark.parametrize("arguments", [JSON, TEXT], ids=["json", "text"])
@pytest.mark.parametrize("command", sorted(JSON.keys() - REFUSED_BY_EMBEDDED))
def test_a_reader_that_has_gone_is_no_error(
    served: dict[str, str], command: str, arguments: dict[str, list[str]]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = forked(served, *command.split(), *arguments[command], stdout=writing)
    os.close(writing)
    assert (ran.code, ran.errors) == (0, [])
    assert "Traceback" not in ran.stderr
    assert "Broken pipe" not in ran.stderr


@pytest.mark.any_broker
def test_a_reader_that_has_gone_hides_no_verdict(served: dict[str, str]) -> None:
    """`verify | head` ends with what is known: not all of these are verified."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = forked(served, "verify", "-", "--wait", "0", stdout=writing)
    os.close(writing)
    assert ran.code == 3


def test_what_is_written_is_utf8_whatever_the_locale_says() -> None:
    env = environment(GROUP_ID="é→∀") | {"PYTHONIOENCODING": "ascii"}
    for arguments in (["config", "--json"], ["config"]):
        done = subprocess.run(
            [sys.executable, "-m", "streamverify", *arguments], env=env, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "é→∀" in done.stdout.decode("utf-8")
