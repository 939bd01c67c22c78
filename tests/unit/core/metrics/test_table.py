"""The table of metrics keeps Prometheus' rules for names, and no label of it can grow without bound."""

from __future__ import annotations

import re

import pytest

from streamverify.core.messages.models import OUTCOMES, Reason
from streamverify.core.metrics.metric import PREFIX, Kind, Label, Metric, Process, Unit
from streamverify.core.metrics.table import LIBRARY, METRICS, of_process

ALL = list(METRICS.values())
# The library writes these for a histogram and an info: a metric of ours with such a name would be taken for one.
RESERVED = ("_sum", "_count", "_bucket", "_created", "_gcount", "_gsum")


def name(metric: Metric) -> str:
    return metric.name


@pytest.mark.parametrize("metric", ALL, ids=name)
def test_a_name_has_the_suffix_of_its_type_and_unit(metric: Metric) -> None:
    assert re.fullmatch(rf"{PREFIX}[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.name.endswith("_info") == (metric.kind is Kind.INFO)
    assert metric.family.endswith(f"_{metric.unit}" if metric.unit else metric.family)
    # A unit in the name that the row does not state would not be converted by whoever reads the row.
    assert metric.unit is Unit.NONE or metric.unit in {"seconds", "bytes"}
    if metric.unit is Unit.NONE:
        assert not re.search(r"_(seconds|bytes|milliseconds|ms|ratio)(_|$)", metric.name)
    assert not metric.family.endswith(RESERVED)


@pytest.mark.parametrize("metric", ALL, ids=name)
def test_a_row_is_whole(metric: Metric) -> None:
    assert metric.processes
    assert metric.help.endswith(".")
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert len(metric.help) <= 120
    assert "|" not in metric.help
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert all(bound > 0 for bound in metric.buckets)


@pytest.mark.parametrize("metric", ALL, ids=name)
def test_the_values_of_a_label_are_a_closed_set_or_bounded_numbers(metric: Metric) -> None:
    assert len(set(metric.label_names)) == len(metric.labels)
    for label in metric.labels:
        assert re.fullmatch(r"[a-z]+", label.name)
        assert label.name not in {"le", "quantile", "job", "instance"}  # Prometheus' own
        assert sum((bool(label.values), label.numbers, label.info)) == 1
        assert len(set(label.values)) == len(label.values) < 100
        # What has one value for the life of a process belongs to a metric with one series.
        assert label.info == (metric.kind is Kind.INFO)


def test_an_id_a_digest_a_header_and_a_text_are_no_value_of_any_label() -> None:
    strange = [
        "",
        "proof-17",
        "aime-2024/3",
        "9f86d081884c7d659a2feaa0c55ad015",
        "import Mathlib",
        "lean.proofs",
        "-1",
        "²",
    ]
    for metric in ALL:
        for label in metric.labels:
            assert label.info or not any(map(label.allows, strange)), (metric.name, label.name)


def test_numbers_are_allowed_where_the_machine_bounds_them() -> None:
    slot = Label("slot", "its number", numbers=True)
    assert slot.allows("0")
    assert slot.allows("12")
    assert not slot.allows("a")


def test_there_are_few_series() -> None:
    for process in Process:
        series = 0
        for metric in of_process(process):
            combinations = 1
            for label in metric.labels:
                combinations *= len(label.values) or 16
            if metric.name == "streamverify_results_total":
                # A reason has one status, and an assurance only where it is `ok`.
                combinations = len(Reason) + 4
            elif metric.name == "streamverify_gateway_answers_total":
                combinations = len(OUTCOMES)
            elif metric.name == "streamverify_http_requests_total":
                combinations = 15 * 5 * 12  # the codes that occur
            elif metric.kind is Kind.INFO:
                combinations = 1
            series += combinations * (len(metric.buckets) + 3 if metric.buckets else 1)
        assert series < 1_500, process


def test_every_process_has_metrics_of_its_own_and_those_of_all() -> None:
    of_all = {metric.name for metric in ALL if metric.processes == frozenset(Process)}
    assert len(of_all) >= 4
    for process in Process:
        assert of_all < {metric.name for metric in of_process(process)}


def test_no_two_metrics_have_one_family() -> None:
    families = [metric.family for metric in ALL]
    assert len(set(families)) == len(families)


def test_the_failures_are_counted_by_the_names_of_the_table() -> None:
    [label] = METRICS["streamverify_metric_failures_total"].labels
    assert set(label.values) == {*METRICS, *LIBRARY}
