"""What a query in PromQL names: its metrics, labels and values, held against the table of metrics; and promtool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from streamverify.core.metrics.metric import Kind
from streamverify.core.metrics.table import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = {"job", "instance"}
"""The labels that Prometheus gives to each series."""
FOREIGN = re.compile(r"up|process_\w+|ALERTS")
"""Metrics of Prometheus itself and of its client library."""
_SELECTOR = re.compile(r"([a-z_]\w*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SUFFIXES = {"_bucket": {"le"}, "_sum": set(), "_count": set()}


def complaints(query: str) -> Iterator[str]:
    """Say what a query names that no process of ours has.

    A label in a grouping has to be one of some metric of the query; the values of a matcher are held against the
    label's closed set, alternatives each by itself.
    """
    names = set(re.findall(r"\bstreamverify_\w+", re.sub(r'"[^"]*"', '""', query)))
    labels = {name: _labels(name) for name in names}
    yield from (f"there is no metric {name}" for name, found in labels.items() if found is None)
    known = TARGET.union(*(found for found in labels.values() if found is not None))
    for name, inside in _SELECTOR.findall(query):
        if FOREIGN.fullmatch(name):
            continue
        of_metric = labels.get(name) or set()
        for label, operator, value in _MATCHER.findall(inside):
            if label not in of_metric | TARGET:
                yield f"{name} has no label {label}"
            elif label not in TARGET | {"le"}:
                yield from _bad_values(name, label, value.split("|") if "~" in operator else [re.escape(value)])
    for inside in _GROUPING.findall(re.sub(r'"[^"]*"', '""', query)):
        wanted = {label.strip() for label in inside.split(",")}
        yield from (f"no metric of the query has the label {label}" for label in wanted - known)


def metric_of(sample: str) -> str:
    """The name in the table of the metric that a sample belongs to."""
    for suffix in _SUFFIXES:
        base = sample.removesuffix(suffix)
        if base != sample and base in METRICS and METRICS[base].kind is Kind.HISTOGRAM:
            return base
    return sample


def _labels(sample: str) -> set[str] | None:
    metric = METRICS.get(metric_of(sample))
    if metric is None or (metric.kind is Kind.HISTOGRAM and metric.name == sample):
        return None
    suffix = sample.removeprefix(metric.name)
    return set(metric.label_names) | _SUFFIXES.get(suffix, set())


def _bad_values(sample: str, name: str, values: list[str]) -> Iterator[str]:
    [label] = [label for label in METRICS[metric_of(sample)].labels if label.name == name]
    for value in values:
        # Each alternative, itself a pattern (`5..`), has to allow one value at least.
        if label.values and value and not any(re.fullmatch(value, each) for each in label.values):
            yield f"{sample}: {name} is never {value}"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end. Where there is none the test is skipped; in CI it fails."""
    executable = shutil.which("promtool")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("no promtool: apt-get install prometheus", pytrace=False)
        pytest.skip("no promtool: apt-get install prometheus")
    return subprocess.run([executable, *arguments], capture_output=True, text=True, timeout=120, check=False)
