"""What is known of a job before it runs: whether its time-out says anything, and what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from repl_fakes import job

from streamverify.core.groups.scope import caller_headers
from streamverify.core.scheduling.work import Work, id_prefix, work_of

if TYPE_CHECKING:
    from streamverify.core.job import Job


def known(each: Job) -> Work:
    return work_of(each, default_timeout=60.0, max_timeout=600.0)


def through_a_gateway(key: str, callers_id: str | None, **fields: Any) -> Job:
    each = job("theorem t", custom_id="gateway-1-77", **fields)
    return replace(each, record=replace(each.record, kafka_headers=caller_headers(key, callers_id)))


@pytest.mark.parametrize(("asked", "timeout"), [(None, 60.0), (5.0, 5.0), (10_000.0, 600.0)])
def test_the_timeout_is_that_which_the_worker_will_apply(asked: float | None, timeout: float) -> None:
    assert known(job("theorem t", timeout=asked)) == Work(timeout, None, None)


def test_of_a_gateways_caller_it_is_the_group_then_the_prefix_of_the_callers_own_id() -> None:
    names = known(through_a_gateway("alice", "p12_3", group="g", run="r")).names
    assert names is not None
    assert [name.partition(":")[0] for name in names] == ["group", "prefix"]
    assert known(through_a_gateway("alice", "p12_4", group="g", run="r")).names == names
    assert known(through_a_gateway("alice", "17")).names == ()
    assert known(through_a_gateway("alice", None)).names == ()


def test_callers_and_runs_do_not_share_what_was_observed() -> None:
    jobs = [
        through_a_gateway("alice", "1-1", run="r"),
        through_a_gateway("bob", "1-1", run="r"),
        through_a_gateway("alice", "1-1", run="s"),
    ]
    assert len({known(each).names for each in jobs}) == 3


def test_the_scope_is_the_group() -> None:
    assert known(replace(job("theorem t"), scope="digest")).group == "digest"


@pytest.mark.parametrize(
    ("custom_id", "prefix"),
    [("p12_3", "p12"), ("slow-1", "slow"), ("a/7", "a"), ("x1", "x"), ("17", None), ("abc", None), ("", None)],
)
def test_the_prefix_of_an_id_is_all_but_the_number_at_its_end(custom_id: str, prefix: str | None) -> None:
    assert id_prefix(custom_id) == prefix
