"""`python -m oracle.search [--files N] [--seed S]`: look for commands that Lean runs and the policy does not see.

Lean is asked about each drawn file with an unseen marker (reading.py); the others hide nothing, whatever Lean says.
Lean is that of lean435.py, or with `--repl` the one that STREAMVERIFY_TEST_REPL names.
Prints each kind of hidden command once, in its shortest form, and ends with 1 where there is one.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from oracle.generators import Files
from oracle.lean435 import Leans
from oracle.reading import MODULE_PRELUDE, OLD, PRELUDE, Marker, markers, minimised, traces, unseen
from oracle.repl import Repl

from streamverify.core.audit.vocabulary import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oracle.lean435 import Run

    from streamverify.core.audit.vocabulary import Vocabulary

_BATCH = 200
WORDS = ("--json", "-DmaxErrors=100000")
_FIRST_WORD = re.compile(r"#?[\w«».]+")


class Lean(Protocol):
    """What runs files."""

    def run_all(self, texts: Sequence[str], *words: str) -> list[Run]:
        """What came of each text, in the same order."""


@dataclass(slots=True)
class Tally:
    """Files drawn, those of which Lean was asked, and those that hid a command; minimised ones by kind."""

    drawn: int = 0
    asked: int = 0
    hidden: int = 0
    families: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)


def search(  # noqa: PLR0913 -- what a search can be told
    lean: Lean,
    seed: int,
    files: int,
    *,
    vocabulary: Vocabulary = SHIPPED,
    most_kinds: int = 20,
    family: str | None = None,
) -> Tally:
    """Draw files, of one family or of each in turn, until Lean was asked about `files` of them."""
    source = Files(random.Random(seed))
    tally = Tally()
    while tally.asked < files:
        batch: list[tuple[str, str]] = []
        while len(batch) < min(_BATCH, files - tally.asked):
            chosen = family or source.families[tally.drawn % len(source.families)]
            text = source.draw(chosen)
            tally.drawn += 1
            if unseen(text, vocabulary):
                batch.append((chosen, text))
        tally.asked += len(batch)
        for (chosen, text), run in zip(batch, lean.run_all([text for _, text in batch], *WORDS), strict=True):
            if run.status not in (0, 1):
                tally.crashed.append(text)
            elif hidden(lean, text, run, vocabulary):
                tally.hidden += 1
                tally.families[chosen] += 1
                if len(tally.kinds) < most_kinds:
                    small = minimised(text, lambda each: _still(lean, each, vocabulary), _kept(text))
                    tally.kinds.setdefault(kind(small), small)
    return tally


def hidden(lean: Lean, text: str, run: Run, vocabulary: Vocabulary = SHIPPED) -> bool:
    """Whether Lean ran a marker that the policy did not see."""
    ran = traces(run.messages)
    return any(each.name in ran and _by_its_word(lean, text, each) for each in unseen(text, vocabulary))


def _by_its_word(lean: Lean, text: str, marker: Marker) -> bool:
    """Whether a marker leaves no trace without its first word.

    The word may stand in a line comment before the others, or be part of a longer one that stands before them.
    """
    word = _FIRST_WORD.match(text, marker.start)
    assert word is not None
    others = [f"{text[: marker.start]}{other}{text[word.end() :]}" for other in (",", "zzz")]
    return all(marker.name not in traces(run.messages) for run in lean.run_all(others, *WORDS))


def _still(lean: Lean, text: str, vocabulary: Vocabulary) -> bool:
    if not unseen(text, vocabulary):
        return False
    [run] = lean.run_all([text], *WORDS)
    return hidden(lean, text, run, vocabulary)


def _kept(text: str) -> int:
    return len(MODULE_PRELUDE if text.startswith("module") else PRELUDE)


def kind(text: str) -> str:
    """What two minimised files have in common that hide in the same way: all but names, blanks and markers."""
    body = text[_kept(text) :]
    for marker in reversed(markers(body)):
        body = f"{body[: marker.start]}MARKER{body[marker.end :]}"
    return re.sub(r"[ \n]+", " ", body).strip()


def main() -> int:
    """Parse the arguments, and search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one, which is printed")
    parser.add_argument("--family", help="draw files of this family alone (generators.py)")
    parser.add_argument("--repl", action="store_true", help="ask the Lean that STREAMVERIFY_TEST_REPL names")
    args = parser.parse_args()
    seed = secrets.randbelow(1 << 32) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    begun = time.monotonic()
    if args.repl:
        with Repl() as repl:
            tally = search(repl, seed, args.files, family=args.family, vocabulary=OLD)
    else:
        with tempfile.TemporaryDirectory() as folder, Leans(Path(folder), count=os.cpu_count() or 1) as leans:
            tally = search(leans, seed, args.files, family=args.family)
    for text in tally.kinds.values():
        print(f"--- hidden from the policy\n{text}")
    for text in tally.crashed[:5]:
        print(f"--- Lean crashed\n{text}")
    print(
        f"--- {tally.drawn} files drawn, Lean asked about {tally.asked}, a command hidden in {tally.hidden} "
        f"({dict(tally.families)}), Lean crashed on {len(tally.crashed)}; {time.monotonic() - begun:.0f} s"
    )
    return 1 if tally.hidden else 0


if __name__ == "__main__":
    sys.exit(main())
