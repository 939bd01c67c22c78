"""Every command that a page of the documentation shows: which there are, and whether streamverify would take them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from commands import ROOT as PROGRAM
from typer import Context

from handbook.navigation import ROOT, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = {"sh", "bash", "shell", "console"}
"""Languages of fenced blocks in which every line is a command."""
OTHERS = {"", "text"}
"""Languages of fenced blocks that may hold commands, beside what they print; so may indented blocks."""
PROGRAMS = frozenset(
    """
    apt-get bash brew buildah cargo cat cd cp curl docker docker-compose dockerfilelint echo env export for git go grep
    helm java journalctl jq kcat kill kubectl make mkdir mvn node nohup npm npx openssl pip pipx podman printf ps python
    python3 redis-cli sed sleep streamverify sudo systemctl tail tar twine uv until wait wget while
    """.split()  # noqa: SIM905 - a list of words that is read as one
)
"""Words with which a line outside of a shell's block is taken for a command; so are paths, and the scripts of Kafka."""
_ASSIGNED = r"(?:[A-Za-z_][A-Za-z0-9_]*=(?:'[^']*'|\"[^\"]*\"|\S*)\s+)*"
_COMMAND = re.compile(rf"{_ASSIGNED}(\S+)")
_SCRIPT = re.compile(r"\.{1,2}/\S+|\.venv\S*/bin/\S+|(?:kafka|check|prom)[a-z-]*(?:\.sh|tool)|deploy/\S+")
_WORD = re.compile(r"[a-z./][\w./+-]*(?:\s|$)")
_COMMENT = re.compile(r"(?:^|\s+)# .*$")
_BEFORE_A_COMMAND = {"!", "do", "else", "env", "exec", "if", "nohup", "sudo", "then", "time", "until", "while"}


class Typed(NamedTuple):
    """A command as it stands on a page, without its comment; of several lines it is one."""

    page: str
    line: int
    command: str


class _Block(NamedTuple):
    language: str | None
    """None: an indented block."""
    lines: list[tuple[int, str]]


def all_typed() -> list[Typed]:
    """The commands of every page of the site."""
    return [each for page in pages() for each in typed_on(page, (ROOT / page).read_text("utf-8"))]


def typed_on(page: str, text: str) -> list[Typed]:
    """The commands of one page, in their order."""
    found = []
    for block in _blocks(text):
        if block.language not in SHELLS | OTHERS | {None}:
            continue
        # Where a prompt marks commands, what has none is what they print.
        marked = any(line.startswith("$ ") for _, line in block.lines)
        # Beside a known program an unknown one is a command, too.
        has_command = any(is_command(line.removeprefix("$ ")) for _, line in block.lines)
        for number, line in _joined(block.lines):
            command = _COMMENT.sub("", line.removeprefix("$ ")).strip()
            if not command or (marked and not line.startswith("$ ")):
                continue
            if block.language in SHELLS or is_command(command) or (has_command and _WORD.match(command)):
                found.append(Typed(page, number, command))
    return found


def is_command(line: str) -> bool:
    """Whether a line outside of a shell's block is a command: it begins with a program, after variables perhaps."""
    first = _COMMAND.match(line)
    return bool(first and (first[1] in PROGRAMS or _SCRIPT.fullmatch(first[1])))


def _blocks(text: str) -> Iterator[_Block]:
    """The fenced and the indented blocks of a page."""
    fence: _Block | None = None
    indented = _Block(None, [])
    was_blank = True
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*`{3,}(\w*)", line)
        if fence is not None and mark:
            yield fence
            fence = None
        elif fence is not None:
            fence.lines.append((number, line.strip()))
        elif mark:
            fence = _Block(mark[1], [])
        # A line below an item of a list is indented too; that of a block has a blank line or one of its own before it.
        elif line.startswith("    ") and (was_blank or indented.lines):
            indented.lines.append((number, line.strip()))
        elif indented.lines and line.strip():
            yield indented
            indented = _Block(None, [])
        was_blank = not line.strip()
    if indented.lines:
        yield indented


def _joined(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines with those joined that end in a backslash; the number is that of the first."""
    begun: tuple[int, str] | None = None
    for number, line in lines:
        start, before = begun or (number, "")
        whole = f"{before} {line}".strip()
        begun = (start, whole.removesuffix("\\").rstrip()) if line.endswith("\\") else None
        if begun is None:
            yield start, whole


def inline_typed(page: str, text: str) -> list[Typed]:
    """What a page names in its sentences, as `streamverify results --json`."""
    prose = re.sub(r"^```.*?^```", lambda block: re.sub(r"[^\n]", "", block[0]), text, flags=re.DOTALL | re.MULTILINE)
    return [
        Typed(page, prose.count("\n", 0, found.start()) + 1, " ".join(found[1].split()))
        for found in re.finditer(r"`(streamverify [a-z][^`]*)`", prose)
    ]


def calls(command: str) -> list[list[str]]:
    """The arguments of each call of streamverify in a command of the shell, without redirections."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    found: list[list[str]] = []
    current: list[str] | None = None
    begins, skip = True, False
    for index, word in enumerate(words):
        if skip:
            skip = False
        elif word and set(word) <= set(";&|()"):
            begins, current = True, None
        elif word and word[0] in "<>":
            # The number of a descriptor before it is no argument.
            if current and current[-1] in {"1", "2"}:
                current.pop()
            skip = index + 1 < len(words)
        elif begins and (word in _BEFORE_A_COMMAND or re.match(r"[A-Za-z_]\w*=", word)):
            pass
        elif begins:
            begins = False
            current = [] if word == "streamverify" else None
            if current is not None:
                found.append(current)
        elif current is not None:
            current.append(word)
    return found


def complaints(command: str) -> list[str]:
    """What is wrong with a command: it is no line of the shell, or streamverify would refuse a call in it."""
    try:
        return [said for arguments in calls(command) if (said := complaint(arguments))]
    except ValueError as error:
        return [f"the shell cannot read it: {error}"]


def complaint(arguments: list[str]) -> str:
    """What streamverify has against the arguments of a call: a command, an option or an argument that it has not.

    Values are not looked at, as a page writes NAME where a reader writes another; the command is not run.
    """
    command: Any = PROGRAM
    rest = list(arguments)
    while hasattr(command, "commands"):
        if not rest or rest[0] == "--help":
            return ""
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    try:
        _, left, _ = command.make_parser(Context(command)).parse_args(rest)
    except Exception as error:  # noqa: BLE001 - what a parser has to say, of whichever class
        return str(getattr(error, "message", error))
    return f"too many arguments: {left}" if left else ""
