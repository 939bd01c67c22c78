"""The kept exports are what a real Lean and a real exporter make today of the files beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oracle.exporting import Exporting, cases

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def exporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporting]:
    """Lean and the exporter: `make test-exports` installs both."""
    made = Exporting(tmp_path_factory.mktemp("exports"))
    yield made
    made.close()


@pytest.mark.parametrize("part", range(2))
def test_kept_exports_are_made_again(exporting: Exporting, part: int) -> None:
    for case in cases()[part::2]:
        for which, export in zip(("statement", "proof"), exporting.export(case), strict=True):
            assert case.kept(which).read_bytes() == export, f"{case.name}: python tests/oracle/exporting.py"
