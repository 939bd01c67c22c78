"""The command of a REPL, and its limits. Pure; `launch` finds it, `sandbox` confines it, `process` starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamverify.core.messages.models import VerifierKind

Confinement = Literal["bwrap", "none"]


class ProcessLimits(NamedTuple):
    """The limits of one REPL; the kernel holds it to most of them, `session` to the rest."""

    memory: int | None = None
    """Bytes of private memory of all its processes together, mapped libraries not counted: see `memory_watch`."""
    cores: float | None = None
    """CPU seconds for each second that a command may take."""
    file_size: int = 256 * 1024**2
    """Bytes of one file (RLIMIT_FSIZE); in the sandbox also of all files in /tmp."""
    processes: int = 256
    """Processes and threads together; in the sandbox only, outside it there is no counting those of one REPL."""

    def as_text(self) -> str:
        """The limits that the kernel holds any process to, as `exec_wrapper` takes them."""
        return f"core=0,fsize={self.file_size}"


USUAL_LIMITS = ProcessLimits()
"""The limits that hold for every REPL."""


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
    limits: ProcessLimits = USUAL_LIMITS
    sandbox: Confinement = "none"
    seccomp: bytes = b""
    """The filter that the sandbox loads; empty: none."""
    outside: ReplCommand | None = None
    """The same command without the sandbox, where this one is confined; else None."""
