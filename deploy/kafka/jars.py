"""Java, and the jars of Apache Kafka: found, or fetched by Maven. A part of kafka.py."""

# ruff: noqa: INP001 - a folder with one script, no package

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
JAVA_NEEDED = 17
LINES_SHOWN = 25


class KafkaError(Exception):
    """Kafka cannot run here; the message says what to do, `code` is the exit code."""

    def __init__(self, message: str, code: int = 4) -> None:
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    """Tell the person at the terminal; stdout belongs to programs."""
    # The terminal, or the pipe of the script that started it, may be gone: no reason to end otherwise than asked.
    with contextlib.suppress(OSError):
        print(f"kafka: {message}", file=sys.stderr, flush=True)  # noqa: T201 - this is a command


def find_java() -> str:
    """The `java` to use.

    Raises:
        KafkaError: There is none, or it is too old for this Kafka.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java") if home else shutil.which("java")
    hint = f"Kafka needs Java {JAVA_NEEDED} or newer, on Debian: apt-get install default-jre-headless"
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise KafkaError(f"there is no `java` {where}. {hint}", 2)
    text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', text)
    if version is None or int(version[1]) < JAVA_NEEDED:
        raise KafkaError(f"{java} is no Java {JAVA_NEEDED} ({text.splitlines()[:1]}). {hint}", 2)
    return java


async def fetch_jars(cache: Path) -> Path:
    """The folder with Kafka's jars, complete; fetched by Maven where it is not there yet.

    Maven keeps what has arrived in its own repository, so an interrupted download goes on where it ended; the
    folder gets its name only once it is complete.

    Raises:
        KafkaError: Maven is missing or failed.
    """
    pom = HERE / "pom.xml"
    jars = cache / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not is_complete(jars):
        unfinished = jars.with_suffix(".part")
        for left_over in (jars, unfinished):
            shutil.rmtree(left_over, ignore_errors=True)
        await copy_jars(pom, unfinished)
        sizes = {jar.name: jar.stat().st_size for jar in unfinished.glob("*.jar")}
        (unfinished / "sizes.json").write_text(json.dumps(sizes))
        unfinished.rename(jars)
    return jars


def is_complete(jars: Path) -> bool:
    """Whether every jar that Maven copied is there with its size."""
    try:
        sizes: dict[str, int] = json.loads((jars / "sizes.json").read_text())
        return bool(sizes) and all((jars / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


async def copy_jars(pom: Path, target: Path) -> None:
    """Let Maven resolve, download and copy the jars to `target`."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaError("there is no `mvn` on PATH to fetch Kafka's jars with, on Debian: apt-get install maven", 2)
    say("fetching Kafka's jars with Maven (once, 44 MB) ...")
    process = await asyncio.create_subprocess_exec(
        *(maven, "--batch-mode", "--quiet", "--strict-checksums", "-Dstyle.color=never", "-f", str(pom)),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    if process.returncode:
        tail = "\n".join(output.decode(errors="replace").splitlines()[:LINES_SHOWN])
        raise KafkaError(
            f"{tail}\nMaven could not fetch Kafka's jars (above, exit status {process.returncode}). "
            "With the network back, run the same command again: what has arrived is kept."
        )
