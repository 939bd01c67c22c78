"""What the tests of the settings share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's environment nor a settings file of the checkout may decide."""
    for name in os.environ:
        if name.startswith("STREAMVERIFY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
