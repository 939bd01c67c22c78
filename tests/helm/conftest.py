"""The chart rendered by a real Helm: `make check-helm`, which builds one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without `--helm` these files are not there."""
    return None if config.getoption("--helm") or collection_path.name == "conftest.py" else True
