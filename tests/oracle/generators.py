"""Random Lean files: what could make us read other tokens than Lean does, with markers in between.

Most pieces are valid tokens; some are not, for after an error Lean goes on with the next command. The families are
the kinds of misreading that were found in the field, each with its relatives.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.reading import ATTRIBUTE_MARKERS, MARKERS, MODULE_PRELUDE, PRELUDE, SPELLINGS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

_PIECES = Path(__file__).with_name("pieces.txt")
_SIGNS = str.maketrans({"⏎": "\n", "␉": "\t", "␍": "\r", "␀": "\0", "␋": "\v", "␌": "\f", "␣": " ", "∅": ""})


def _pieces() -> dict[str, tuple[str, ...]]:
    """The sections of pieces.txt, whose first lines say how a piece is written."""
    sections: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in _PIECES.read_text(encoding="utf-8").split("\n"):
        if heading := re.fullmatch(r"\[([a-z_]+)\]", line):
            name = heading[1]
            sections[name] = ()
        elif line and name:
            piece = re.sub("⟪([0-9a-f]+)⟫", lambda code: chr(int(code[1], 16)), line.translate(_SIGNS))
            sections[name] = (*sections[name], piece)
    return sections


POOLS = _pieces()
_BEGINNINGS_OF_WORDS = ("x", "x", "λ", "é", "_", "x.", "1", "«a b»", "T", "exact", "skip", "#x", "h'")
_ENDS_OF_WORDS = (
    "0", "1", "0b", "0x", "0o", "1e", "1.", "!", "?", "'", "''", ".", "_", "₁", "ₐ", "x", "é", "ж", "«a»", "«a b»",
    "..",
)  # fmt: skip
_BLANKS = ("", "", " ", " ", " ", "\n", "\n", "\n\n", "  ", "\n  ")

_EVERYTHING = (
    "words", "numbers", "symbols", "strings", "characters", "comments", "quotations", "guillemets", "commands",
)  # fmt: skip
_MARKS = "\"\"\"'''``\\\\{}--//«»!#rsx.()[]\n\n  :=@$"
_TOKENS = re.compile(r"\s+|[\w.'#@\[]+|[^\w\s]", re.ASCII)
_WRAPPERS = (
    ("/-!", "-/"), ("/--", "-/"), ("/-", "-/"), ("/-- a ", " -/"), ("/-! a\n", "\n-/"), ("--", "\n"), ('"', '"'),
    ("/-- -- ", "-/"), ("/-/", "-/"), ("/-- /- -/", "-/"), ("«", "»"),
)  # fmt: skip


class Files:
    """Draws files; the same seed gives the same files."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source
        self._families: Mapping[str, Callable[[], str]] = {
            "soup": self._soup,
            "literals": lambda: self._of("strings", "characters"),
            "interpolation": self._interpolation,
            "comments": lambda: self._of("comments"),
            "names": lambda: self._of("guillemets", "words"),
            "quotations": lambda: self._of("quotations", "strings"),
            "attributes": self._attributes,
            "errors": self._errors,
            "places": self._places,
            "mutations": self._mutations,
            "marks": self._single_marks,
            "unicode": self._unicode,
            "glued": self._glued,
        }
        self.families = tuple(self._families)

    def draw(self, family: str) -> str:
        """One file of this family, one of `families`."""
        body = self._families[family]()
        return (MODULE_PRELUDE if self._odds(0.15) else PRELUDE) + body

    def _odds(self, share: float) -> bool:
        return self._random.random() < share

    def _one(self, pool: str) -> str:
        return self._random.choice(POOLS[pool])

    def _any(self) -> str:
        return self._one(self._random.choice(_EVERYTHING))

    def _name(self) -> str:
        return f"m{self._random.randrange(100, 1000)}"

    def _blank(self) -> str:
        return self._one("odd_blanks") if self._odds(0.02) else self._random.choice(_BLANKS)

    def _some(self, *pools: str, most: int) -> str:
        """Pieces of these pools, and now and then of any."""
        pieces = ""
        for _ in range(self._random.randint(1, most)):
            pieces += (self._any() if self._odds(0.15) else self._one(self._random.choice(pools))) + self._blank()
        return pieces

    def _marked(self) -> str:
        """A marker, every other time the shortest."""
        marker = MARKERS[0] if self._odds(0.5) else self._random.choice(MARKERS + SPELLINGS)
        return marker.format(self._name())

    def _hide(self, before: str, after: str = "") -> str:
        """A marker between two texts, most often where a command begins, and an end for what may be open."""
        draw = self._random
        gap = draw.choice(("\n", "\n", "\n", " ", " ", "\n\n", ""))
        end = draw.choice(("\n", "\n", " ", "")) + after + draw.choice(("", " ", "\n")) + self._one("closers")
        return before + gap + self._marked() + end

    def _of(self, *pools: str) -> str:
        return self._hide(self._one("openings") + self._some(*pools, most=4), self._some(*pools, most=2))

    def _soup(self) -> str:
        return self._hide(self._one("openings") + self._some(*_EVERYTHING, most=8), self._some(*_EVERYTHING, most=4))

    def _interpolation(self) -> str:
        """A word that may interpolate, glued or not to a string with braces."""
        inside = "".join(self._one("inside") for _ in range(self._random.randint(0, 4)))
        text = f'{self._one("openings")}{self._one("interpolators")}"{inside}"{self._blank()}'
        return self._hide(text, self._some("strings", most=2))

    def _attributes(self) -> str:
        """A list of attributes that may or may not have ended where a harmful one follows."""
        text = self._one("openings") if self._odds(0.2) else ""
        text += self._one("lists")
        for _ in range(self._random.randint(1, 4)):
            text += self._random.choice(("", " ", "\n", " ")) + self._one("attributes")
        if self._odds(0.5):
            return self._hide(text, self._some("attributes", most=2))
        inner = self._random.choice(ATTRIBUTE_MARKERS).format(self._name())
        return f"{text}{self._random.choice((', ', ',', ' ', chr(10)))}{inner}\n{self._one('closers')}"

    def _errors(self) -> str:
        """What no grammar takes, then something whose reading depends on what was expected."""
        text = (
            self._one("wrong") + self._blank() + self._some("strings", "characters", "quotations", "comments", most=3)
        )
        return self._hide(text, self._some("strings", "comments", most=2))

    def _places(self) -> str:
        """A marker in a comment or a string, anywhere in a command: after an error Lean may read on inside of it."""
        draw = self._random
        tokens = _TOKENS.findall(self._one("long_commands"))
        at = draw.randrange(len(tokens) + 1)
        opening, end = draw.choice(_WRAPPERS)
        gaps = [draw.choice(("", " ", "\n", "\n", "\n\n")) for _ in range(4)]
        wrapped = f"{opening}{gaps[0]}{self._marked()}{gaps[1]}{end}"
        rest = "".join(tokens[at:]) if self._odds(0.5) else ""
        return "".join(tokens[:at]) + gaps[2] + wrapped + gaps[3] + rest

    def _mutations(self) -> str:
        """Commands as people write them, with something put in, left out or doubled."""
        draw = self._random
        text = "\n".join(self._one("commands") for _ in range(draw.randint(1, 4)))
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(text) + 1)
            before, after = text[:at], text[at:]
            text = draw.choice((before + self._any() + after, before + after[1:], before + after[:5] + after))
        return self._hide(text, self._some(*_EVERYTHING, most=3))

    def _single_marks(self) -> str:
        """Single marks, glued in any way."""
        draw = self._random
        before, after = ("".join(draw.choice(_MARKS) for _ in range(draw.randint(1, 7))) for _ in range(2))
        return self._hide(self._one("openings") + before, after)

    def _unicode(self) -> str:
        """Characters at the edges of what a name may have, before and in what depends on a name's end."""
        draw = self._random
        text = self._one("openings") + draw.choice(("", "x", "T.", "1", "(", " "))
        for _ in range(draw.randint(1, 2)):
            letter = self._one("letters") if self._odds(0.8) else chr(draw.randrange(0x80, 0x3000))
            text += (
                letter
                + draw.choice(("", "", "'", "!", "₁", ".", "x", letter))
                + self._one("ends_of_names")
                + self._blank()
            )
        return self._hide(text)

    def _glued(self) -> str:
        """A marker at the end of a word of which Lean may read the beginning alone."""
        draw = self._random
        before = draw.choice(("theorem t : T := by ", "theorem t : T := by\n  ", self._one("openings")))
        word = "".join(draw.choice(_ENDS_OF_WORDS) for _ in range(draw.randint(0, 4)))
        return f"{before}{draw.choice(_BEGINNINGS_OF_WORDS)}{word}{self._marked()}\n{self._one('closers')}"


SETUP = "theorem id' (x : T) : T := x\n"
"""What an honest file begins with."""


def draw_honest(draw: random.Random, *, reached: bool) -> str:
    """A body of what honest proofs consist of, after `SETUP`; what is `reached` Lean accepts without its library."""

    def one(pool: str) -> str:
        return draw.choice(POOLS[pool])

    kind = "reached" if reached else "honest"
    text = ""
    for number in range(draw.randint(1, 5)):
        text += one("honest_comments")
        if draw.random() < 0.4:
            text += one(f"{kind}_commands")
            continue
        word = "theorem" if reached or draw.random() < 0.8 else "lemma"
        proof = one("reached_terms" if reached or draw.random() < 0.2 else "honest_proofs")
        attributes = one(f"{kind}_attributes")
        text += f"{one('honest_docs')}{attributes}{word} {one('honest_names')}.n{number} : T := {proof}\n"
    return text
