"""Whatever names a metric, on a page or in a file for deployment, names one that there is."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_tools import promtool
from support import ROOT

from streamverify.core.metrics.metric import Kind
from streamverify.core.metrics.table import METRICS

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("docs", "deploy")
ENDINGS = {".md", ".yml", ".yaml", ".json", ".tpl", ".jsonnet"}


def samples() -> set[str]:
    """The names of all samples, and of the families as OpenMetrics has them."""
    names = set()
    for row in METRICS.values():
        names |= {row.name, row.family}
        if row.kind is Kind.HISTOGRAM:
            names |= {f"{row.name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    return names


def test_every_metric_that_is_named_exists() -> None:
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in ENDINGS and path.is_file() and not {"target", "node_modules"} & set(path.parts):
                for name in re.findall(r"\bstreamverify_[a-z_]*[a-z]\b(?![.:/-])", path.read_text("utf-8")):
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    assert {name: sorted(where) for name, where in found.items() if name not in samples()} == {}
    assert len(found) > 40


def complaints(folder: Path, expressions: list[str]) -> str:
    """What promtool has to say of these expressions, as those of recording rules; "" if it is content."""
    rules = "groups:\n- name: page\n  rules:\n" + "".join(
        f"  - record: page:expression{number}\n    expr: '{expression}'\n"
        for number, expression in enumerate(expressions)
    )
    file = folder / "rules.yml"
    file.write_text(rules, "utf-8")
    ran = subprocess.run([promtool(), "check", "rules", str(file)], text=True, capture_output=True, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def test_the_expressions_of_the_operations_page_are_promql(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    expressions = re.findall(r"^\| [^|]* \| `([^`]*)` \|$", table, flags=re.MULTILINE)
    assert len(expressions) > 6
    assert complaints(tmp_path, expressions) == ""
    assert "parse" in complaints(tmp_path, ["rate(a["])


@pytest.mark.parametrize("name", ["streamverify_results", "streamverify_run_seconds_bucket"])
def test_families_and_the_samples_of_a_histogram_are_names(name: str) -> None:
    assert name in samples()
