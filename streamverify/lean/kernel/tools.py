"""Finds the programs of the tiers above `audited`: the compiler, the exporter, Lean's kernel and an independent one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.messages.versions import is_older
from streamverify.core.tiers.ends import last_line
from streamverify.lean.kernel.step_process import run_step
from streamverify.lean.repl.launch import install_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.lean.kernel.step_sandbox import StepSandbox
    from streamverify.settings import Settings

EXPORTERS = ("olean-export", "leanexport", "lean4export")
"""In the order in which they are taken: the first reads compiled files as data, the others map them as Lean does."""

FROM_EXPORT_SINCE = "4.35.0"
"""The first Lean whose `leanchecker` judges an export."""

_VERSION_TIMEOUT = 60.0
_MAX_WORDS = 1 << 16
_LEAN_VERSION = re.compile(r"version ([^,) ]+)")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: how it is started, what it calls itself, and the digest of its files."""

    name: str
    argv: tuple[str, ...]
    version: str | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs that were found here; a tier that is out of reach has the reason beside it."""

    lean: Tool | None = None
    exporter: Tool | None = None
    replayer: Tool | None = None
    kernel: Tool | None = None
    lacks: str = ""
    """The reason why `replayed` is out of reach; "" where it is not."""
    kernel_lacks: str = ""
    """The reason why `cross_checked` is out of reach although `replayed` is not."""


async def find_tools(settings: Settings, sandbox: StepSandbox, lean_version: str | None, folder: Path) -> Tools:
    """Find the programs, and ask each for its version.

    Args:
        settings: They name the programs, or say `auto`.
        sandbox: The sandbox in which they are run.
        lean_version: Of the REPL's Lean: what compiles must be the same.
        folder: For temporary files.
    """
    environment = sandbox.plain.env if sandbox.plain.env is not None else os.environ
    lean = find_program(settings.lean, ("lean",), environment)
    if lean is None:
        return Tools(lacks=_missing("LEAN", settings.lean, "`lean` is not where the REPL's Lean is, nor on the PATH"))
    said = await _say(sandbox, [*lean, "--version"], folder)
    version = found.group(1) if (found := _LEAN_VERSION.search(said)) else None
    if version != lean_version:
        return Tools(lacks=f"{lean[0]} is Lean {version or f'(it says {said[:60]!r})'}, the REPL's is {lean_version}")
    exporter = find_program(settings.exporter, EXPORTERS, environment)
    if exporter is None:
        why = f"none of {', '.join(EXPORTERS)} is installed (cargo install olean-export; Lean 4.35 has leanexport)"
        return Tools(lacks=_missing("EXPORTER", settings.exporter, why))
    kind = next((each for each in EXPORTERS if each in Path(exporter[0]).name), EXPORTERS[-1])
    said = (await _say(sandbox, [*exporter, "--version"], folder)) if kind == EXPORTERS[0] else f"{kind} {version}"
    checker = find_program(settings.leanchecker, ("leanchecker",), environment)
    if checker is None:
        why = "`leanchecker` is not where the REPL's Lean is (Lean 4.28 and newer bring it), nor on the PATH"
        return Tools(lacks=_missing("LEANCHECKER", settings.leanchecker, why))
    replayer = "leanchecker.olean" if is_older(version, FROM_EXPORT_SINCE) else "leanchecker"
    kernel = find_program(settings.kernel, ("nanoda_bin",), environment)
    tools = Tools(
        Tool("lean", tuple(lean), version, await asyncio.to_thread(digest, lean)),
        Tool(
            kind, tuple(exporter), said.split()[-1] if said.split() else None, await asyncio.to_thread(digest, exporter)
        ),
        Tool(replayer, tuple(checker), version, await asyncio.to_thread(digest, checker)),
    )
    if kernel is None:
        why = "no independent kernel is installed (nanoda_bin)"
        return replace(tools, kernel_lacks=_missing("KERNEL", settings.kernel, why))
    name = re.sub(r"[^a-z0-9_.]", "_", Path(kernel[0]).name.lower().removesuffix("_bin"))[:64]
    said = await _say(sandbox, [*kernel, "--help"], folder) if name == "nanoda" else ""
    first = said.splitlines()[0].split() if said.strip() else []
    kernel_name = name if name[:1].isalpha() else f"kernel_{name}"[:64]
    version = first[-1] if first else None
    return replace(tools, kernel=Tool(kernel_name, tuple(kernel), version, await asyncio.to_thread(digest, kernel)))


def find_program(setting: str, names: Sequence[str], environment: Mapping[str, str]) -> list[str] | None:
    """Return the command line that a setting names, with the path of its executable; None where it is not there."""
    if setting == "none":
        return None
    try:
        words = [] if setting == "auto" else shlex.split(setting)
    except ValueError:
        # Quotes that are not closed: it names nothing.
        return None
    # Lean's own first: `lake env` names its folder. Then what setup_lean.sh installs, then the PATH.
    roots = [environment["LEAN_SYSROOT"]] if environment.get("LEAN_SYSROOT") else []
    folders = [*(Path(root, "bin") for root in roots), install_record().parent / "tiers" / "bin"]
    path = os.pathsep.join([*map(str, folders), environment.get("PATH", os.defpath)])
    for name in words[:1] or names:
        if found := shutil.which(name, path=path):
            return [str(Path(found).absolute()), *words[1:]]
    return None


def _missing(name: str, setting: str, otherwise: str) -> str:
    if setting == "none":
        return f"{name} is none"
    return otherwise if setting == "auto" else f"{name}: {setting} is not there, or cannot be executed"


async def _say(sandbox: StepSandbox, argv: Sequence[str], folder: Path) -> str:
    """Return what a program says on stdout; its last words where it fails."""
    end = await run_step(sandbox.command(argv, folder=folder), timeout=_VERSION_TIMEOUT, max_output=_MAX_WORDS)
    return end.out.strip() if end.is_success else last_line(end.err)


def digest(argv: Sequence[str]) -> str:
    """Return the digest of the files of a command line: the executable, and a script or library among its arguments.

    An acceptance that is remembered is only of the very program that gave it. Blocking: for a thread.
    """
    found = hashlib.sha256()
    for word in argv:
        if Path(word).is_file():
            with Path(word).open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()
