"""What every test may use."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from streamverify.core.errors import SettingsError
from streamverify.settings import load_settings
from streamverify.standins.replay import BUNDLED

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"


MORE_DATA = os.environ.get("STREAMVERIFY_TEST_DATA")
"""A folder with more recordings of real Lean than may be copied into the repository; tests/data/README.md."""


def recorded(name: str) -> list[dict[str, Any]]:
    """Recordings, one JSON object a line: those of the project, then those of the same kind in `MORE_DATA`.

    Args:
        name: `core-lean`, what a real Lean said to 42 small proofs; or `goedel`, competition proofs.
    """
    ours = {"core-lean": BUNDLED, "goedel": DATA / "competition.jsonl"}[name]
    files = [ours, *([Path(MORE_DATA) / name / "recordings.jsonl"] if MORE_DATA else [])]
    lines = [line for file in files for line in file.read_text("utf-8").split("\n") if line]
    return [json.loads(line) for line in lines]


def made_recording(proof: str, *, header: str = "", error_at: tuple[int, int] | None = None) -> dict[str, Any]:
    """A recording of `proof`, whose header is its first len(header) code points, with or without an error."""
    response: dict[str, Any] = {"env": 0}
    if error_at:
        pos = {"line": error_at[0], "column": error_at[1]}
        response["messages"] = [{"severity": "error", "pos": pos, "endPos": pos, "data": "wrong"}]
    return {
        "proof": proof,
        "file_response": response,
        "header": header,
        "header_response": {"env": 0},
        "header_seconds": 2.0,
        "body": proof[len(header) :],
        "body_response": {"env": 1},
        "body_seconds": 0.5,
    }


def recorded_sessions() -> list[Path]:
    """The commands of sessions with the REPL, `NAME.in`; beside each lie the answers, `NAME.expected.out`."""
    folders = [DATA / "repl-sessions", *([Path(MORE_DATA) / "repl-transcripts"] if MORE_DATA else [])]
    return sorted(file for folder in folders for file in folder.glob("*.in"))


def complaint(**flags: Any) -> str:
    """Return what `load_settings` says of these settings, some of which are wrong."""
    with pytest.raises(SettingsError) as caught:
        load_settings(**flags)
    return str(caught.value)


def program(name: str) -> str:
    """Where a program of this machine is; a test that needs one which is missing fails."""
    found = shutil.which(name)
    assert found, f"this machine has no {name}"
    return found


def link_programs(folder: Path, *names: str) -> None:
    """Put programs of this machine into a folder that is to be a whole PATH, and its Python as `python3`."""
    for name in names:
        (folder / name).symlink_to(program(name))
    (folder / "python3").symlink_to(sys.executable)


def write_script(file: Path, body: str) -> Path:
    """Write a shell script that can be started, such as a stand-in for a program."""
    file.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    file.chmod(0o755)
    return file
