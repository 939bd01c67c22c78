"""Prints for every command: to stdout and stderr, JSON, and texts from outside made safe for a terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.markup import escape

from streamverify.core.printable import printable as printable  # noqa: PLC0414 - also what this module exports

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from streamverify.core.messages.models import ProofResult

STATUS_STYLES = {"verified": "green", "rejected": "red", "inconclusive": "yellow"}
MEMBER_STYLES = {"serving": "green", "starting": "cyan", "joining": "cyan", "unknown": "cyan", "foreign": "dim"}
"""The colours of the states of a group's members; every other state is a reason to look, and yellow."""
_PLAIN_WIDTH = 120
MAX_ID = 160
"""Characters of a custom_id in a message to people; it may have 512. --json has all of them."""
_END = 50
_NO_LEAN = {
    "replay": "the replay REPL answered, from recordings of a real Lean; nothing was checked now",
    "synthetic": "the synthetic REPL answered, which checks nothing: these are no verdicts of Lean",
}


def stdout() -> Console:
    """Make the console for answers. Without a terminal it writes no escape codes, and has a width that fits a log."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Make the console for progress and remarks."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    # Without a terminal rich would take 80 cells, into which no table of ours fits.
    width = None if stream.isatty() else _PLAIN_WIDTH
    # Without emoji: rich would make one of `:b:` in the name of a file or in a text of Lean.
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)


def error_line(text: str) -> None:
    """Print an error on stderr, each line of `text` on a line of its own, not wrapped, so that it can be searched."""
    console = stderr()
    for line in text.splitlines():
        console.print(f"[bold red]error:[/] {escape(printable(line))}", soft_wrap=True)


def remark(text: str, label: str = "note", style: str = "yellow") -> None:
    """Print something on stderr that is no failure."""
    stderr().print(f"[{style}]{label}:[/] {escape(printable(text))}", soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value as one line on stdout, and flush."""
    # The keys of a dictionary may be numbers of partitions.
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode("utf-8") + "\n")
    sys.stdout.flush()


def print_result(result: ProofResult) -> None:
    """Print one result as it is on the topic, as one line of JSON, without flushing: there may be millions."""
    from streamverify.core.messages.codec import encode_result  # noqa: PLC0415 - keeps --help fast

    # Not with pydantic, which stops at a depth that real infotrees have.
    sys.stdout.write(encode_result(result, limit=sys.maxsize, overhead=0).value.decode("utf-8") + "\n")


def print_line(text: str) -> None:
    """Print one line on stdout as it is, and flush."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def flush() -> None:
    """Show at once what was printed, where the next line may be long in coming."""
    sys.stdout.flush()


def one_line(text: str, width: int) -> str:
    """Take the first line of a text that is not blank, cut to `width` characters."""
    first = next((line.strip() for line in printable(text).split("\n") if line.strip()), "")
    return first if len(first) <= width else first[: width - 1] + "…"


def in_a_line(name: str) -> str:
    """Make a name that somebody has chosen fit for one line: its line breaks and tabs are shown as signs."""
    return printable(name).replace("\n", "␊").replace("\t", "␉")


def short(custom_id: str) -> str:
    """Cut a custom_id for a message to people: its beginning and its end tell most of them apart."""
    name = in_a_line(custom_id)
    return name if len(name) <= MAX_ID else f"{name[: MAX_ID - _END - 1]}…{name[-_END:]}"


def plural(count: int, noun: str) -> str:
    """Write a number with its noun: `1 proof`, `2 proofs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def epilog(*blocks: str) -> str:
    """Join blocks of preformatted help. Typer keeps the line breaks of a paragraph that starts with a backspace."""
    return "\n\n".join("\b\n" + escape(block) for block in blocks)


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM end a command as Ctrl-C does: through every `finally`."""

    def interrupt(_number: int, _frame: Any) -> None:
        # Not by SIGINT, which a shell makes its background processes ignore.
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def say_who_answered(kinds: Collection[str | None]) -> None:
    """Say what verdicts are worth that no Lean gave, by the kinds of the verifiers that did."""
    for kind in sorted(_NO_LEAN.keys() & set(kinds)):
        remark(_NO_LEAN[kind])
