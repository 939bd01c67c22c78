"""Random import headers, and modules of their names: where Lean ends a header, what it imports, what it refuses.

The modules are one compiled module, copied under each name. `Init` is among them, so that a header needs no `prelude`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from oracle.lean435 import compile_module

if TYPE_CHECKING:
    import random
    from pathlib import Path

MODULES = {
    "Init": "Init",
    "A": "A",
    "B": "B",
    "A.B": "A/B",
    "A.B.C'": "A/B/C'",
    "A.«b c»": "A/b c",
    "«a b».C": "a b/C",
    "«import»": "import",
    "«all»": "all",
    "Foo₁": "Foo₁",
    "α.β": "α/β",
    "_x": "_x",
    "importA": "importA",
    "A.all": "A/all",
    "allA": "allA",
    "x!": "x!",
    "«a»b": "a",
}
"""Names as they are written, and their files; the last one is `a` with an identifier after it."""

BODY = '#print "body"\n'

_NAMES = (
    *(name for name in MODULES if name not in ("Init", "«a»b")),
    "«A»",
    "A.«B»",
    "«a b» .C",
    "_root_.A",
    "A.«import»",
)
_BLANKS = (
    (" ",) * 8
    + ("\n",) * 4
    + ("  ", "\n\n", "\r\n", "-- c\n", "/- c -/", " /- /- n -/ -/ ", "--\n", "/-/ c -/", "/---/")
)
_ODD_BLANKS = (
    "", "", "\t", "\r", "\u00a0", "\u2028", "\f", "/-- c -/", "/-! c -/", "--", "/-", "-/", "/-/", "\0", "\ufeff",
    "--\r\n", "- -", "/ -",
)  # fmt: skip
_WORDS = (
    "import", "public", "meta", "all", "module", "prelude", "public import", "import all", "public meta import",
    "meta import",
)  # fmt: skip
_JUNK = (
    ".", "..", ".A", "«", "»", "«»", "«a", "«a\nb»", "A.", "A.«", "(", ")", "x", "1", "#check", "theorem t", "A.{u}",
    "A.(", "?", "'", '"', "`A", "@[simp]", "importall", "Import", "runtime", "in", "λ", "Type", "$",
    "A..B", "«a».", "A.1",
    "section", "«import» A", "\\", "é", "public section", "meta section",
)  # fmt: skip


def write_modules(folder: Path) -> None:
    """Compile one module, and put it under every name."""
    source = folder / "One.lean"
    source.write_text("module\nprelude\n")
    compile_module(source)
    for path in MODULES.values():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".olean", ".olean.server", ".olean.private", ".ir", ".ir.sig"):
            shutil.copy(source.with_suffix(suffix), f"{target}{suffix}")


def draw_header(draw: random.Random) -> str:
    """A header, most often a right one, and the beginning of a body."""

    def blank() -> str:
        return draw.choice(_ODD_BLANKS if draw.random() < 0.04 else _BLANKS)

    module = draw.random() < 0.4
    pieces = [blank()] if draw.random() < 0.3 else []
    if module:
        pieces += ["module", blank()]
    if draw.random() < 0.08:
        pieces += ["prelude", blank()]
    for _ in range(draw.randint(0, 4)):
        if draw.random() < 0.04:
            pieces += [draw.choice(_WORDS), blank()]
        modifiers = ("import", "public import", "meta import", "public meta import", "import all", "meta import all")
        words = draw.choice(modifiers) if module and draw.random() < 0.8 else "import"
        pieces += [piece for word in words.split() for piece in (word, blank())]
        pieces += [draw.choice(_JUNK) if draw.random() < 0.03 else draw.choice(_NAMES), blank()]
    if draw.random() < 0.25:
        pieces += [draw.choice(_JUNK), blank()]
    # A mark of the byte order at the beginning is the file's, not Lean's: it is left out before Lean sees it.
    pieces[:1] = [pieces[0].lstrip("\ufeff")] if pieces else []
    return "".join(pieces) + ("" if pieces[-1:] and pieces[-1].endswith("\n") else "\n") + BODY
