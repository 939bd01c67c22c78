"""What every test may use."""

from __future__ import annotations

import json
import os
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


def recorded_sessions() -> list[Path]:
    """The commands of sessions with the REPL, `NAME.in`; beside each lie the answers, `NAME.expected.out`."""
    folders = [DATA / "repl-sessions", *([Path(MORE_DATA) / "repl-transcripts"] if MORE_DATA else [])]
    return sorted(file for folder in folders for file in folder.glob("*.in"))


def complaint(**flags: Any) -> str:
    """Return what `load_settings` says of these settings, some of which are wrong."""
    with pytest.raises(SettingsError) as caught:
        load_settings(**flags)
    return str(caught.value)
