from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.infotree.cut import split_tactics
from streamverify.core.infotree.tokens import Tokens

WORDS = st.sampled_from(
    [
        *(
            "theorem t : p := by",
            "have h : p := by",
            "simp",
            "exact h",
            "case a =>",
            "all_goals",
            "| inl h =>",
            "rw [h]",
        ),
        *("(", ")", "[", "]", "{", "}", "⟨", "⟩", "·", ".", ";", "<;>", "<|>", ":=", "by", "=>", "fun x => by", "calc"),
        *(
            "-- a (comment\n",
            "/- a ) -/",
            "/- open",
            '"a ( string"',
            '"',
            "'('",
            "h'",
            "«a (»",
            "ünï",
            "\U0001d538",
            "\t",
            "\r\n",
        ),
        *("\n", "\n  ", " ", " ", " "),
    ]
)
TEXTS = st.lists(WORDS, max_size=30).map("".join)
GOALS = st.lists(st.sampled_from(["⊢ p", "h : p\n⊢ q"]), max_size=2)
KINDS = st.sampled_from(["Lean.Parser.Tactic.simp", "Mathlib.Tactic.x"] * 3 + ["Lean.Parser.Tactic.tacticSeq", "null"])


LEAVES = st.sampled_from(["simp", "exact h", "rw [h, ← g]", "exact f \"(\" '('", "exact ⟨a, b⟩", "intro ünï «(»"])
BLANKS = st.sampled_from([" ", "\n  ", " -- a comment (\n  ", "\n  /- another ) /- nested -/ -/\n  "])
AROUND = st.sampled_from(["have h : p := by{}", "·{}", "case a =>{}", "({})", "exact f (by{})", "try{}", "conv =>{}"])


class Writer:
    """Writes a file at random, and the infotree that a Lean would make of it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""

    def block(self, depth: int) -> list[Any]:
        trees = [self.tactic(depth)]
        for _ in range(self.draw(st.integers(0, 2))):
            self.text += self.draw(st.sampled_from(["\n  ", "; ", " <;> ", " -- (\n  "]))
            trees.append(self.tactic(depth))
        return trees

    def tactic(self, depth: int) -> dict[str, Any]:
        start, children = len(self.text), []
        if depth and self.draw(st.booleans()):
            before, _, after = self.draw(AROUND).partition("{}")
            self.text += before + self.draw(BLANKS)
            children = self.block(depth - 1)
            self.text += after
        else:
            self.text += self.draw(LEAVES)
        return self.node(start, len(self.text), children)

    def node(self, start: int, end: int, children: list[Any]) -> dict[str, Any]:
        draw = self.draw

        def place(offset: int) -> dict[str, int]:
            before = self.text[: max(offset, 0)]
            return {"line": before.count("\n") + 1, "column": offset - before.rfind("\n") - 1}

        return {
            "node": {
                "stx": {"kind": draw(KINDS), "range": {"start": place(start), "finish": place(end)}},
                "name": "x",
                "goalsBefore": draw(GOALS),
                "goalsAfter": draw(GOALS),
            },
            "kind": "TacticInfo",
            "children": children,
        }


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A file and its infotree, with nodes that stand at the wrong places as well."""
    writer = Writer(draw)
    trees: list[Any] = []
    for _ in range(draw(st.integers(0, 2))):
        writer.text += draw(st.sampled_from(["theorem t : p := by\n  ", "-- a (comment\nexample := ⟨by "]))
        trees += writer.block(3)
        writer.text += draw(st.sampled_from(["\n", "⟩\n\n", " -- the end", ""]))
    size = len(writer.text)
    for _ in range(draw(st.integers(0, 3))):
        taken = draw(st.integers(0, len(trees)))
        start = draw(st.integers(-1, size + 1))
        trees = [*trees[taken:], writer.node(start, draw(st.integers(start, size + 2)), trees[:taken])]
    return writer.text, trees


@st.composite
def odd_files(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A text that is hardly Lean, and an infotree whose nodes stand at its tokens, or anywhere."""
    writer = Writer(draw)
    writer.text = draw(TEXTS)
    tokens = Tokens(writer.text).tokens
    anywhere = st.integers(-1, len(writer.text) + 2)
    starts = st.sampled_from([token.start for token in tokens] or [0]) | anywhere
    ends = st.sampled_from([token.end for token in tokens] or [0]) | anywhere
    return writer.text, [writer.node(draw(starts), draw(ends), []) for _ in range(draw(st.integers(0, 15)))]


@given(files() | odd_files())
def test_joined_again_they_are_the_file(file: tuple[str, list[Any]]) -> None:
    text, infotree = file
    found = split_tactics(text, infotree)
    assert not found or "".join(map(str, found)) == text
    assert all(each.text for each in found)
    assert not any(each.tail for each in found[:-1])


@given(files() | odd_files())
def test_no_comment_string_or_bracket_is_cut(file: tuple[str, list[Any]]) -> None:
    text, infotree = file
    tokens, offset = Tokens(text), 0
    for each in split_tactics(text, infotree):
        start = offset + len(each.lead)
        offset = start + len(each.text)
        assert tokens.fits(start, offset)


@given(TEXTS)
def test_tokens_are_in_order_and_between_them_are_only_blanks_and_comments(text: str) -> None:
    offset = 0
    for token in Tokens(text).tokens:
        between = text[offset : token.start]
        assert token.start < token.end
        assert text[token.start : token.end] == token.text
        assert not between.strip() or between.lstrip().startswith(("--", "/-"))
        offset = token.end


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["node", "children", "stx", "kind", "range", "start", "finish", "line", "column", "goalsBefore"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(TEXTS, JSON)
def test_what_is_no_infotree_gives_no_tactics_and_no_error(text: str, infotree: Any) -> None:
    found = split_tactics(text, infotree)
    assert not found or "".join(map(str, found)) == text
