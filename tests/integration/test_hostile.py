"""Hostile programs in the sandbox: each tries something real, and fails closed.

Run as a worker that is root confines (its proofs get a user of their own) and as one that is not does (a user
namespace); where the tests are not root's, only the second can be.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sandboxes import LIMITS, MIB, ORDINARY, attacker, confined, hostile, is_root

from streamverify.lean.repl import exec_wrapper
from streamverify.lean.repl.errors import MemoryExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sandboxes import Attacker


USERS = [pytest.param(0, id="root"), pytest.param(ORDINARY, id="ordinary")] if is_root() else [0]


@pytest.fixture(params=USERS)
async def villain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Attacker]:
    monkeypatch.setenv("BROKER_PASSWORD", "hunter2")
    monkeypatch.setenv("LEAN_PATH", "/lean/lib")
    user: int = request.param
    async with attacker(await confined(hostile(user=user), user=user)) as it:
        yield it


@pytest.fixture
def secret() -> Iterator[Path]:
    """A file that every user may read and write, in a folder that they may: only the sandbox is in the way."""
    folder = Path(f"/var/tmp/streamverify-test-{os.getpid()}")  # not /tmp, which the sandbox has its own of
    folder.mkdir()
    folder.chmod(0o777)
    file = folder / "secret"
    file.write_text("hunter2")
    file.chmod(0o666)
    yield file
    file.unlink(missing_ok=True)
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


async def test_the_environment_has_nothing_of_the_workers(villain: Attacker) -> None:
    environment = await villain.attack("environ")
    assert "hunter2" not in environment.values()
    assert environment["HOME"] == "/tmp"
    assert environment["LEAN_PATH"] == "/lean/lib"
    assert set(environment) <= {"PATH", "HOME", "PWD", "LEAN_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "OLDPWD"}
    assert "hunter2" not in str(await villain.attack("environments"))


async def test_neither_home_nor_secrets_can_be_read(villain: Attacker, secret: Path) -> None:
    assert await villain.attack(f"read {secret}") == "ENOENT"
    assert "secret" not in await villain.attack("list /tmp")
    assert await villain.attack("list /home") == "ENOENT"
    assert await villain.attack("read /etc/shadow") == "ENOENT"
    assert await villain.attack("read /etc/passwd") == "ENOENT"
    assert await villain.attack("list /sys") == "ENOENT"
    home = await villain.attack(f"list {Path.home()}")
    assert home in ("ENOENT", "EACCES") or ".bashrc" not in home


async def test_nothing_outside_can_be_written(villain: Attacker, secret: Path) -> None:
    for path in ("/x", "/usr/x", "/usr/bin/x", "/etc/x", "/dev/x", "/dev/shm/x", "/proc/x", "/var/tmp/x", str(secret)):
        assert await villain.attack(f"create {path}") in ("EROFS", "ENOENT", "EACCES"), path
    assert await villain.attack("unlink /usr/bin/env") in ("EROFS", "EACCES")
    assert await villain.attack("create /proc/sys/kernel/core_pattern") in ("EROFS", "EACCES", "ENOENT")
    assert content(secret) == "hunter2"
    assert await villain.attack("create /tmp/mine") == "done"
    assert not exists("/tmp/mine")


async def test_the_network_cannot_be_reached(villain: Attacker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "::1", "10.0.0.1"):
            assert await villain.attack(f"connect {host} {port}") != "done"
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    opened = await villain.attack("sockets")
    assert (opened.pop("unix"), set(opened.values()) <= {"EAFNOSUPPORT"}) == ("done", True)


async def test_a_socket_of_the_workers_user_cannot_be_reached(villain: Attacker, secret: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        path = secret.with_name("socket")
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        assert await villain.attack(f"unix {path}") == "ENOENT"


async def test_a_fork_bomb_runs_against_its_limit_and_dies_with_the_session(villain: Attacker) -> None:
    before = alive()
    count, error = await villain.attack("fork-bomb")
    assert (0 < count <= LIMITS.processes, error) == (True, "EAGAIN")
    assert alive() > before
    # The REPL still answers, and a second one is not in its way.
    assert await villain.attack("pid") > 0
    await villain.session.close()
    await until(lambda: alive() <= before)


async def test_two_bombs_have_a_limit_each() -> None:
    command = await confined(hostile())
    async with attacker(command) as one, attacker(command) as two:
        counts = [(await each.attack("fork-bomb"))[0] for each in (one, two)]
    assert min(counts) > LIMITS.processes // 2


async def test_a_daemon_does_not_outlive_its_session(villain: Attacker) -> None:
    mark = f"daemon-of-{os.getpid()}-{time.monotonic_ns()}"
    assert await villain.attack(f"daemon {mark}") == "done"
    await until(lambda: marked(mark))
    await villain.session.close()
    await until(lambda: not marked(mark))


async def test_tmp_is_bounded_and_gone_afterwards(villain: Attacker) -> None:
    written, error = await villain.attack("fill /tmp")
    assert (written <= LIMITS.file_size, error) == (True, "ENOSPC")
    await villain.session.close()
    assert not exists("/tmp/0")


async def test_a_file_is_bounded(villain: Attacker) -> None:
    assert await villain.attack("huge-file /tmp/huge") == "EFBIG"


async def test_nothing_can_be_traced(villain: Attacker) -> None:
    traced = await villain.attack("trace")
    assert traced
    assert set(traced.values()) == {"EPERM"}


async def test_no_process_outside_is_seen_or_harmed(villain: Attacker) -> None:
    inside = await villain.attack("processes")
    assert os.getpid() not in inside or max(inside) < 100
    assert max(inside) < 100
    assert (await villain.attack("kill"))["1"] in ("EPERM", None)
    # Killing its own init does nothing, and the REPL goes on.
    assert await villain.attack("pid") < 100


async def test_it_has_no_privileges_and_gets_none(villain: Attacker) -> None:
    status = dict(line.split(":\t", 1) for line in (await villain.attack("status")).splitlines() if ":\t" in line)
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    name, uid, folder = await villain.attack("host")
    assert (name, folder) == ("sandbox", "/tmp")
    assert uid not in (0, os.getuid())
    assert set((await villain.attack("mount")).values()) <= {"EPERM", "EINVAL"}


async def test_no_file_of_the_workers_is_open(villain: Attacker) -> None:
    # The fourth is that of the listing itself.
    assert await villain.attack("fds") == [0, 1, 2, 3]


async def test_memory_is_bounded(villain: Attacker) -> None:
    assert await villain.attack("allocate 100") == 100 * MIB
    with pytest.raises(MemoryExceeded):
        await villain.attack("hold 450 10")


async def test_programs_run_and_get_no_further(villain: Attacker) -> None:
    returncode, said, _ = await villain.attack("run /usr/bin/env")
    assert returncode == 0
    assert "hunter2" not in said


async def test_the_worker_dies_and_so_does_what_is_confined(tmp_path: Path) -> None:
    """A parent that is killed: nobody kills the REPL's group, the kernel does."""
    command = await confined(hostile())
    mark = f"orphan-of-{os.getpid()}-{time.monotonic_ns()}"
    program = (
        "import os, subprocess, sys, time\n"
        "wrapper, limits, program, *argv = sys.argv[1:]\n"
        "child = subprocess.Popen([sys.executable, wrapper, str(os.getpid()), limits, program, *argv],\n"
        "                         stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    argv = (*command.argv, mark)
    words = (
        sys.executable,
        "-c",
        program,
        exec_wrapper.__file__,
        command.limits.as_text(),
        command.seccomp.hex(),
        *argv,
    )
    parent = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
    assert parent.stdout
    await parent.stdout.readline()
    await until(lambda: len(marked(mark)) >= 4)
    parent.kill()
    await parent.wait()
    await until(lambda: not marked(mark))


def content(file: Path) -> str:
    return file.read_text("utf-8")


def exists(path: str) -> bool:
    return Path(path).exists()


def alive() -> int:
    return sum(folder.name.isdigit() for folder in Path("/proc").iterdir())


def marked(mark: str) -> list[str]:
    """The processes with the mark in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
