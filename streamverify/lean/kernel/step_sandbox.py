"""Puts the command of a step into a sandbox of its own: the same confinement as a REPL's, with what this step reads."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.errors import ReplUnavailable
from streamverify.lean.repl.sandbox import inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.lean.repl.command import ReplCommand


@dataclass(frozen=True, slots=True)
class StepSandbox:
    """The sandbox of the steps: they are confined as the pool's REPLs are, within their limits, with less of the cores.

    `repl` is the pool's command, whose sandbox, environment and limits a step has as well. `read` are folders that
    every step may read, `hide` files that none may.
    """

    repl: ReplCommand
    read: Sequence[Path] = ()
    hide: Sequence[Path] = ()

    @property
    def plain(self) -> ReplCommand:
        """The pool's command as it would be outside of its sandbox."""
        return self.repl.outside or self.repl

    @property
    def is_confined(self) -> bool:
        """Tell whether there is a sandbox."""
        return self.repl.sandbox == "bwrap"

    def command(
        self, argv: Sequence[str], *, lean_path: Sequence[Path] = (), read: Sequence[Path] = (), folder: Path
    ) -> ReplCommand:
        """Return the command of a step.

        Args:
            argv: What it runs; the first word is a path.
            lean_path: Folders of compiled modules, which are looked at before the project's.
            read: Files and folders that this step reads.
            folder: For its temporary files where there is no sandbox, which has a /tmp of its own.

        Raises:
            ReplUnavailable: The sandbox that the pool has is gone.
        """
        plain = self.plain
        ours = dict(os.environ if plain.env is None else plain.env)
        project = [Path(plain.cwd or "", part) for part in ours.get("LEAN_PATH", "").split(os.pathsep) if part]
        searched = [*lean_path, *project]
        environment = {**ours, "TMPDIR": str(folder)}
        if searched:
            environment["LEAN_PATH"] = os.pathsep.join(map(str, searched))
        # A REPL that names no memory of its own is limited by nothing but its container; neither is a step then.
        step = replace(
            plain, argv=tuple(argv), env=environment, cwd=None, kind="lean", wrapped=True, limits=self.repl.limits
        )
        if self.is_confined:
            bwrap, setpriv = shutil.which("bwrap"), shutil.which("setpriv") if os.geteuid() == 0 else None
            if bwrap is None:
                raise ReplUnavailable("bubblewrap is gone: a step is not run without the sandbox that the pool has")
            sysroot = [Path(root)] if (root := ours.get("LEAN_SYSROOT")) else []
            project_folder = [plain.cwd] if plain.cwd else []
            step = inside(step, bwrap, setpriv, [*self.read, *sysroot, *project_folder, *project, *read], self.hide)
        else:
            # Not where the worker was started: a program may look for files there.
            step = replace(step, cwd=folder)
        # The pool comes first: its proofs have time-outs, which they miss on a machine that steps keep busy.
        nice = shutil.which("nice")
        return replace(step, argv=(*((nice, "-n", "10") if nice else ()), *step.argv))
