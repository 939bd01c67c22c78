"""What is started as a REPL. Pure; `launch` finds it, `process` starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamverify.core.models import VerifierKind


@dataclass(frozen=True, slots=True)
class ReplCommand:
    """An executable that speaks the command-mode protocol, and what it needs around it.

    `env` is its whole environment (None: this process's own). `cwd` is the Lean project where there is one.
    `wrapped` says that the executable may be a wrapper round the REPL, so that its exit status may be a signal's.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None
    cwd: Path | None
    kind: VerifierKind
    wrapped: bool
    repl_version: str | None = None
    mathlib_version: str | None = None
