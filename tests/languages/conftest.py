"""The examples in other languages, with the toolchain of each: `make test-languages`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without `--languages` these files are not there."""
    return None if config.getoption("--languages") or collection_path.name == "conftest.py" else True
