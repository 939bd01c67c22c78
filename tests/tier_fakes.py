"""The stand-ins of `fakes/tier_tools.py` as executables, and a `TierRunner` that has them."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path

from fakes import tier_tools
from repl_fakes import fake

from streamverify.core.syntax.names import parts
from streamverify.core.tiers.proof import AuditedProof
from streamverify.lean.kernel.acceptances import Acceptances
from streamverify.lean.kernel.step_sandbox import StepSandbox
from streamverify.lean.kernel.tier_runner import TierRunner
from streamverify.lean.kernel.tools import Tool, Tools, digest
from streamverify.lean.repl.command import ProcessLimits

_SCRIPT = Path(__file__).parent / "fakes" / "tier_tools.py"
NAMES = ("lean", "olean-export", "leanchecker", "nanoda_bin")


def install(folder: Path) -> dict[str, str]:
    """Make the executables in a folder. Returns the settings that name them, by the settings' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {_SCRIPT} {name} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return dict(zip(("lean", "exporter", "leanchecker", "kernel"), (str(folder / name) for name in NAMES), strict=True))


def refuse(folder: Path) -> None:
    """Let the independent kernel refuse everything, and Lean's own say nothing."""
    for name in ("leanchecker", "nanoda_bin"):
        (folder / name).write_text("#!/bin/sh\nexit 101\n")


def export(theorem: str) -> str:
    """What the exporter makes of a theorem."""
    return tier_tools.export([theorem])


def tier_runner(
    folder: Path, *, timeout: float = 60.0, memory: int | None = None, store: Path | None = None
) -> TierRunner:
    """A runner with the stand-ins, unconfined."""
    paths = install(folder)
    tools = Tools(
        lean=Tool("lean", (paths["lean"],), "4.99.0"),
        exporter=Tool("olean-export", (paths["exporter"],), "0.4.0"),
        replayer=Tool("leanchecker", (paths["leanchecker"],), "4.99.0", digest([paths["leanchecker"]])),
        kernel=Tool("nanoda", (paths["kernel"],), "0.4.10-beta", digest([paths["kernel"]])),
    )
    repl = replace(fake(), limits=ProcessLimits(memory=memory))
    return TierRunner(tools, StepSandbox(repl), timeout, Acceptances(store))


def proof(theorem: str = "t", *, stated: bool = False) -> AuditedProof:
    """A proof of `True` under this name, which directs the stand-ins."""
    text = f"theorem {theorem} : True := trivial\n"
    return AuditedProof(
        text, text.replace("trivial", "sorry") if stated else "\n", stated=stated, theorems=[parts(theorem)]
    )
