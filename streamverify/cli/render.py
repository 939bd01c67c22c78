"""Words verdicts for people: Lean's messages with the source line that they mean. Prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from streamverify.cli.output import STATUS_STYLES, one_line, printable, short
from streamverify.core.messages.models import Reason, Status, errors_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.core.messages.models import Message, ProofResult

_SEVERITY_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_TAB = "    "
_MAX_LINE = 100
"""Code points of a source line that are shown."""
_LEAD = 40
"""Code points that are shown before the position of a message if its line is cut."""
_MESSAGE = 300


def first_message(result: ProofResult) -> str:
    """Take one line: Lean's first error, else its first message, else the sentence of a proof that is not verified.

    Of a verified proof to which an audit would object, it is the sentence: nothing else says so.
    """
    messages = result.response.messages if result.response and not _doubtful(result) else []
    errors = errors_in(messages)
    for message in (*errors, *messages):
        return one_line(message["data"], _MESSAGE)
    return "" if result.status == Status.VERIFIED and not result.findings else one_line(result.summary, _MESSAGE)


def _doubtful(result: ProofResult) -> bool:
    return result.status == Status.VERIFIED and bool(result.findings)


def report(result: ProofResult, proof: str) -> Iterator[Text]:
    """Yield a verdict and all messages of Lean, each with its source line. `proof` is the file as sent."""
    yield headline(result)
    lines = proof.split("\n")
    messages = result.response.messages if result.response else []
    for message in messages:
        yield from _message(message, result.custom_id, lines)
    if _doubtful(result) or (result.status != Status.VERIFIED and not errors_in(messages)):
        yield Text(f"  {printable(result.summary)}")
    if result.truncated:
        # Too large for the topic, or for the worker to read to its end: the reader of a result cannot tell.
        yield Text(f"  left out, because Lean's answer was too large: {', '.join(result.truncated)}", "dim")


def headline(result: ProofResult) -> Text:
    """Make the first line of a report: `rejected (lean_error)  file.lean  0.52 s`."""
    text = Text(str(result.status), style=f"bold {STATUS_STYLES.get(str(result.status), '')}".strip())
    if result.reason != Reason.OK:
        text.append(f" ({printable(str(result.reason))})", style="not bold")
    text.append(f"  {short(result.custom_id)}", style="not bold default")
    took = f"{result.timings.run:.2f} s" if result.cached is None else f"cached {result.cached.age_seconds:.0f} s ago"
    text.append(f"  {took}", style="not bold dim default")
    return text


def _message(message: Message, name: str, lines: list[str]) -> Iterator[Text]:
    pos = message["pos"]
    text = Text(f"{short(name)}:{pos['line']}:{pos['column']}: ")
    text.append(f"{message['severity']}: ", style=_SEVERITY_STYLES.get(message["severity"], ""))
    text.append(printable(message["data"].rstrip("\n")))
    if (count := message.get("count", 1)) > 1:
        text.append(f" ({count:,} times, the others left out)", style="dim")
    yield text
    if not 1 <= pos["line"] <= len(lines):
        return
    line = lines[pos["line"] - 1].rstrip("\r")
    end = message.get("endPos") or pos
    last = end["column"] if end["line"] == pos["line"] else len(line)
    source, marks = excerpt(line, pos["column"], last)
    number = str(pos["line"])
    yield Text(f"{number:>5} | ", style="dim").append(source, style="not dim")
    yield Text(f"{'':>5} | ", style="dim").append(marks, style="not dim bold")


def excerpt(line: str, start: int, end: int) -> tuple[str, str]:
    """Make a source line and the carets for the line below it, both as a terminal shows them.

    Args:
        line: The line as it is in the file.
        start: The first code point to mark, counted from 0.
        end: The code point after the last one to mark; if it is not after `start`, one caret is drawn.
    """
    start = min(start, len(line))
    end = min(max(end, start), len(line))
    first, last = _window(len(line), start)
    cut = "…" if first else ""
    shown = cut + _shown(line[first:last]) + ("…" if last < len(line) else "")
    # In cells, as the carets stand below: a character may be two wide, or none.
    before = cell_len(cut + _shown(line[first:start]))
    width = cell_len(_shown(line[start : min(end, last)]))
    return shown, " " * before + "^" * max(1, width)


def _window(length: int, start: int) -> tuple[int, int]:
    if length <= _MAX_LINE:
        return 0, length
    first = max(0, min(start - _LEAD, length - _MAX_LINE))
    return first, first + _MAX_LINE


def _shown(text: str) -> str:
    return printable(text).replace("\t", _TAB)
