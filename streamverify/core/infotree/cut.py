"""A verified file as the tactics that it consists of, each with the goals before and after it.

An infotree nests: the node of a `have` spans the tactics that prove it. A list for training or for search must not:
here each tactic that has others inside is cut at them, and what is left over is told apart. The rules:

- a tactic with others inside gives its own beginning (`have h : p := by`), then those, then what is left of it
  (`_ = c := by`, the next step of a `calc`);
- it is kept whole where that would cut a bracket (`exact ⟨by simp, h⟩`, `(simp; ring)`), or where what stands inside
  runs more than once or perhaps not at all (`constructor <;> simp`, `all_goals`, `first`, `try`, `repeat`);
- a bullet belongs to the first tactic behind it (`· simp`);
- comments, blanks, `;` and what is no tactic (`theorem t : p := by`) belong to none: `lead`, and after the last `tail`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from streamverify.core.infotree.nodes import Goals, Node, read_nodes
from streamverify.core.infotree.tokens import Tokens
from streamverify.core.messages.models import Position

_COMBINATORS = frozenset(
    """
    all_goals allGoals any_goals anyGoals try first solve iterate repeat repeat' repeat1 repeat1' fail_if_success
    success_if_fail_with_msg attempt_all
    """.split()  # noqa: SIM905 -- a list literal of as many words is half a page
)
_OPENERS = frozenset({"by", "=>", "then", "else", "in", ";", "<;>", "·", "."})
_BULLETS = frozenset({"·", "."})
_GROUPS = frozenset({"(", "{"})


@dataclass(frozen=True, slots=True)
class Tactic:
    """One tactic of a proof, or the part of one that stands before, between or behind the tactics inside it.

    Attributes:
        text: What stands in the file, brackets balanced, without comments before or behind it.
        goals_before: The goals that it was run on, as Lean prints them; those in focus, the first being the main one.
        goals_after: The goals that it left. Of a tactic that is cut, those of the first tactic inside it.
        start: Where `text` begins in the file: line from 1, column in code points from 0.
        end: Where `text` ends.
        lead: What stands between the tactic before (or the beginning of the file) and this one.
        tail: What stands behind the last tactic of the file; "" in all others.

    `str()` of it is lead, text and tail; joined over all tactics of a file that is the file.
    """

    text: str
    goals_before: tuple[str, ...]
    goals_after: tuple[str, ...]
    start: Position
    end: Position
    lead: str
    tail: str = ""

    def __str__(self) -> str:
        return self.lead + self.text + self.tail


class _Piece(NamedTuple):
    start: int
    end: int
    goals: Goals


class _Item(NamedTuple):
    """A tactic of a block with its bullets, or several that must not be cut apart; `whole` says that it stays one."""

    start: int
    end: int
    nodes: list[Node]
    whole: bool

    @property
    def goals(self) -> Goals:
        return Goals(self.nodes[0].goals.before, self.nodes[-1].goals.after)


def split_tactics(proof: str, infotree: object) -> list[Tactic]:
    """Cut a Lean file into its tactics.

    Args:
        proof: The whole file as it was sent.
        infotree: The infotree of its answer, of any of the four kinds, with positions in the whole file.

    Returns:
        The tactics in the order of the file. None where there is no tactic: a proof by terms alone has none.
    """
    tokens = Tokens(proof)
    pieces = _Cutter(proof, tokens).pieces(read_nodes(infotree, proof, tokens))
    lines = [0, *(match.end() for match in re.finditer("\n", proof))]

    def at(offset: int) -> Position:
        line = bisect_right(lines, offset)
        return Position(line=line, column=offset - lines[line - 1])

    ends = [0, *(piece.end for piece in pieces)]
    return [
        Tactic(
            text=proof[piece.start : piece.end],
            goals_before=piece.goals.before,
            goals_after=piece.goals.after,
            start=at(piece.start),
            end=at(piece.end),
            lead=proof[end_before : piece.start],
            tail=proof[piece.end :] if piece is pieces[-1] else "",
        )
        for piece, end_before in zip(pieces, ends, strict=False)
    ]


class _Cutter:
    """Cuts the nodes of one file into pieces that neither overlap nor cut a bracket."""

    def __init__(self, text: str, tokens: Tokens) -> None:
        self._text = text
        self._tokens = tokens

    def pieces(self, roots: list[Node]) -> list[_Piece]:
        """Cut them. It keeps a stack of its own, as a proof may nest deeper than Python's."""
        found: list[_Piece] = []
        waiting: list[_Item | _Piece] = [*reversed(self._items(roots, 0))]
        while waiting:
            part = waiting.pop()
            if isinstance(part, _Piece):
                found.append(part)
            else:
                waiting.extend(reversed(self._cut(part)))
        return found

    def _cut(self, item: _Item) -> list[_Item | _Piece]:
        """Return the parts of an item: itself as one piece, or its own text and the items inside it, in turn."""
        whole: list[_Item | _Piece] = [_Piece(item.start, item.end, item.goals)]
        node = item.nodes[0]
        if item.whole or self._tokens.tokens[self._tokens.at(node.start)].text in _COMBINATORS:
            return whole
        inner = [each for each in self._items(node.children, node.start) if self._is_a_cut(node, each)]
        # A tactic that ran more often than the one around it stands for several steps, each with goals of its own.
        if not inner or any(len(each.nodes[0].runs) > len(node.runs) for each in inner if not each.whole):
            return whole
        parts: list[_Item | _Piece] = []
        offset, goals = item.start, item.goals.before
        for each in inner:
            # What stands before a part is done when the part begins: its goals after are those before the part.
            parts += self._own_text(offset, each.start, Goals(goals, each.goals.before))
            parts.append(each)
            offset, goals = each.end, each.goals.after
        return parts + self._own_text(offset, item.end, Goals(goals, item.goals.after))

    def _items(self, siblings: list[Node], floor: int) -> list[_Item]:
        """Put together what belongs together: bullets with a tactic, all within one `( )`, both sides of `<;>`."""
        items: list[_Item] = []
        index = 0
        while index < len(siblings):
            start, end = self._extent(siblings[index], floor)
            is_whole = end > siblings[index].end
            first, index = index, index + 1
            while index < len(siblings):
                if siblings[index].start >= end:
                    next_start, next_end = self._extent(siblings[index], end)
                    # Both sides of `<;>` belong together: the right one runs once for each goal of the left one.
                    if self._words(end, next_start) != ["<;>"]:
                        break
                    end = next_end
                is_whole = True
                index += 1
            items.append(_Item(start, end, siblings[first:index], is_whole))
            floor = end
        return items

    def _extent(self, node: Node, floor: int) -> tuple[int, int]:
        """Return where a tactic begins and ends with the bullets and brackets that stand directly before it."""
        start, end = node.start, node.end
        index = self._tokens.at(start) - 1
        while index >= 0 and (token := self._tokens.tokens[index]).start >= floor:
            if token.text in _GROUPS and index in self._tokens.partner:
                end = max(end, self._tokens.tokens[self._tokens.partner[index]].end)
            elif token.text not in _BULLETS:
                break
            start = token.start
            index -= 1
        return start, end

    def _is_a_cut(self, node: Node, item: _Item) -> bool:
        """Tell whether a tactic begins here, and not in a bracket: patterns and rules of `rw` have nodes as well."""
        tokens = self._tokens
        if not node.start < item.start < item.end <= node.end:
            return False
        before, first = tokens.tokens[tokens.at(item.start) - 1], tokens.tokens[tokens.at(item.start)]
        # After `<|>` at the end of a line an alternative begins, which runs only where the first one fails.
        is_on_a_new_line = "\n" in self._text[before.end : first.start] and before.text != "<|>"
        begins = before.text in _OPENERS or first.text == "|" or is_on_a_new_line
        return begins and tokens.are_in_one_bracket(node.start, item.start)

    def _own_text(self, start: int, end: int, goals: Goals) -> list[_Piece]:
        """Return the piece from the first to the last token between two offsets, without `;` around it, if any."""
        tokens = self._tokens.tokens[self._tokens.at(start) : self._tokens.at(end)]
        own = [token for token in tokens if token.text != ";"]
        return [_Piece(own[0].start, own[-1].end, goals)] if own else []

    def _words(self, start: int, end: int) -> list[str]:
        return [token.text for token in self._tokens.tokens[self._tokens.at(start) : self._tokens.at(end)]]
