"""The exec wrapper sets limits, a filter and a user id, and the REPL dies when its parent does."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from streamverify.lean.repl import exec_wrapper
from streamverify.lean.repl.command import ProcessLimits


def started(limits: str, program: str, *command: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-I", "-S", exec_wrapper.__file__, str(parent or os.getpid()), limits, program, *command)
    return subprocess.run(words, capture_output=True, text=True, check=False)


def shell(limits: str, script: str, program: str = "") -> str:
    done = started(limits, program, "/bin/sh", "-c", script, "sh", exec_wrapper.FILTER_FD, exec_wrapper.OWN_UID)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_limits_are_set_and_cannot_be_raised() -> None:
    limits = ProcessLimits(memory=1 << 30, file_size=4096)
    assert limits.as_text() == "core=0,fsize=4096"
    assert shell(limits.as_text(), "ulimit -c; ulimit -f; ulimit -Hf") == "0\n8\n8"
    assert ProcessLimits().as_text() == f"core=0,fsize={256 << 20}"


def test_a_limit_above_what_is_allowed_here_is_lowered() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert shell("nofile=1073741824000", "ulimit -n") == str(hard)


def test_memory_that_is_reserved_is_not_limited() -> None:
    """Lean reserves 1 GiB for each thread, and maps its libraries private and writable: both count as data."""
    kept = shell("", "ulimit -v; ulimit -d")
    assert shell(ProcessLimits(memory=1 << 20).as_text(), "ulimit -v; ulimit -d") == kept


def test_what_is_left_behind_stays_below_the_command() -> None:
    # The shell in the middle ends at once; its child asks who its parent is now.
    script = "sh -c 'sh -c \"sleep 0.3; exec cut -d\\  -f4 /proc/self/stat\" &' ; sleep 1; echo $$"
    adopted, command = shell("", script).split()
    assert adopted == command


def test_the_filter_can_be_read_from_the_descriptor_that_is_named() -> None:
    assert shell("", 'cat <&"$1"', b"program".hex()) == "program"
    assert shell("", 'echo "$1"') == "-1"


def test_the_user_id_is_nobodys_and_its_own() -> None:
    uids = {int(shell("", 'echo "$2"')) for _ in range(3)}
    assert len(uids) == 3
    assert all(0x7000_0000 < uid < 0x7FFF_FFFF for uid in uids)


def test_a_parent_that_is_gone_starts_nothing() -> None:
    done = started("", "", "/bin/echo", "started", parent=1)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_cannot_be_executed_is_named() -> None:
    done = started("", "", "/nowhere")
    assert done.returncode == 126
    assert done.stderr == "/nowhere cannot be executed: No such file or directory\n"
