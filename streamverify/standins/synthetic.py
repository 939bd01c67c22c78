"""The synthetic REPL: answers at once, after a drawn time, or as a directive in the proof says.

For load and fault tests. It checks nothing: a proof is accepted unless a directive says otherwise. `directives` has
the words. They act from left to right, then the answer goes out. Where any word of a text is wrong, none of them acts:
the answer is an error message for each that is wrong, so that a typo in a test is seen.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.lexer import position
from streamverify.standins import effects
from streamverify.standins.directives import (
    MARK,
    Directive,
    DirectiveStep,
    describe_words,
    parse_directives,
    parse_seconds,
)
from streamverify.standins.loop import Repl, encode, first_token, message, place, serve
from streamverify.standins.rules import ImportRule, parse_import, parse_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

INFOTREE_TYPES = frozenset({"full", "tactics", "original", "substantive"})

_Place = tuple[int, int]

_EFFECTS: Mapping[str, Callable[[float], object]] = {
    "service": effects.sleep,
    "burn": effects.burn,
    "oom": lambda _: effects.run_out_of_memory(),
    "stderr": lambda size: effects.flood_stderr(int(size)),
    "forge": effects.forge,
    "crash": lambda _: effects.crash(),
    "exit": lambda status: effects.leave(int(status)),
    "hang": lambda _: effects.hang(),
    "kill-parent": lambda _: effects.kill_parent(),
}
"""The words that do something and leave the answer as it is."""


class SyntheticRepl(Repl):
    """Answers as its flags and the directives say.

    `service` draws the seconds for a body that does not name its own, `spend` lets them pass; `imports` says what
    becomes of which canonical header, `default_import` the seconds of any other.
    """

    name = "synthetic"

    def __init__(
        self,
        *,
        service: Callable[[], float] | None = None,
        spend: Callable[[float], None] = effects.sleep,
        imports: Mapping[str, ImportRule] | None = None,
        default_import: float = 0.0,
    ) -> None:
        super().__init__()
        self._service = service
        self._spend = spend
        self._imports = imports or {}
        self._default_import = ImportRule(default_import)
        self._leaked: list[bytearray] = []
        self._proof_states = 0

    def evaluate(self, text: str, env: int | None, command: Mapping[str, Any]) -> bytes:
        """Answer a body, or a file: its header is imported, then its body run."""
        if env is not None:
            return self._body(text, command)
        try:
            header = parse_header(text)
        except HeaderError as error:
            return self.result(messages=[message("error", str(error), (error.line, error.column))])
        if header.canonical and (failure := self._import(header.canonical, header.imports[-1:])):
            return failure
        # A text that is a header and nothing else is an import command.
        if header.end == len(text) and MARK not in text:
            return self.result()
        return self._body(text, command)

    def _import(self, canonical: str, last: Sequence[Any]) -> bytes | None:
        """Spend an import's time; return the answer where it fails."""
        rule = self._imports.get(canonical, self._default_import)
        self._spend(rule.seconds)
        module = last[0].module if last else ""
        match rule.outcome:
            case "error":
                return self.result(messages=[message("error", missing(module), (1, 0))])
            case "fail":
                return encode({"message": f"failed to read file '{olean(module)}', invalid header"})
            case "crash":
                effects.crash()
            case "hang":
                effects.hang()
        return None

    def _body(self, text: str, command: Mapping[str, Any]) -> bytes:
        directives = parse_directives(text) if MARK in text else ()
        if problems := [_error(problem, found) for found in directives for problem in found.problems]:
            return self.result(messages=problems)
        # In the order in which they stand, over all directives of the text.
        steps = [(found, step) for found in directives for step in found.steps]
        # A proof that names its own time takes that; time that is drawn comes before all steps.
        if self._service and not any(step.word in ("service", "burn") for _, step in steps):
            self._spend(self._service())
        # The usual answer, without the rest: load tests measure what is around it.
        if not steps and len(command) == len(("cmd", "env")):
            return self.result()
        return self._directed(text, steps, command)

    def _directed(
        self, text: str, steps: Sequence[tuple[Directive, DirectiveStep]], command: Mapping[str, Any]
    ) -> bytes:
        """Take the steps, and return the answer that they and the command's own fields ask for."""
        # What `alloc` takes is given back when the answer is out, what `leak` takes never.
        held: list[bytearray] = []
        messages: list[dict[str, Any]] = []
        sorries: list[dict[str, Any]] = []
        infotree_size = 0
        for found, (word, value) in steps:
            match word:
                case "alloc":
                    held.append(effects.allocate(int(value)))
                case "leak":
                    self._leaked.append(effects.allocate(int(value)))
                case "error":
                    messages.append(_error("synthetic: an error, as the directive asks", found))
                case "stdout":
                    messages.append(message("info", "x" * int(value), found.start, found.end))
                case "sorry":
                    start, end = place(found.start), place(found.end)
                    state = self._proof_state()
                    sorries.append({"proofState": state, "pos": start, "goal": "⊢ synthetic", "endPos": end})
                    messages.append(message("warning", "declaration uses `sorry`", found.start, found.end))
                case "infotree":
                    infotree_size = int(value)
                case _:
                    _EFFECTS[word](value)
        return self.result(
            messages=messages,
            sorries=sorries,
            tactics=self._tactics(text) if command.get("allTactics") is True else None,
            infotree=infotree(text, infotree_size) if command.get("infotree") in INFOTREE_TYPES else None,
        )

    def _tactics(self, text: str) -> list[dict[str, Any]]:
        """Return one tactic, in the place of the whole body."""
        start, end = _extent(text)
        return [
            {
                "usedConstants": [],
                "tactic": "synthetic",
                "proofState": self._proof_state(),
                "pos": place(start),
                "goals": "⊢ synthetic",
                "endPos": place(end),
            }
        ]

    def _proof_state(self) -> int:
        self._proof_states += 1
        return self._proof_states - 1


def _error(data: str, found: Directive) -> dict[str, Any]:
    return message("error", data, found.start, found.end)


def _extent(text: str) -> tuple[_Place, _Place]:
    """Return start and end of a body, without the white space around it."""
    return position(text, first_token(text)), position(text, len(text.rstrip()))


def infotree(text: str, size: int) -> list[dict[str, Any]]:
    """Return an infotree of one node, or of as many as make it `size` bytes of compact JSON; each spans the body."""
    start, end = _extent(text)
    stx = {
        "range": {"synthetic": False, "start": place(start), "finish": place(end)},
        "pp": "synthetic",
        "kind": "Lean.Parser.Tactic.synthetic",
        "argKinds": [],
    }
    node = {"stx": stx, "name": "Lean.Parser.Tactic.synthetic", "goalsBefore": ["⊢ synthetic"], "goalsAfter": []}
    tree = {"node": node, "kind": "TacticInfo", "children": []}
    # One node over and over: nobody reads it, only its size counts.
    return [tree] * max(1, -(-size // len(orjson.dumps(tree))))


def olean(module: str) -> str:
    """Return the file that a module would be read from; there is none."""
    return f"/synthetic/{module.replace('.', '/')}.olean"


def missing(module: str) -> str:
    """Return Lean's words for a module that is not there: its package is there where the name has several parts."""
    if "." in module:
        return f"object file '{olean(module)}' of module {module} does not exist"
    return (
        f"unknown module prefix '{module}'\n\n"
        f"No directory '{module}' or file '{module}.olean' in the search path entries:\n/synthetic"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the executable. Returns its exit status, 0; argparse ends it with 2 at a wrong flag."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    try:
        service = parse_service(flags.service, flags.seed)
        imports = dict(map(parse_import, flags.imports))
        default_import = parse_seconds(flags.default_import)
    except ValueError as error:
        parser.error(str(error))
    spend = effects.burn if flags.burn else effects.sleep
    serve(SyntheticRepl(service=service, spend=spend, imports=imports, default_import=default_import))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamverify-synthetic-repl",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A stand-in for a Lean REPL, for load and fault tests. It checks nothing.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--service",
        metavar="TIME",
        default="0",
        help="seconds for each body, or how to draw them: exp:MEAN, lognormal:MEDIAN:SIGMA (default: 0)",
    )
    parser.add_argument(
        "--burn", action="store_true", help="use CPU for these times and those of imports, instead of sleeping"
    )
    parser.add_argument("--seed", type=int, help="draw the same times in each process (default: others each time)")
    parser.add_argument(
        "--import",
        dest="imports",
        metavar="HEADER=SECONDS[:OUTCOME]",
        action="append",
        default=[],
        help="the time that this header takes, and what becomes of it; may be given again for others",
    )
    parser.add_argument(
        "--default-import", metavar="SECONDS", default="0", help="the time that any other header takes (default: 0)"
    )
    return parser


_EPILOG = f"""\
Reads commands from stdin, one JSON object each, a blank line after each; answers likewise. Ends with its input.
Every text is accepted, unless a directive in a comment of it says otherwise:

  theorem t : 1 = 1 := rfl -- synthetic: service=0.02 error

In a proof that a worker gets it must stand behind the first word of the body: comments before that are not sent.

Its words act from left to right, then the answer goes out:

{describe_words()}

A wrong word is answered with an error message that names it, and then no other word acts. Times are in plain decimal
digits. Try it:

  printf '{{"cmd": "#check 1 -- synthetic: service=1 error"}}\\n\\n' | streamverify-synthetic-repl

HEADER is the imports in order with `;` between them, or one module's name; it must be the whole header of the proof.
OUTCOME is one of
  error   Lean's error message for a module that is not there
  fail    {{"message": ...}} and no environment, as when a file cannot be read
  crash   the process dies by SIGSEGV
  hang    there is never an answer

  streamverify-synthetic-repl --default-import 0.5 --import Mathlib=4 --import 'Mathlib;Nope=0.1:error'
"""


if __name__ == "__main__":
    sys.exit(main())
