"""Commands of ours as processes, for tests: started, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATIENCE = 300.0


def environment(**settings: str) -> dict[str, str]:
    """The environment with these settings and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return others | {PREFIX + name: value for name, value in settings.items()} | {"COLUMNS": "120", "NO_COLOR": "1"}


def make_environment(broker: str, *, real: bool, partitions: int = 3) -> dict[str, str]:
    """Topics of their own for a worker with the synthetic REPL; made where the broker does not do that itself."""
    name = uuid.uuid4().hex[:8]
    env = environment(
        BOOTSTRAP_SERVERS=broker,
        GROUP_ID=name,
        REQUEST_TOPIC=f"{name}.proofs",
        RESULT_TOPIC=f"{name}.results",
        DLQ_TOPIC=f"{name}.dlq",
        GROUPS_TOPIC=f"{name}.groups",
        INGEST_TOPIC=f"{name}.ingest",
        REPL="synthetic",
        REQUIRE="checked",
        HTTP_PORT="0",
        SLOTS="2",
        DRAIN_TIMEOUT="1",
    )
    if real:
        from kafka_topics import make_topics  # noqa: PLC0415 - most tests need no client of Kafka's

        make_topics(settings_of(env), partitions)
    return env


def settings_of(env: Mapping[str, str]) -> Settings:
    """The settings with which a test's own client joins the commands of this environment."""
    names = (
        "BOOTSTRAP_SERVERS",
        "GROUP_ID",
        "REQUEST_TOPIC",
        "RESULT_TOPIC",
        "DLQ_TOPIC",
        "INGEST_TOPIC",
        "GROUPS_TOPIC",
        "SESSION_TIMEOUT_MS",
    )
    given: dict[str, Any] = {name.lower(): env[PREFIX + name] for name in names if PREFIX + name in env}
    return load_settings(**given)


def run_command(
    env: Mapping[str, str], *arguments: str, stdin: str | None = None, cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `streamverify ARGUMENT...` to its end."""
    argv = [sys.executable, "-m", "streamverify", *arguments]
    return subprocess.run(
        argv, env=dict(env), input=stdin, text=True, capture_output=True, timeout=_PATIENCE, check=False, cwd=cwd
    )


def run_all(
    env: Mapping[str, str], *commands: tuple[str, ...], stdin: str | None = None
) -> dict[tuple[str, ...], subprocess.CompletedProcess[str]]:
    """Run the commands beside each other, to their ends: where each waits for a broker, that is one wait.

    They run in an empty folder, in which what one writes disturbs nobody.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(commands)) as pool:
        runs = pool.map(lambda command: run_command(env, *command, stdin=stdin, cwd=folder), commands)
        return dict(zip(commands, runs, strict=True))


@contextlib.contextmanager
def started(
    env: Mapping[str, str],
    *arguments: str,
    stdin: int | None = None,
    program: Sequence[str] = ("-m", "streamverify"),
) -> Iterator[subprocess.Popen[str]]:
    """A running `streamverify ARGUMENT...`, or another Python program; SIGTERM ends it with the block.

    A test that fails meanwhile says what the process had said since it was last read, and how it ended, if it had.
    """
    argv = [sys.executable, *program, *arguments]
    process = subprocess.Popen(
        argv, env=dict(env), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    except BaseException as error:
        ended = process.poll()
        _, said = end(process)
        how = "was running" if ended is None else f"had ended with {ended}"
        error.add_note(f"`streamverify {' '.join(arguments)}` {how}: {said}")
        raise
    finally:
        end(process)


@contextlib.contextmanager
def serving_worker(env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A worker that has its partitions when the block begins, so that no test's time is spent on its start."""
    with started(env, "worker") as process:
        wait_for_log(process, "partitions_restored")
        yield process


def wait_for_log(process: subprocess.Popen[str], word: str) -> str:
    """Read what a command logs until a line has this word.

    Returns:
        What it logged until then.
    """
    assert process.stderr is not None
    said = ""
    while word not in said:
        line = process.stderr.readline()
        assert line, f"it ended before it said {word}: {said}"
        said += line
    return said


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
    """Signal a process and wait for its end; what it wrote."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.communicate(timeout=_PATIENCE)
    except ValueError:  # it was waited for before
        return "", ""
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def descendants(pid: int) -> list[int]:
    """Every process below this one, found in /proc."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int(_stat(int(folder.name))[1])
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found[1:]


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what follows the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def wait_until_gone(pids: list[int], patience: float = _PATIENCE) -> list[int]:
    """Wait for the end of these processes; those that are still there."""
    give_up = time.monotonic() + patience
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < give_up:
        time.sleep(0.05)
    return left
