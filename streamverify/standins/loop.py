"""The part that both stand-ins share: the command-mode protocol of leanprover-community/repl.

A command is a JSON object on stdin, ended by a blank line; its answer is one on stdout, followed by a blank line:

    {"cmd": TEXT}              a file of its own, imports included
    {"cmd": TEXT, "env": N}    in the environment that an earlier answer called N
    {"env": N, "messages": [...], "sorries": [...]}     an answer: the new environment is N, counted from 0
    {"message": TEXT}                                   the answer to what could not be run at all

The line breaks within a block count for nothing, as upstream: a line's end is trimmed, and the next one joined to
it. Unlike upstream, which ends with exit status 1 at a block that is no command, a stand-in answers and goes on.

What the driver sends on its own account is answered here, as Lean does: a blank command makes an environment,
`#print "TEXT"` gives TEXT as a message. Asked for Lean's version a stand-in says what it is: so it is known for one
however it was started.
"""

from __future__ import annotations

import os
import re
from signal import SIG_DFL, SIGINT, SIGPIPE, SIGTERM, signal
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.core.syntax.lexer import LexError, skip_blank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STDIN, STDOUT, STDERR = 0, 1, 2
READ_AHEAD = 1 << 16

_NOT_SPACE = re.compile(r"[^ \r\n]|\r(?!\n)")
VERSION_QUESTION = "#eval Lean.versionString"
"""The question by which the driver learns Lean's version."""
STAND_IN = "streamverify stand-in: "
"""The beginning of a stand-in's answer to that question; its name follows."""

NO_RECORDING = "no recording"
"""The refusal of the replay REPL where it has no recording of the command."""

_PRINT_STRING = re.compile(r'#print "([^"\\]*)"\s*')


class Repl:
    """Answers commands, one at a time. A subclass decides what a text means in an environment."""

    name = ""
    """The name of the stand-in, as `verifier.kind` has it."""

    def __init__(self) -> None:
        self.environments = 0
        """The number of environments; the next one gets it for its own."""

    def evaluate(self, text: str, env: int | None, command: Mapping[str, Any]) -> bytes:
        """Answer `text` in environment `env`, which exists, or as a file of its own.

        `command` is the whole command, for its other fields.
        """
        raise NotImplementedError

    def answer(self, block: bytes) -> bytes:
        """Answer one block of stdin, blank line included. Never raises for what stands in the block."""
        try:
            command = orjson.loads(block)
        except orjson.JSONDecodeError as error:
            return encode({"message": f"Could not parse JSON:\n{error}"})
        if problem := _malformed(command):
            return encode({"message": f"Could not parse as a valid JSON command:\n{problem}"})
        text, env = command["cmd"], command.get("env")
        if env is not None and env >= self.environments:
            return encode({"message": "Unknown environment."})
        return self._answer_driver(text, env) or self.evaluate(text, env, command)

    def _answer_driver(self, text: str, env: int | None) -> bytes | None:
        """Answer what the driver asks on its own account; None where it is something else."""
        if leading_space(text) == len(text):
            return self.blank(text, env)
        if text.startswith("#print") and (printed := _PRINT_STRING.fullmatch(text)):
            return self.result(messages=[message("info", printed[1], (1, 0), (1, len("#print")))])
        if text == VERSION_QUESTION and env is not None:
            return self.result(messages=[message("info", f'"{STAND_IN}{self.name}"', (1, 0), (1, len("#eval")))])
        return None

    def blank(self, text: str, env: int | None) -> bytes:  # noqa: ARG002 - a subclass decides by them
        """Answer a text of white space."""
        return self.result()

    def result(self, /, **parts: Any) -> bytes:
        """Return the answer that a text was run: a new environment, and those of `parts` that are not empty."""
        env = self.environments
        self.environments += 1
        parts = {name: value for name, value in parts.items() if value and name != "env"}
        # The usual answer, without the encoder: load tests measure what is around it.
        if not parts:
            return b'{"env": %d}\n\n' % env
        parts["env"] = env
        return encode(parts)


def _malformed(command: Any) -> str | None:
    """Return the objection to a decoded block as a command; None where it is one."""
    if type(command) is not dict:
        return "object expected"
    if type(command.get("cmd")) is not str:
        return "property 'cmd': String expected"
    env = command.get("env")
    if env is not None and (type(env) is not int or env < 0):
        return "property 'env': Natural number expected"
    return None


def encode(answer: Mapping[str, Any]) -> bytes:
    """Return an answer as it goes to stdout: over several lines, as Lean prints it, so that readers learn to cope."""
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2) + b"\n\n"


def message(severity: str, data: str, start: tuple[int, int], end: tuple[int, int] | None = None) -> dict[str, Any]:
    """Return a message in Lean's form; places are (line from 1, column in code points from 0)."""
    return {"severity": severity, "pos": place(start), "endPos": end and place(end), "data": data}


def place(position: tuple[int, int]) -> dict[str, int]:
    """Return a place in Lean's form."""
    line, column = position
    return {"line": line, "column": column}


def leading_space(text: str) -> int:
    """Count the code points of white space that a text begins with: to Lean a tab or a lone carriage return is none."""
    found = _NOT_SPACE.search(text)
    return found.start() if found else len(text)


def first_token(text: str) -> int:
    """Return the place of a text's first token, behind white space and comments; its end where there is none."""
    try:
        return skip_blank(text, 0)
    except LexError:
        return leading_space(text)


def blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks that blank lines separate; the end of input ends the last one."""
    block = b""
    for line in lines:
        if not line.isspace():
            block += line.rstrip()
        elif block:
            yield block
            block = b""
    if block:
        yield block


def write(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little of it the descriptor takes at once."""
    written = os.write(descriptor, data)
    while written < len(data):
        data = data[written:]
        written = os.write(descriptor, data)


def serve(repl: Repl) -> None:
    """Answer what comes on stdin until it ends.

    SIGINT, SIGTERM and a reader that has gone end the process at once and without a word, as they do a program
    that is not written in Python.
    """
    for number in (SIGINT, SIGPIPE, SIGTERM):
        signal(number, SIG_DFL)
    with os.fdopen(STDIN, "rb", READ_AHEAD, closefd=False) as stdin:
        for block in blocks(stdin):
            write(STDOUT, repl.answer(block))
