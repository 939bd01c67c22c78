"""The notebook of docs/ runs from its first cell to its last, on the embedded broker and the replay REPL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK = ROOT / "docs" / "notebooks" / "first-steps.ipynb"


@pytest.fixture
def _no_settings() -> Iterator[None]:
    """Without the settings of whoever runs the tests: the kernel inherits the environment."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("STREAMVERIFY_")}
    yield
    os.environ.update(kept)


@pytest.mark.usefixtures("_no_settings")
async def test_the_notebook_runs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    # Its cells assert what they show; an exception in one of them is raised here.
    await NotebookClient(notebook, timeout=90, kernel_name="python3").async_execute()
    written = "\n".join(str(cell.get("outputs")) for cell in notebook.cells)
    assert "verified" in written
    assert "[1.0, 0.0, 0.0, 0.0]" in written


def test_what_is_committed_shows_the_output_of_each_cell() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all("/home/" not in str(cell.outputs) for cell in cells)
