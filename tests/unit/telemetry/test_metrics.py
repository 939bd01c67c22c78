"""The page of metrics: what is on it, what happens to it when a metric fails, and that Prometheus reads it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from prometheus_tools import Page, promtool_complaints

from streamverify.core.metrics.metric import Kind, Process
from streamverify.core.metrics.table import METRICS, of_process
from streamverify.telemetry import metrics as module
from streamverify.telemetry.build import build_info
from streamverify.telemetry.metrics import FAILURES, Metrics

if TYPE_CHECKING:
    from streamverify.core.metrics.metric import Metric


def some_value(row: Metric) -> Any:
    """A value that a source of this row may have."""
    if row.kind is Kind.INFO:
        return build_info()
    if not row.labels:
        return 1.5
    return {tuple(label.values[0] if label.values else "3" for label in row.labels): 2}


def metrics_of(process: Process, **instead: Any) -> Metrics:
    """The metrics of a process with a source for each; `instead` for some by their names without prefix."""
    made = Metrics(process)
    for row in of_process(process):
        if row.kind is not Kind.HISTOGRAM and row.name != FAILURES:
            made.at_scrape({row.name: partial(some_value, row)})
    for name, source in instead.items():
        made.at_scrape({f"streamverify_{name}": source})
    return made


def text(made: Metrics, accept: str = "") -> str:
    page = made.page(accept)
    assert page.status == 200
    return page.body.decode()


@pytest.mark.parametrize("process", Process)
def test_the_page_has_every_row_of_the_table_with_its_type_and_help_and_nothing_else(process: Process) -> None:
    page = Page(text(metrics_of(process)))
    for row in of_process(process):
        family = row.family if row.kind is Kind.COUNTER else row.name
        assert page.types[family] == ("gauge" if row.kind is Kind.INFO else row.kind), row.name
        assert page.help[family] == row.help
        suffix = "_count" if row.kind is Kind.HISTOGRAM else ""
        if row.kind is not Kind.HISTOGRAM or not row.labels:
            assert page.labels(row.name + suffix), row.name
            assert all(set(labels) == set(row.label_names) for labels in page.labels(row.name + suffix))
    ours = {name for name in page.types if name.startswith("streamverify_")}
    assert ours == {row.family if row.kind is Kind.COUNTER else row.name for row in of_process(process)}
    assert {name.partition("_")[0] for name in page.types} == {"streamverify", "process", "python"}


@pytest.mark.parametrize("process", Process)
def test_promtool_is_content(process: Process) -> None:
    assert promtool_complaints(text(metrics_of(process))) == ""


def test_promtool_would_say_something() -> None:
    assert "should have" in promtool_complaints("# HELP a_counter It counts.\n# TYPE a_counter counter\na_counter 1\n")


@pytest.mark.parametrize("process", Process)
def test_openmetrics_says_the_same_as_the_plain_text(process: Process) -> None:
    made = metrics_of(process)
    asked = made.page("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert asked.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert asked.body.endswith(b"# EOF\n")
    new, old = Page(asked.body.decode(), openmetrics=True), Page(text(made))
    assert new.names == old.names
    for row in of_process(process):
        assert new.types[row.family] == row.kind
        assert new.series(row.name) == old.series(row.name)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "text/html",
        "application/openmetrics-text; version=x.y",
        ";;,;=",
        "text/plain;version=é",
    ],
)
def test_whatever_is_accepted_there_is_a_page(accept: str) -> None:
    assert "streamverify_slots 1.5" in text(metrics_of(Process.WORKER), accept)


def test_a_metric_that_cannot_be_computed_is_left_out_and_counted_and_the_rest_is_there() -> None:
    made = metrics_of(Process.WORKER, slots=lambda: 1 / 0)
    with structlog.testing.capture_logs() as logs:
        first, second = (Page(text(made)) for _ in range(2))
    whole = Page(text(metrics_of(Process.WORKER)))
    assert whole.names - first.names == {"streamverify_slots"}
    # On the very page on which it is missing.
    assert first.value(FAILURES, metric="streamverify_slots") == 1
    assert second.value(FAILURES, metric="streamverify_slots") == 2
    assert second.total(FAILURES) == 2
    assert [(log["event"], log["metric"]) for log in logs] == [("metric_failed", "streamverify_slots")]
    assert "ZeroDivisionError" in logs[0]["error"]
    assert FAILURES in logs[0]["hint"]


@pytest.mark.parametrize(
    "value",
    [
        {("a proof's id",): 1},
        {("9f86d081884c7d65",): 1},
        {(): 1},
        {("route", "decode"): 1},
        {("decode",): "many"},
        "many",
        object(),
    ],
    ids=lambda value: type(value).__name__ if type(value) is object else repr(value),
)
def test_a_value_that_the_table_does_not_allow_is_a_failure_of_that_metric_alone(value: Any) -> None:
    page = Page(text(metrics_of(Process.WORKER, dead_letters_total=lambda: value)))
    assert "streamverify_dead_letters_total" not in page.names
    assert page.value(FAILURES, metric="streamverify_dead_letters_total") == 1
    assert page.value("streamverify_slots") == 1.5


def test_the_librarys_own_metrics_may_fail_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    made = metrics_of(Process.GATEWAY)

    def unlimited() -> Any:
        raise ValueError("could not convert string to float: b'unlimited'")

    monkeypatch.setattr(made._library["process"], "collect", unlimited)
    page = Page(text(made))
    assert not any(name.startswith("process_") for name in page.names)
    assert page.value(FAILURES, metric="process") == 1
    assert "python_gc_collections_total" in page.names


def test_a_page_that_cannot_be_written_is_an_error_of_the_scrape_and_no_half_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def choose(_accept: str) -> Any:
        def fail(_registry: Any) -> bytes:
            raise RuntimeError("no")

        return fail, "text/plain"

    monkeypatch.setattr(module, "choose_encoder", choose)
    with structlog.testing.capture_logs() as logs:
        page = metrics_of(Process.TABLE).page()
    assert page.status == 500
    assert b"RuntimeError" in page.body
    assert [log["event"] for log in logs] == ["metrics_failed"]


def test_the_series_of_a_small_set_are_there_before_anything_happened() -> None:
    page = Page(text(metrics_of(Process.WORKER, repl_deaths_total=dict)))
    [cause] = METRICS["streamverify_repl_deaths_total"].labels
    assert page.series("streamverify_repl_deaths_total") == {(value,): 0 for value in cause.values}


def test_what_is_not_known_has_no_sample() -> None:
    page = Page(text(metrics_of(Process.WORKER, backlog_seconds=lambda: None)))
    assert page.types["streamverify_backlog_seconds"] == "gauge"
    assert page.series("streamverify_backlog_seconds") == {}
    assert page.total(FAILURES) == 0


def test_a_row_without_a_source_is_found_and_so_is_a_source_without_a_row() -> None:
    made = Metrics(Process.WORKER)
    with pytest.raises(LookupError, match="streamverify_slots") as missing:
        made.require_all()
    assert not any(name in str(missing.value) for name in METRICS if METRICS[name].kind is Kind.HISTOGRAM)
    for name in ("streamverify_nothing", "streamverify_table_rows", "streamverify_run_seconds"):
        with pytest.raises(KeyError):
            made.at_scrape({name: lambda: 1})
    metrics_of(Process.WORKER).require_all()


def test_a_histogram_is_observed_and_its_labels_are_held_to_their_sets() -> None:
    made = metrics_of(Process.GATEWAY)
    made.histogram("streamverify_http_request_seconds", "/verify").observe(0.3)
    made.histogram("streamverify_event_loop_delay_seconds").observe(20)
    page = Page(text(made))
    assert page.value("streamverify_http_request_seconds_bucket", le="0.5", route="/verify") == 1
    assert page.value("streamverify_http_request_seconds_bucket", le="0.25", route="/verify") == 0
    assert page.value("streamverify_event_loop_delay_seconds_bucket", le="10.0") == 0
    assert page.value("streamverify_event_loop_delay_seconds_bucket", le="+Inf") == 1
    with pytest.raises(ValueError, match="has no route="):
        made.histogram("streamverify_http_request_seconds", "/somebodys/path")


def test_two_processes_in_one_do_not_share_their_counts() -> None:
    one, other = metrics_of(Process.WORKER), metrics_of(Process.WORKER)
    one.histogram("streamverify_run_seconds").observe(1.0)
    assert Page(text(one)).value("streamverify_run_seconds_count") == 1
    assert Page(text(other)).value("streamverify_run_seconds_count") == 0
