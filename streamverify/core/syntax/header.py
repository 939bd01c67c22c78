"""The import header of a Lean file: where it ends, what it imports, and how body and header are sent apart.

A proof is checked in two commands: the canonical header, which gives an environment that many proofs share, and
then the body. What is header and what is body is decided as Lean decides it (`Lean.Parser.Module.header`), token
by token: a header that swallowed a theorem would call a file valid of which nothing was checked.

Knows nothing of which modules exist, nor of what a REPL does with the parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.lexer import (
    IDENTIFIER,
    KEYWORDS,
    LexError,
    first_offset,
    position,
    skip_blank,
)
from streamverify.core.syntax.names import printed

# No module name unless quoted: words of core's grammar, and one that is reserved in headers only.
_RESERVED = KEYWORDS | {"all"}
_QUOTED_WORDS = frozenset(f"«{word}»" for word in _RESERVED)


@dataclass(frozen=True, slots=True)
class Import:
    """One import.

    `module` is the name as Lean prints it, with «…» only where needed. `line` (from 1) and `column` (code points,
    from 0) are those of its first word in the file as sent.
    """

    module: str
    public: bool
    meta: bool
    all: bool
    line: int
    column: int

    def __str__(self) -> str:
        words = (
            "public" if self.public else "",
            "meta" if self.meta else "",
            "import",
            "all" if self.all else "",
            self.module,
        )
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one file.

    `last` indexes the file's text behind the header's last word. `end` is where the first token of the body stands, or
    the end of the text. Between them are white space and comments, which are sent with the body. `canonical` is what
    is sent to Lean in the header's place: `module` where it was there, then the imports in order, one a line, without
    repeats; "" where there is neither. `fingerprint` identifies it: the first 16 bytes of the SHA-256 of its UTF-8, in
    hexadecimal.
    """

    imports: tuple[Import, ...]
    is_module: bool
    last: int
    end: int
    canonical: str
    fingerprint: str


def parse_header(proof: str) -> Header:
    """Find the header of a Lean file; the body is not looked at.

    A byte-order mark before it is skipped: Lean would refuse the file, but it belongs to the encoding of a file
    whose text Lean accepts. It counts as a column, as everything in the file as sent does.

    Raises:
        HeaderError: For a syntax error before the end of the header, and for `prelude`, whose file would bring
            its own logic.
    """
    return _Parser(proof).parse()


def body_of(proof: str, header: Header) -> str:
    """Return the body as it is sent to Lean, so that every position in its answer is that of the file as sent.

    The header, up to its last word, is replaced by its line ends and by spaces. What follows is sent as it stands,
    comments before the first token too: they are the place for a directive to a stand-in, and for a reader of the log.
    A file without a body gives "": for white space alone some versions of Lean report an unexpected end of input.
    """
    if header.end == len(proof):
        return ""
    line, column = position(proof, header.last)
    return "\n" * (line - 1) + " " * column + proof[header.last :]


class _Parser:
    """One pass over the header of `text`; `offset` is where the next token starts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = self.last = first_offset(text)
        self.is_module = False
        self.imports: list[Import] = []
        # Lines are counted on from the import before.
        self.line = 1
        self.line_start = 0
        self.seen = 0

    def parse(self) -> Header:
        try:
            self.offset = skip_blank(self.text, self.offset)
            self._opening()
            while self._import():
                pass
        except LexError as error:
            raise self._error(error.message, error.offset) from None
        return self._header()

    def _opening(self) -> None:
        """Read `module` and `prelude`, which stand in this order before all imports."""
        word, end = self._word(self.offset)
        if word == "module":
            self.is_module, self.last = True, end
            self.offset = skip_blank(self.text, end)
            word, end = self._word(self.offset)
        if word == "prelude":
            raise self._error("a file that begins with `prelude` cannot be verified", self.offset)

    def _import(self) -> bool:
        """Read one import; return whether there is one."""
        start = self.offset
        modifiers, end = self._modifiers()
        if end < 0:
            return False
        line, column = self._position(start)
        offset = skip_blank(self.text, end)
        word, end = self._word(offset)
        is_all = word == "all"
        if is_all:
            if not self.is_module:
                raise self._error("cannot use `import all` without `module`", offset)
            if "public" in modifiers:
                raise self._error("cannot use `all` with `public import`", offset)
            offset = skip_blank(self.text, end)
            word, end = self._word(offset)
        self._check_name(word, offset, end)
        # A quoted keyword as the whole name stays quoted: Lean would not read it back otherwise.
        module = word if word in _QUOTED_WORDS else printed(word)
        self.imports.append(Import(module, "public" in modifiers, "meta" in modifiers, is_all, line, column))
        self.last, self.offset = end, skip_blank(self.text, end)
        return True

    def _modifiers(self) -> tuple[tuple[str, ...], int]:
        """Return the words before `import`, and the offset after it: -1 where what stands here is no import.

        `public` and `meta` begin commands of the body too: without an `import` after them they, and whatever
        is wrong behind them, are the body's.
        """
        word, end = self._word(self.offset)
        if word == "import":
            return (), end
        if word not in {"public", "meta"}:
            return (), -1
        words = [word]
        try:
            word, end = self._word(skip_blank(self.text, end))
            if words == ["public"] and word == "meta":
                words.append(word)
                word, end = self._word(skip_blank(self.text, end))
        except LexError:
            return (), -1
        if word != "import":
            return (), -1
        if not self.is_module:
            raise self._error(f"cannot use `{words[0]} import` without `module`", self.offset)
        return tuple(words), end

    def _check_name(self, word: str, offset: int, end: int) -> None:
        """Refuse what is no name of a module where one must stand."""
        text = self.text
        if not word or word in _RESERVED:
            if text.startswith("«", offset):
                raise self._error("unterminated identifier escape", offset)
            what = "unexpected token" if offset < len(text) else "unexpected end of input"
            raise self._error(f"{what}; expected identifier", offset)
        if text.startswith(".«", end):
            raise self._error("unterminated identifier escape", end + 1)
        # `..`, `.(` and `.{` are tokens of their own, and begin the body.
        if text.startswith(".", end) and not text.startswith((".", "(", "{"), end + 1):
            raise self._error("unexpected `.` after the name of a module; expected identifier", end)

    def _word(self, offset: int) -> tuple[str, int]:
        """Return the identifier or keyword at an offset, and the offset after it; "" where there is none."""
        match = IDENTIFIER.match(self.text, offset)
        return (match.group(), match.end()) if match else ("", offset)

    def _position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset behind the last one, in time that is linear over the whole header."""
        newlines = self.text.count("\n", self.seen, offset)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rfind("\n", self.seen, offset) + 1
        self.seen = offset
        return self.line, offset - self.line_start

    def _error(self, message: str, offset: int) -> HeaderError:
        line, column = position(self.text, offset)
        return HeaderError(message, line=line, column=column)

    def _header(self) -> Header:
        lines = dict.fromkeys(map(str, self.imports))
        if self.is_module:
            lines = {"module": None, **lines}
        canonical = "".join(f"{line}\n" for line in lines)
        # Half a surrogate pair is no Lean, but it must not end a worker.
        digest = hashlib.sha256(canonical.encode(errors="surrogatepass"))
        return Header(tuple(self.imports), self.is_module, self.last, self.offset, canonical, digest.hexdigest()[:32])
