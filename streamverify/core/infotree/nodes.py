"""The infotree as the REPL prints it, read into the tactics that ran: where each stands, and its goals.

Only nodes of tactics count, and of them only those that a person wrote: what a macro made stands at the macro's place
and is marked synthetic. Nodes that only hold others (`by`, sequences, `·`, parentheses, `<;>`) are passed through,
because two of the REPL's four kinds of infotree lack them; the text says the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.core.infotree.tokens import Tokens

_HOLDERS = frozenset(
    """
    null byTactic tacticSeq tacticSeq1Indented tacticSeqBracketed convSeq convSeq1Indented convSeqBracketed seq1 paren
    cdot cdotTk tactic·._ tactic_<;>_ calcSteps calcFirstStep calcStep
    """.split()  # noqa: SIM905 -- a list literal of as many words is half a page
)
"""Kinds of syntax that hold tactics and are not tactics themselves, by the last part of their name: of Lean in 2021 and
today."""


class Goals(NamedTuple):
    """The goals of one tactic as Lean prints them."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(slots=True)
class Node:
    """One tactic as it stands in the file, by offsets.

    `runs` has its goals for each time that it was run: `<;>` and `all_goals` run what stands behind them for each goal.
    """

    start: int
    end: int
    runs: list[Goals]
    children: list[Node] = field(default_factory=list)

    @property
    def goals(self) -> Goals:
        """The goals that it began with, and those that it left: after several runs, all that they left."""
        return Goals(self.runs[0].before, tuple(goal for run in self.runs for goal in run.after))


def read_nodes(infotree: Any, text: str, tokens: Tokens) -> list[Node]:
    """Make a tree of the tactics of an infotree by where they stand. Returns its roots, in the order of the file.

    What does not fit the text is left out (it begins or ends within a token, cuts a bracket, or overlaps a longer one
    in part), and so is what is no infotree at all. The nesting of the infotree itself says less: the tactics of a `by`
    whose turn came late hang elsewhere in it.
    """
    line_starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    runs: dict[tuple[int, int], list[Goals]] = {}
    for (first, last), goals in _tactics(infotree):
        start, end = _offset(first, line_starts), _offset(last, line_starts)
        if 0 <= start < end and tokens.fits(start, end):
            runs.setdefault((start, end), []).append(goals)
    roots: list[Node] = []
    around: list[Node] = []
    # The longer of two that begin alike first, so that it is the one around the other.
    for (start, end), goals_of_runs in sorted(runs.items(), key=lambda item: (item[0][0], -item[0][1])):
        while around and around[-1].end <= start:
            around.pop()
        if not around or end <= around[-1].end:
            node = Node(start, end, goals_of_runs)
            (around[-1].children if around else roots).append(node)
            around.append(node)
    return roots


def _tactics(infotree: Any) -> Iterator[tuple[tuple[Any, Any], Goals]]:
    """Yield the tactics in the order of the tree; of nested ones with one range the outermost, which was written.

    A stack of its own: an infotree is nested as deep as its proof.
    """
    waiting: list[tuple[Any, Any]] = [(infotree, None)]
    while waiting:
        tree, outer = waiting.pop()
        if isinstance(tree, list):
            waiting.extend((child, outer) for child in reversed(tree))
        if not isinstance(tree, dict):
            continue
        range_, goals = _as_tactic(tree.get("node"))
        if range_ is not None and range_ != outer:
            yield range_, goals
            outer = range_
        waiting.append((tree.get("children"), outer))


def _as_tactic(node: Any) -> tuple[tuple[Any, Any] | None, Goals]:
    """Return the range and the goals of a node; no range where it is no tactic that somebody wrote."""
    nothing = None, Goals((), ())
    # Of all nodes only those of tactics have goals; the tree is whatever a REPL printed, so each step is checked.
    if not isinstance(node, dict) or not isinstance(node.get("stx"), dict) or "goalsBefore" not in node:
        return nothing
    kind, range_ = str(node["stx"].get("kind")), node["stx"].get("range")
    # Tokens such as `;` and `by` have nodes too, without a name.
    last = parts(kind)[-1:]
    if not node.get("name") or (last and last[0].removeprefix(".") in _HOLDERS):
        return nothing
    if not isinstance(range_, dict) or range_.get("synthetic"):
        return nothing
    goals = Goals(_texts(node["goalsBefore"]), _texts(node.get("goalsAfter")))
    return (_place(range_.get("start")), _place(range_.get("finish"))), goals


def _place(value: Any) -> tuple[Any, Any]:
    return (value.get("line"), value.get("column")) if isinstance(value, dict) else (None, None)


def _texts(goals: Any) -> tuple[str, ...]:
    return tuple(str(goal) for goal in goals) if isinstance(goals, list) else ()


def _offset(place: tuple[Any, Any], line_starts: list[int]) -> int:
    """Return the offset of a line (from 1) and a column (code points from 0); -1 where the file has no such place."""
    line, column = place
    # `type`, not isinstance: JSON's `true` is an int to Python.
    if type(line) is not int or type(column) is not int or not 0 < line < len(line_starts) or column < 0:
        return -1
    offset = line_starts[line - 1] + column
    # A column behind the end of its line would be a place in another one.
    return offset if offset < line_starts[line] else -1
