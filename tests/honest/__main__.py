"""`make honest CORPUS=FOLDER`: what the policy objects to in the `.lean` files of a folder, by rule, with examples."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.audit.policy import check
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 3
"""Shown of each rule, of different files."""


def report(folder: Path) -> Iterator[str]:
    """The lines of the report on all `.lean` files below a folder."""
    files = sorted(folder.rglob("*.lean"))
    counts: Counter[str] = Counter()
    examples: defaultdict[str, list[str]] = defaultdict(list)
    objected = 0
    for file in files:
        text = file.read_bytes().decode("utf-8", errors="replace")
        try:
            found = [(each.rule, each.line, each.excerpt) for each in check(text, parse_header(text), SHIPPED)]
        except HeaderError as error:
            found = [("header_error", error.line, str(error))]
        objected += bool(found)
        first = {rule: (line, excerpt) for rule, line, excerpt in reversed(found)}
        for rule, (line, excerpt) in first.items():
            counts[rule] += 1
            examples[rule].append(f"{file.relative_to(folder)}:{line}: {excerpt}")
    yield f"{folder}: {len(files)} files, {objected} with findings"
    for rule, count in counts.most_common():
        yield f"{count:6} {rule}"
        yield from (f"         {each}" for each in examples[rule][:EXAMPLES])


def main(arguments: list[str]) -> int:
    """Print the report; 2 where there is no such folder, or nothing in it."""
    if len(arguments) != 1 or not any(Path(arguments[0]).rglob("*.lean")):
        sys.stderr.write("usage: make honest CORPUS=FOLDER, a folder with .lean files\n")
        return 2
    for line in report(Path(arguments[0])):
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
