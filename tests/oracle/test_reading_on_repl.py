"""The same on the Lean that STREAMVERIFY_TEST_REPL names, in one REPL process: its grammar is whole, and tactics run.

Markers are traced by Lean's messages, as in reading.py. That a tactic ran code which its configuration names shows on
stderr, where `unreachable!` says so.
"""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from oracle.generators import POOLS, Files
from oracle.reading import MODULE_PRELUDE, PRELUDE, findings, traces, unseen
from real_lean import REPL, needs_lean

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_lean

FILES = 2_000
"""Of each of the two seeds; one takes a millisecond."""

_OPENING = PRELUDE.removeprefix("prelude\n")
_EVIL = "def evil (n : Nat) : Nat := if n = 0 then 0 else unreachable!\n"
_FRESH = 500
"""Commands until a new process: a REPL keeps every environment."""


class Repl:
    """One REPL process at a time, asked in the environment of `Init` and the opening."""

    def __init__(self) -> None:
        self._asked = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            shlex.split(REPL), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, text=True
        )
        self._process = process
        self._answer({"cmd": "import Init\n"})
        self._env = self._answer({"cmd": _OPENING + _EVIL, "env": 0})["env"]
        return process

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()).strip() or not lines:
            assert line, f"the REPL ended with {self._process.wait()}"
            lines.append(line)
        answer: dict[str, Any] = json.loads("".join(lines))
        return answer

    def messages(self, body: str) -> list[dict[str, Any]]:
        """Lean's messages about a body."""
        self._asked += 1
        if self._asked % _FRESH == 0:
            self.close()
            self._process = self._started()
        found: list[dict[str, Any]] = self._answer({"cmd": body, "env": self._env}).get("messages", [])
        return found

    def panics(self, body: str) -> bool:
        """Whether `unreachable!` was reached while Lean ran a body."""
        self._stderr.truncate(0)
        self._stderr.seek(0)
        self.messages(body)
        self._stderr.seek(0)
        return b"unreachable" in self._stderr.read()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def repl() -> Iterator[Repl]:
    started = Repl()
    yield started
    started.close()


@pytest.mark.timeout(600)
def test_no_command_that_this_lean_runs_is_hidden_from_the_policy(
    seed: int, repl: Repl, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Files(random.Random(seed))
    asked, hidden = 0, []
    for at in range(FILES):
        text = source.draw(source.families[at % len(source.families)])
        # That `--/` does not end a comment of an old Lean, the policy hears with the header's vocabulary.
        if "--/" in text or not (not_seen := unseen(text)):
            continue
        asked += 1
        body = text.removeprefix(MODULE_PRELUDE).removeprefix(PRELUDE)
        ran = traces(repl.messages(body))
        if any(each.name in ran for each in not_seen):
            hidden.append(body)
    with capsys.disabled():
        print(f"\nseed {seed}: {FILES} files drawn, Lean asked about {asked}")
    assert not hidden, "\n---\n".join(hidden[:10])


def _configured(draw: random.Random) -> str:
    """A proof whose tactic has a configuration that may or may not run `evil`."""
    term = draw.choice(POOLS["configurations"])
    return draw.choice(POOLS["configured"]).replace("CONFIG", term)


def test_no_code_in_a_configuration_is_run_without_a_finding(repl: Repl) -> None:
    draw = random.Random(2021)
    ran = 0
    for _ in range(300):
        body = _configured(draw)
        if repl.panics(body):
            ran += 1
            assert findings(f"{PRELUDE}{_EVIL}{body}"), body
    assert ran, "nothing ran `evil`: the test asks nothing"
