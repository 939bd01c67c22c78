"""The replay REPL: it gives a real Lean's recorded answers, and `no recording` to anything else.

A driver may send a recorded file whole, or its canonical header as an import command and then its body, padded
however it likes: positions are right for what was sent.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import HeaderError, SettingsError
from streamverify.core.syntax.header import parse_header
from streamverify.standins.loop import NO_RECORDING, Repl, encode, serve
from streamverify.standins.recordings import RecordedAnswer, Recordings, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUNDLED = Path(__file__).with_name("core-lean.jsonl")
"""Proofs that need no Mathlib, recorded on a real Lean 4 of June 2021."""


class ReplayRepl(Repl):
    """Answers from recordings. `speed` divides the recorded seconds; 0 answers at once."""

    name = "replay"

    def __init__(self, recordings: Recordings, *, speed: float = 0.0) -> None:
        super().__init__()
        self._recordings = recordings
        self._speed = speed
        self._headers: dict[int, str] = {}

    def blank(self, text: str, env: int | None) -> bytes:
        """A blank file makes an environment with a blank header; a blank body is a body like any other."""
        if env is not None:
            return self.evaluate(text, env, {})
        self._headers[self.environments] = ""
        return self.result()

    def evaluate(self, text: str, env: int | None, command: Mapping[str, Any]) -> bytes:  # noqa: ARG002 - infotrees were not recorded
        """Give the recorded answer. An environment is known by its header; one that a body made has no recordings."""
        if env is None:
            try:
                header = parse_header(text)
            except HeaderError:
                return self._reply(self._recordings.file(text))
            # A text that is a header and nothing else is an import: bodies are found in the environment that it makes.
            alone = header.canonical if header.end == len(text) else None
            return self._reply(self._recordings.file(text), header=alone)
        # A body's environment has no header here: nobody recorded what comes after a proof.
        of_import = self._headers.get(env)
        return self._reply(None if of_import is None else self._recordings.body(of_import, text))

    def _reply(self, answer: RecordedAnswer | None, *, header: str | None = None) -> bytes:
        if answer is None:
            return encode({"message": NO_RECORDING})
        if self._speed:
            time.sleep(answer.seconds / self._speed)
        if "message" in answer.response:
            return encode(answer.response)
        # Only an import made an environment in which bodies were recorded.
        if header is not None:
            self._headers[self.environments] = header
        return self.result(**answer.response)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the executable. Returns its exit status: 0, or 2 where the recordings cannot be read."""
    flags = _parser().parse_args(arguments)
    try:
        recordings = load(flags.recordings)
    except SettingsError as error:
        print(f"streamverify-replay-repl: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return error.exit_code
    serve(ReplayRepl(recordings, speed=flags.speed))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamverify-replay-repl",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A stand-in for a Lean REPL: answers what a real Lean answered when it was recorded.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "recordings",
        metavar="FILE",
        type=Path,
        nargs="?",
        default=BUNDLED,
        help="recordings, one JSON object a line (default: those that come with streamverify)",
    )
    parser.add_argument(
        "--speed",
        metavar="FACTOR",
        type=_factor,
        default=0.0,
        help="take the recorded time divided by FACTOR: 1 as recorded, 10 ten times as fast; 0 at once (default: 0)",
    )
    return parser


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 <= factor < float("inf"):
        raise ValueError(text)
    return factor


_EPILOG = """\
Reads commands from stdin, one JSON object each, a blank line after each; answers likewise. Ends with its input.

  {"cmd": "import Lean"}             a recorded header: its environment, and Lean's messages where the import failed
  {"cmd": "theorem ...", "env": 0}   a recorded body in that environment, with the recorded messages, sorries, ...
  {"cmd": "import Lean\\n..."}        a recorded file, whole

Anything else is answered with {"message": "no recording"}: nothing is made up. Try it:

  printf '{"cmd": "import Lean"}\\n\\n' | streamverify-replay-repl

FILE has the fields proof, file_response, header, header_response, header_seconds, body, body_response and
body_seconds. A proof is found by its canonical header and its body from the first token on; positions come from
file_response and are moved to where the body stands in what was sent.
"""


if __name__ == "__main__":
    sys.exit(main())
