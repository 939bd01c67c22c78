"""A REPL's process group and its pipes, on any asyncio event loop.

Pipes and a pidfd are watched by the loop directly: asyncio's own subprocess transports cost a second loop iteration
for each chunk, and on Python 3.11 a thread for each process. Knows nothing of the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING

from streamverify.lean.repl import exec_wrapper
from streamverify.lean.repl.errors import StartFailed
from streamverify.lean.repl.stderr_kept import StderrKept
from streamverify.lean.repl.usage import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.lean.repl.command import ReplCommand

HANG_UP_GRACE = 1.0
"""Seconds between the end of a pipe and the death that it usually announces."""

_CHUNK = 1 << 18
_MAX_CHUNKS = 4096
_FIRST_FOR_THE_OOM_KILLER = "1000"


class _Phase(Enum):
    RUNNING = "running"
    """Its output is read, and its end will be told."""
    KILLED = "killed"
    """Nothing is read any more; it is dead soon."""
    REAPED = "reaped"
    """Its process number may be another's by now."""


class ReplProcess:
    """One process, leader of its own group and session. `on_output` gets what it writes to stdout.

    RUNNING --kill--> KILLED --ends--> REAPED
       |                                  ^
       +-----------ends by itself---------+

    `on_exit` is called once with the return code when it ended by itself, after all its output; `on_hang_up` when it
    closed its stdin or stdout and lives on. None of them is called after `kill`.
    """

    def __init__(
        self,
        command: ReplCommand,
        *,
        on_output: Callable[[bytes], None],
        on_hang_up: Callable[[], None],
        on_exit: Callable[[int], None],
    ) -> None:
        """Start it.

        Raises:
            StartFailed: The system cannot start the executable.
        """
        self._loop = asyncio.get_running_loop()
        self._on_output = on_output
        self._on_hang_up = on_hang_up
        self._on_exit = on_exit
        self._popen, self._pidfd = _start(command)
        self.pid = self._popen.pid
        self._stdin, self._stdout, self._stderr_pipe = (pipe.fileno() for pipe in _pipes(self._popen))
        for descriptor in (self._stdin, self._stdout, self._stderr_pipe):
            os.set_blocking(descriptor, False)
        self._phase = _Phase.RUNNING
        self._reaped = asyncio.Event()
        self.stderr = StderrKept()
        self._unsent: memoryview | None = None
        self._hang_up_timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._stdout, self._read_stdout)
        self._loop.add_reader(self._stderr_pipe, self._read_stderr)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def sending(self) -> bool:
        """True while the process has not taken all that was written to it."""
        return self._unsent is not None

    def write(self, data: bytes | memoryview) -> None:
        """Send `data`, later what the pipe does not take now. Never raises: a death is told by `on_exit`."""
        if self._phase is not _Phase.RUNNING:
            return
        try:
            sent = os.write(self._stdin, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The other end is closed. Usually the process is about to die, and how it died says more.
            self._hang_up()
            return
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._loop.add_writer(self._stdin, self._send_rest)

    def close_stdin(self) -> None:
        """Close its stdin: it reads the end of it, now and later."""
        _pipes(self._popen)[0].close()

    def read_now(self) -> None:
        """Read what is there now, without waiting for the event loop to say so."""
        # Bounded: a process that writes without end must not hold up the event loop.
        for _ in range(_MAX_CHUNKS):
            if self._phase is not _Phase.RUNNING or not self._read_stdout():
                return

    def kill(self) -> None:
        """Send SIGKILL to the group and to what has left it, and listen no more. `gone` says when it is reaped."""
        if self._phase is _Phase.RUNNING:
            self._stop_listening()
            self._phase = _Phase.KILLED
        if self._phase is not _Phase.REAPED:
            # Before the leader dies: after that nothing says whose they were.
            others = tree(self.pid)[1:]
            self._kill_group()
            for pid in others:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Wait until it is dead and reaped."""
        await self._reaped.wait()

    def _read_stdout(self) -> bool:
        """Read one chunk. Returns whether there may be more."""
        try:
            chunk = os.read(self._stdout, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._stdout)
            self._hang_up()
            return False
        self._on_output(chunk)
        return True

    def _read_stderr(self) -> bool:
        try:
            chunk = os.read(self._stderr_pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._stderr_pipe)
            return False
        self.stderr.add(chunk)
        return True

    def _send_rest(self) -> None:
        rest, self._unsent = self._unsent, None
        self._loop.remove_writer(self._stdin)
        if rest is not None:
            self.write(rest)

    def _hang_up(self) -> None:
        if self._hang_up_timer is None:
            self._hang_up_timer = self._loop.call_later(HANG_UP_GRACE, self._on_hang_up)

    def _reap(self) -> None:
        """The leader has ended. Its group is killed while its unreaped pid still reserves the group's number."""
        self._kill_group()
        self.read_now()
        # What was read may have ended the session, and with it the listening.
        by_itself = self._phase is _Phase.RUNNING
        if by_itself:
            # Why it died stands there, and the loop may not have looked since.
            for _ in range(_MAX_CHUNKS):
                if not self._read_stderr():
                    break
            self._stop_listening()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        returncode = self._popen.wait()
        self._phase = _Phase.REAPED
        self._reaped.set()
        if by_itself:
            self._on_exit(returncode)

    def _stop_listening(self) -> None:
        if self._hang_up_timer is not None:
            self._hang_up_timer.cancel()
        if self._unsent is not None:
            self._loop.remove_writer(self._stdin)
        for descriptor in (self._stdout, self._stderr_pipe):
            self._loop.remove_reader(descriptor)
        for pipe in _pipes(self._popen):
            pipe.close()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


async def run_to_end(command: ReplCommand) -> tuple[int, bytes]:
    """Run a command that is no REPL, and return its exit code and the last of its stderr. Cancelling this kills it.

    Raises:
        StartFailed: The system cannot start the executable.
    """
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    process = ReplProcess(command, on_output=lambda _chunk: None, on_hang_up=lambda: None, on_exit=ended.set_result)
    try:
        return await ended, process.stderr.read()
    finally:
        process.kill()
        await process.gone()


def _start(command: ReplCommand) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command, and return its process and a descriptor that becomes readable when it ends."""
    # Without the site packages (-I -S): the wrapper needs the standard library alone, and starts in milliseconds.
    python = (sys.executable, "-I", "-S", exec_wrapper.__file__)
    wrapper = (*python, str(os.getpid()), command.limits.as_text(), command.seccomp.hex())
    try:
        # Looked at here, where it can be said: the exec wrapper would only be a process that ended.
        if not (stat.S_ISREG(Path(command.argv[0]).stat().st_mode) and os.access(command.argv[0], os.X_OK)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        popen = subprocess.Popen(
            (*wrapper, *command.argv),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.cwd,
            env=command.env,
            start_new_session=True,
        )
        try:
            pidfd = os.pidfd_open(popen.pid)
        except OSError:
            with popen:
                popen.kill()
            raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartFailed(f"The REPL {command.argv[0]} cannot be started: {reason}.") from error
    # A REPL is restarted and its proof run again; a worker that is killed takes all its proofs with it.
    with contextlib.suppress(OSError):
        Path(f"/proc/{popen.pid}/oom_score_adj").write_text(_FIRST_FOR_THE_OOM_KILLER, encoding="ascii")
    return popen, pidfd


def _pipes(popen: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if popen.stdin is None or popen.stdout is None or popen.stderr is None:
        raise AssertionError
    return popen.stdin, popen.stdout, popen.stderr
