"""The directives of the synthetic REPL: `-- synthetic: WORD...` in a proof, and what the words mean.

Pure: reads text, does nothing. A directive runs from its `--` to the end of the line. It is looked for as plain
text, so one inside a string literal or a block comment counts too. Words stand apart by white space. The worker sends
a proof's body with the comments before it, down from the last import: one above that never gets here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.syntax.lexer import position

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "synthetic:"
"""A text without it has no directive: a fast check."""


class DirectiveWord(NamedTuple):
    """A word that a directive may use. `argument` is its unit, None where it takes none."""

    argument: str | None
    meaning: str
    optional: bool = False


WORDS = {
    "service": DirectiveWord("SECONDS", "sleep so long, in place of what --service draws"),
    "burn": DirectiveWord("SECONDS", "use so much CPU time, in place of what --service draws"),
    "error": DirectiveWord(None, "answer with an error message at the directive's place"),
    "sorry": DirectiveWord(None, "answer with a sorry at the directive's place, and Lean's warning about it"),
    "stdout": DirectiveWord("BYTES", "answer with an info message of that size: a legal answer, however large"),
    "infotree": DirectiveWord("BYTES", "where the command asks for an infotree, make it that large"),
    "alloc": DirectiveWord(
        "MIB", "hold so much memory until the answer is out (service=1 besides: a limit is noticed within 50 ms)"
    ),
    "leak": DirectiveWord("MIB", "hold so much memory for the life of the process"),
    "oom": DirectiveWord(
        None,
        "end as Lean does where it gets no memory, as alloc and leak do then: `INTERNAL PANIC: out of memory`",
    ),
    "stderr": DirectiveWord("BYTES", "write so much to stderr"),
    "forge": DirectiveWord(
        "SECONDS", 'write a whole answer, {"env": 1}, to stdout; given a time, that much later', optional=True
    ),
    "crash": DirectiveWord(None, "die by SIGSEGV"),
    "exit": DirectiveWord("STATUS", "exit with that status, 0 to 255"),
    "hang": DirectiveWord(None, "never answer, never end"),
    "kill-parent": DirectiveWord(None, "kill the process that started this one with SIGKILL"),
}
"""Every word, in the order in which `--help` lists them."""


class DirectiveStep(NamedTuple):
    """A word with its value: seconds, bytes, MiB or a status; 0 where it has none."""

    word: str
    value: float = 0


class Directive(NamedTuple):
    """One directive: its place (line, column), and its words, or the problems with them."""

    start: tuple[int, int]
    end: tuple[int, int]
    steps: tuple[DirectiveStep, ...]
    problems: tuple[str, ...]


_DIRECTIVE = re.compile(rf"--[ \t]*{MARK}([^\r\n]*)")
# Plain digits, and not many: `float` takes `inf` and `1e99`, with which a slip in a test would never end.
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,12}")
_MAX_STATUS = 255


def parse_directives(text: str) -> list[Directive]:
    """Return the directives in `text`, in their order. Raises nothing: each has its `problems`."""
    if MARK not in text:
        return []
    return [_directive(text, match) for match in _DIRECTIVE.finditer(text)]


def _directive(text: str, match: re.Match[str]) -> Directive:
    line, column = position(text, match.start())
    steps, problems = [], []
    words = match[1].split()
    for word in words:
        try:
            steps.append(parse_word(word))
        except ValueError as error:
            problems.append(str(error))
    # Told, like a wrong word: a directive that does nothing is a slip in a test.
    if not words:
        problems.append("synthetic: no word after the colon")
    end = (line, column + match.end() - match.start())
    return Directive((line, column), end, tuple(steps), tuple(problems))


def parse_word(text: str) -> DirectiveStep:
    """Read one word of a directive, its value included. Raises ValueError with a sentence that names it."""
    name, equals, value = text.partition("=")
    word = WORDS.get(name)
    if word is None:
        raise ValueError(f"synthetic: unknown word {text!r}; known are {', '.join(WORDS)}")
    if word.argument is None:
        if equals:
            raise ValueError(f"synthetic: {name} takes no value: {text!r}")
        return DirectiveStep(name)
    if not equals and word.optional:
        return DirectiveStep(name)
    try:
        return DirectiveStep(name, _READERS[word.argument](value))
    except ValueError:
        raise ValueError(f"synthetic: {text!r} should be {name}={word.argument}") from None


def parse_seconds(text: str) -> float:
    """Read a time in seconds, in plain decimal digits. Raises ValueError for anything else, infinity and signs too."""
    if not _SECONDS.fullmatch(text):
        raise ValueError(f"{text!r} is no time in seconds")
    return float(text)


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _status(text: str) -> int:
    status = _whole(text)
    if status > _MAX_STATUS:
        raise ValueError(f"{text!r} is no exit status")
    return status


_READERS: dict[str, Callable[[str], float]] = {
    "SECONDS": parse_seconds,
    "BYTES": _whole,
    "MIB": _whole,
    "STATUS": _status,
}


def describe_words() -> str:
    """Return the words and their meanings as a table for `--help`."""
    lines = []
    for name, word in WORDS.items():
        value = "" if word.argument is None else f"={word.argument}"
        usage = f"{name}[{value}]" if word.optional else f"{name}{value}"
        lines.append(f"  {usage:22}{word.meaning}")
    return "\n".join(lines)
