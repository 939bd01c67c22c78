"""The command lines of the steps, and what the shell's part of a compilation sends back. Pure but for paths."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from streamverify.core.export import STANDARD_AXIOMS, exporter_name
from streamverify.core.syntax.names import spelled
from streamverify.core.tiers.ends import last_line, one_line
from streamverify.lean.repl import exec_wrapper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MODULE = "StreamverifyProof"
"""The one module name under which proof and statement are compiled: the names of private constants contain it."""

OLEAN_FILES = ("olean", "olean.server", "olean.private")
"""Suffixes of what Lean makes of a module; the last two where its file begins with `module`."""

PERMITTED_AXIOMS = tuple(".".join(parts) for parts in STANDARD_AXIOMS)

_COMPILE = f"""
folder=$1 module=$2 lean=$3 python=$4 wrapper=$5
out=$(mktemp -d) || exit 125
if [ -n "$wrapper" ]; then set -- "$python" -I -S "$wrapper" $$ '' '' "$lean"; else set -- "$lean"; fi
"$@" -R "$folder" -o "$out/$module.olean" "$folder/$module.lean" >&2 </dev/null || exit
for suffix in {" ".join(OLEAN_FILES)}; do
    if [ -f "$out/$module.$suffix" ]; then
        printf '%s %s\\n' "$suffix" "$(wc -c <"$out/$module.$suffix" | tr -d ' ')" && cat "$out/$module.$suffix" ||
            exit 125
    fi
done
"""
"""Compiles into a private folder and sends the files back over stdout, so that nothing outside can be written.

What comes back was made by a process that ran the proof, and is believed as little as that process is.
"""

_HEAD = re.compile(rf"({'|'.join(map(re.escape, OLEAN_FILES))}) ([0-9]{{1,12}})\n".encode())
_UNKNOWN = re.compile(r"error: unknown constant (\S+)\s*$|Constant (\S+) not found in environment", re.MULTILINE)


def compile_command(lean: str, folder: Path, *, confined: bool) -> list[str]:
    """Return the command that compiles MODULE in `folder`; `unpack` reads what it writes.

    `confined`: the sandbox ends what is in it with the worker. Without one the shell would die alone of the worker's
    death, and leave Lean behind: so Lean is told to die with the shell.
    """
    guard = [] if confined else [sys.executable, exec_wrapper.__file__]
    return ["/bin/sh", "-c", _COMPILE, "sh", str(folder), MODULE, lean, *guard]


def unpack(sent: bytes | bytearray) -> Mapping[str, memoryview]:
    """Return the compiled files by their suffix; they are parts of what was sent, which is not copied.

    Raises:
        ValueError: These are no such files.
    """
    files: dict[str, memoryview] = {}
    whole = memoryview(sent)
    at = 0
    while at < len(sent):
        head = _HEAD.match(sent, at)
        if head is None:
            raise ValueError("what the compilation sent back cannot be read")
        suffix, size = head.group(1).decode(), int(head.group(2))
        body = whole[head.end() : head.end() + size]
        if len(body) != size or suffix in files:
            raise ValueError("what the compilation sent back is not whole")
        files[suffix] = body
        at = head.end() + size
    if "olean" not in files:
        raise ValueError("the compilation made no .olean file")
    return files


def askable(kind: str, name: tuple[str, ...]) -> str | None:
    """Return how the exporter is asked for a constant; None where it cannot be."""
    return exporter_name(name) if kind == "olean-export" else spelled(name)


def export_command(kind: str, exporter: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the command that writes the export of these constants of MODULE, with all that they reach, to stdout."""
    if kind == "olean-export":
        # One thread: the cores are the pool's. The name is part of its word, so that none is read as an option.
        return [*exporter, MODULE, "--quiet", "--jobs=1", *(f"--const={name}" for name in names)]
    return [*exporter, MODULE, "--", *names]


def unknown_constant(said: str) -> str | None:
    """Return the constant that an exporter says it does not know, from its words on stderr."""
    found = _UNKNOWN.search(said)
    return (found.group(1) or found.group(2)) if found else None


def first_error(said: str, folder: str) -> str:
    """Return the first error that Lean tells of on stderr, without the folder of the file; else its last words."""
    told = (line for line in said.splitlines() if line.startswith(folder) and ": error" in line)
    return one_line(next(told, last_line(said)).removeprefix(folder))


def nanoda_config(export: Path) -> bytes:
    """Return the configuration with which nanoda judges this export."""
    return json.dumps(
        {
            "export_file_path": str(export),
            "use_stdin": False,
            "permitted_axioms": PERMITTED_AXIOMS,
            "unpermitted_axiom_hard_error": True,
            "nat_extension": True,
            "string_extension": True,
            "pp_to_stdout": False,
            "print_success_message": True,
            "num_threads": 1,
        }
    ).encode()
