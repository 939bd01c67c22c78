"""The policy's reading of a file held against Lean's: a command that Lean runs must not be hidden from the policy.

A file has markers: commands that the policy always objects to, and that leave a trace in Lean's answer only where Lean
ran them. A marker is *unseen* where the policy has no finding at it or before it, and *hidden* where Lean ran it, too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.audit.policy import TokenizedProof
from streamverify.core.audit.vocabulary import SHIPPED, Trusted
from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.messages.models import Finding

OLD = replace(SHIPPED, trusted=Trusted(old_comments=True))
"""What a worker goes by whose Lean is older than `--/` as the end of a comment."""

PRELUDE = "prelude\ninductive T : Prop where\n| mk : T\n"
"""What a file needs that has no `Init`: a proposition and its proof."""

MODULE_PRELUDE = f"module\n{PRELUDE}"

MARKERS = (
    "axiom {0} : No.{0}",
    "private axiom {0} : No.{0}",
    "#eval No.{0}",
    'attribute [extern "c"] No.{0}',
    "set_option debug.{0} true",
    'notation "{0}" => No.{0}',
    'macro "{0}" : term => No.{0}',
    "unsafe def {0} : No.{0} := T.mk",
)
"""Each with the trace that Lean's message has where it ran it: `No.m1`, `debug.m1`, or the name of a node `termM1`."""

SPELLINGS = (
    "set_option /- a -/ debug.{0} true",
    "set_option\ndebug.{0}\ntrue",
    "set_option «debug».{0} true",
    "set_option debug.«{0}» true",
    "axiom /- a -/ {0} -- a\n : No.{0}",
    "#eval! No.{0}",
    "attribute [No.{0}] T.mk",
    'attribute [local extern "c"] No.{0}',
    'attribute [simp, extern /- a -/ "c"] No.{0}',
    "attribute [«No».{0}] T.mk",
)
"""The same commands as one writes them who wants not to be understood."""

ATTRIBUTE_MARKERS = ('extern "c"] No.{0}', "No.{0}] theorem a : T := T.mk", "No.{0}, simp] theorem a : T := T.mk")
"""Ends of a list of attributes: what the policy must find there begins the text."""

# Between the words of a marker there may be blanks and comments. The first word may be the end of a longer one, of
# which Lean may have read the beginning alone.
_GAP = r"(?:\s|/-[ a-z]*-/|--[ a-z]*\n)+"
_MARKER = re.compile(
    rf"""
    (?:axiom{_GAP}(?P<a>m[0-9]+){_GAP}:{_GAP}No\.(?P=a)
    |\#eval!?{_GAP}No\.(?P<b>m[0-9]+)
    |extern{_GAP}"c"\]{_GAP}No\.(?P<c>m[0-9]+)
    |(?P<g>(?:No|«No»)\.m[0-9]+)(?:,\ simp)?\]{_GAP}(?:theorem\ a\ :\ T\ :=\ )?T\.mk
    |set_option{_GAP}(?:debug|«debug»)\.(?:(?P<d>m[0-9]+)|«(?P<h>m[0-9]+)»){_GAP}true
    |(?:notation|macro){_GAP}"(?P<e>m[0-9]+)"(?:\ :\ term)?\ =>\ No\.(?P=e)
    |unsafe{_GAP}def{_GAP}(?P<f>m[0-9]+)\ :\ No\.(?P=f)\ :=\ T\.mk)(?![\w.'!?])
    """,
    re.VERBOSE,
)
# Lean has quoted with apostrophes, and with backticks since.
_TRACE = re.compile(
    r"[`'](?:No|debug)\.(m[0-9]+)[`']|(?<=nknown attribute )`?(\[No\.m[0-9]+)\]|node kind `term(M[0-9]+)`"
)


class Marker(NamedTuple):
    """A marker in a text: its name, where it begins and where it ends."""

    name: str
    start: int
    end: int


def markers(text: str) -> list[Marker]:
    """The markers that stand whole in a text, whatever is round them."""
    return [
        # That an attribute was looked up is another trace than that of a constant.
        Marker(match[match.lastgroup or 0].replace("«No»", "No").replace("No.", "[no."), match.start(), match.end())
        for match in _MARKER.finditer(text)
    ]


def traces(messages: Iterable[Mapping[str, object]]) -> set[str]:
    """The markers that Lean ran, by its messages."""
    found = set()
    for message in messages:
        if message["severity"] == "error":
            for match in _TRACE.finditer(str(message["data"])):
                found.add(match[match.lastindex or 0].lower())
    return found


def findings(text: str, vocabulary: Vocabulary = SHIPPED) -> list[Finding] | None:
    """What the policy objects to in a file; None where it has no header to begin with.

    The policy refuses `prelude`, which the Lean of these tests cannot do without: blanks stand in its place. That a
    file is a module is no objection of the reading.
    """
    text = text.replace("prelude", " " * len("prelude"), 1)
    try:
        header = parse_header(text)
    except HeaderError:
        return None
    return [each for each in TokenizedProof(text, header).check(vocabulary) if each.rule != "module_file"]


def unseen(text: str, vocabulary: Vocabulary = SHIPPED) -> list[Marker]:
    """The markers with no finding of the policy at them or before them."""
    found = findings(text, vocabulary)
    if found is None:
        return []
    offsets = [_offset(text, each.line, each.column) for each in found]
    first = min(offsets, default=len(text) + 1)
    return [each for each in markers(text) if each.end <= first]


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column


def minimised(text: str, bad: Callable[[str], bool], keep: int = 0) -> str:
    """A small text of which `bad` still holds: pieces are left out, halves first and characters last.

    The first `keep` characters stay as they are.
    """
    size = (len(text) - keep + 1) // 2
    while size:
        start = keep
        while start < len(text):
            shorter = text[:start] + text[start + size :]
            if shorter != text and bad(shorter):
                text = shorter
            else:
                start += size
        size //= 2
    return text
