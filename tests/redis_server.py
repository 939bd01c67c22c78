"""A real Redis for the tests: Debian's redis-server, without a file, on a socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0


@contextmanager
def redis_server(*flags: str) -> Iterator[str]:
    """Start a Redis; gives the URL of its socket, on which no other program can be."""
    executable = shutil.which("redis-server")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("no Redis: apt-get install redis-server", pytrace=False)
        pytest.skip("no Redis: apt-get install redis-server")
    # Not in pytest's folder, whose name may be longer than the 107 bytes that a socket's may have.
    with TemporaryDirectory(prefix="redis-") as folder:
        path = Path(folder, "socket")
        process = subprocess.Popen(
            [executable, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder, *flags],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(path, process)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


def _wait(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except OSError:
                time.sleep(0.02)
                continue
            return
    raise AssertionError("the Redis did not start")
