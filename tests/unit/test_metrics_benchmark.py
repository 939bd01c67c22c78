"""The benchmark of the metrics does for a proof what a worker does, and reads the worker's own CPU time."""

from __future__ import annotations

from gateway_results import result

from benchmarks import metrics_cost


def test_noting_a_result_takes_time() -> None:
    given = result("ok", {"env": 0}, timings={"queued": 0.1, "import": 0.0, "run": 0.2, "audit": 0.0, "total": 0.3})
    assert metrics_cost.noting(given, times=2_000) > 0


def test_the_worker_it_measures_has_topics_of_its_own() -> None:
    one, other = (metrics_cost.worker_environment("localhost:1") for _ in range(2))
    differ = {name for name in one if one[name] != other[name]}
    assert {name.removeprefix("STREAMVERIFY_") for name in differ} == {
        "GROUP_ID",
        "REQUEST_TOPIC",
        "RESULT_TOPIC",
        "DLQ_TOPIC",
        "GROUPS_TOPIC",
    }
