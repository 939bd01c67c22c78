"""Exports made by a real Lean and a real exporter, from the files of `tests/data/exports`.

Each `NAME.lean` there has two files in it, a statement and a proof, which both import `Head.lean`. They are compiled
by Lean 4.35 under one module name in two folders, and exported by `olean-export`. What comes of that is kept beside
them, as `NAME.statement.ndjson` and `NAME.proof.ndjson`: run as a program, this file makes it anew.

    PATH=$PATH:FOLDER_OF_OLEAN_EXPORT python tests/oracle/exporting.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle.lean435 import Leans, NoLean

from streamverify.core.export import exporter_name, needed
from streamverify.core.syntax.names import parts

CASES = Path(__file__).resolve().parent.parent / "data" / "exports"
MODULE = "Proof"
_SECTION = re.compile(r"^--- (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One file of the folder: what the reading must say of `theorem`, and what it is made of."""

    name: str
    theorem: tuple[str, ...]
    says: str
    statement: str
    proof: str
    head: str
    """What the header is for the proof, where somebody has changed it."""

    def kept(self, which: str) -> Path:
        """The file in which an export is kept."""
        return CASES / f"{self.name}.{which}.ndjson"


def cases() -> list[Case]:
    """Every case, in the order of their names."""
    head = (CASES / "Head.lean").read_text()
    found = []
    for file in sorted(CASES.glob("[a-z]*.lean")):
        first, *sections = _SECTION.split(file.read_text())
        theorem, says = first.removeprefix("-- ").strip().split(": ")
        by_name = dict(zip(sections[::2], sections[1::2], strict=True))
        changed = head
        for change in re.split(r"\n(?=.*==>)", by_name.get("head", "").strip("\n")):
            old, _, new = change.partition(" ==>")
            assert not change or changed.count(f"\n{old}\n") == 1, f"{file.name}: {old}"
            changed = changed.replace(f"\n{old}\n", f"\n{new.removeprefix(' ')}\n") if change else changed
        found.append(Case(file.stem, parts(theorem), says, by_name["statement"], by_name["proof"], changed))
    return found


def exporter() -> str:
    """The program.

    Raises:
        NoLean: It is not installed.
    """
    found = shutil.which("olean-export")
    if found is None:
        raise NoLean("olean-export is not installed: make test-exports installs it")
    return found


class Exporting:
    """Compiles and exports in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exporter = exporter()
        self._heads: dict[str, Path] = {}
        self._leans = Leans(folder, path=folder)

    def close(self) -> None:
        """End Lean."""
        self._leans.close()

    def export(self, case: Case) -> tuple[bytes, bytes]:
        """The exports of a case: of the statement and of the proof.

        Of the statement it has what kernels know by name, too, as far as the proof has it.
        """
        theorem = exporter_name(case.theorem)
        # No text names a name with a dot in a part. What the exporter takes it for is in these files, too.
        named = theorem or ".".join(case.theorem)
        proof = self._module(case, case.proof, case.head, (named,))
        statement = self._module(case, case.statement, (CASES / "Head.lean").read_text(), (named, *needed([proof])))
        return statement, proof

    def _module(self, case: Case, text: str, head: str, names: tuple[str, ...]) -> bytes:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        if head not in self._heads:
            self._heads[head] = Path(tempfile.mkdtemp(dir=self._folder))
            self._compile(case, head, self._heads[head] / "Head.olean")
        # Lean looks for the header in the folder that all files share.
        shutil.copy(self._heads[head] / "Head.olean", self._folder)
        self._compile(case, f"prelude\nimport Head\nset_option genCtorIdx false\n{text}", folder / f"{MODULE}.olean")
        wanted = [word for name in names for word in ("-c", name)]
        while True:
            done = subprocess.run(
                (self._exporter, "--quiet", "-L", str(folder), "-L", str(self._heads[head]), MODULE, *wanted),
                capture_output=True,
                check=False,
                env={**os.environ, "LEAN_PATH": ""},
            )
            unknown = re.search(r"unknown constant (\S+)", done.stderr.decode())
            if unknown is None or (at := wanted.index(unknown[1])) == 1:
                break
            del wanted[at - 1 : at + 1]
        assert done.returncode == 0, f"{case.name}: {done.stderr.decode()}"
        return done.stdout

    def _compile(self, case: Case, text: str, to: Path) -> None:
        run = self._leans.run(text, "--root", str(self._folder), "-o", str(to))
        assert run.status == 0, f"{case.name}: {run.stdout}{run.stderr}"


def main() -> None:
    """Write the exports of every case."""
    with tempfile.TemporaryDirectory() as folder:
        making = Exporting(Path(folder))
        for case in cases():
            print(case.name, flush=True)
            for which, export in zip(("statement", "proof"), making.export(case), strict=True):
                case.kept(which).write_bytes(export)
        making.close()


if __name__ == "__main__":
    main()
