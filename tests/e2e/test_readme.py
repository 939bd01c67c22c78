"""The README's ten lines, typed as they stand there: in a shell of its own, with an empty home and no settings."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from kafka_broker import free_port
from support import ROOT

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.kafka]

README = (ROOT / "README.md").read_text("utf-8")


def ten_lines() -> list[str]:
    section = README.partition("## Ten lines")[2]
    [block] = re.findall(r"```sh\n(.*?)```", section.partition("\n## ")[0], flags=re.DOTALL)
    lines: list[str] = block.strip().splitlines()
    return lines


def strangers_environment(home: Path) -> dict[str, str]:
    """What a new user's shell has: none of our settings, no environment that is active, an empty home."""
    ours = os.path.realpath(ROOT / ".venv" / "bin")
    folders = [each for each in os.environ["PATH"].split(":") if os.path.realpath(each) != ours]
    others = {
        name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "VIRTUAL_ENV", "PYTHON"))
    }
    return others | {"HOME": str(home), "PATH": ":".join(folders)}


def type_in(script: str, folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a script in a session of its own, and end all that it left in the background.

    Returns:
        Its exit code, and all that it printed.
    """
    said = folder / "said"
    with said.open("wb") as out:
        shell = subprocess.Popen(
            ["/bin/bash", "-c", script], cwd=folder, env=dict(env), stdout=out, stderr=out, start_new_session=True
        )
    try:
        code = shell.wait(400)
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
    return code, said.read_text("utf-8")


def test_there_are_ten_lines() -> None:
    assert len(ten_lines()) == 10


def test_the_ten_lines_lead_to_a_verdict(tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    home.mkdir()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    for name in filter(None, tracked.decode().split("\0")):
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)
    # The jars of Kafka are fetched once for all tests.
    (checkout / ".kafka").symlink_to(ROOT / ".kafka")
    port = str(free_port())
    script = "\n".join(ten_lines()).replace("9092", port)
    env = strangers_environment(home) | {f"{PREFIX}BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
    code, said = type_in(f"set -e\n{script}\n", checkout, env)
    assert code == 0, said
    assert re.search(r"^verified  first\.lean  \d+\.\d+ s$", said, re.MULTILINE), said
    assert "these are no verdicts of Lean" in said
    assert re.search(r"^first\.lean +verified +ok ", said, re.MULTILINE), said
