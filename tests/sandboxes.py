"""What tests of the sandbox share: a hostile REPL, confined as for a worker that is root and for one that is not."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT

from streamverify.lean.repl.command import ProcessLimits, ReplCommand
from streamverify.lean.repl.protocol import decode_answer, encode_command, read_response
from streamverify.lean.repl.sandbox import confine, inside
from streamverify.lean.repl.session import ReplSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

HOSTILE = (ROOT / "tests" / "fakes" / "hostile.py").read_text("utf-8")
MIB = 1024**2
LIMITS = ProcessLimits(memory=512 * MIB, cores=1.0, file_size=16 * MIB, processes=40)
ORDINARY = 12_345
"""The user id of a worker that is not root, where the tests are."""


def is_root() -> bool:
    return os.geteuid() == 0


@cache
def why_not() -> str | None:
    """Why nothing can be confined here; None: it can."""
    return None if shutil.which("bwrap") else "bubblewrap is not installed (apt-get install bubblewrap)"


def need_bwrap() -> None:
    """Skip where there is no bubblewrap; in CI, where `.ci/run` has installed it, fail."""
    if (why := why_not()) is not None:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


def python_for(user: int) -> str:
    """A Python that this user can start: ours may lie in root's home."""
    system = Path("/usr/bin/python3")
    return str(system) if user and is_root() and system.exists() else sys.executable


def hostile(*, user: int = 0, limits: ProcessLimits = LIMITS) -> ReplCommand:
    """The hostile REPL, not confined."""
    argv = (python_for(user), "-S", "-E", "-c", HOSTILE)
    return ReplCommand(argv, dict(os.environ), None, "lean", wrapped=False, limits=limits)


async def confined(command: ReplCommand, *, user: int = 0, read: Sequence[Path] = ()) -> ReplCommand:
    """The command in the sandbox, for a worker that is the tests' own user, or `user` where the tests are root's."""
    need_bwrap()
    read = [*read, Path(sys.base_prefix)]
    if not (user and is_root()):
        return await confine(command, mode="bwrap", read=read)
    bwrap = shutil.which("bwrap")
    assert bwrap
    box = inside(command, bwrap, None, read if Path(command.argv[0]) == Path(sys.executable) else ())
    become = ("/usr/bin/setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--")
    return replace(box, argv=(*become, *box.argv))


class Attacker:
    """A running hostile REPL."""

    def __init__(self, session: ReplSession) -> None:
        self.session = session

    async def attack(self, words: str, timeout: float = 30.0) -> Any:
        """What the attack came to."""
        answer = decode_answer(await self.session.ask(encode_command(f"-- attack: {words}"), timeout))
        return json.loads(read_response(answer, 0.0).messages[0]["data"])


@asynccontextmanager
async def attacker(command: ReplCommand) -> AsyncIterator[Attacker]:
    session = ReplSession(command, max_answer_bytes=MIB)
    try:
        yield Attacker(session)
    finally:
        await session.close()
