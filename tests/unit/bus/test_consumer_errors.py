"""Polls that fail, and commits of a member that the group has given up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, UnsupportedCodecError

from streamverify.bus.committer import _has_no_generation
from streamverify.bus.consumer import ERROR_WINDOW, MAX_POLL_ERRORS, _Errors
from streamverify.core.errors import WorkerStuck

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer


def test_an_error_that_repeats_ends_the_worker_with_its_cause() -> None:
    errors = _Errors("lean.proofs")
    for now in range(MAX_POLL_ERRORS - 1):
        errors.note(UnsupportedCodecError("lz4"), now)
    with pytest.raises(WorkerStuck, match=r"lean\.proofs fails again and again: UnsupportedCodecError"):
        errors.note(UnsupportedCodecError("lz4"), MAX_POLL_ERRORS)


def test_errors_with_long_pauses_or_of_other_causes_are_forgiven() -> None:
    errors = _Errors("t")
    for number in range(3 * MAX_POLL_ERRORS):
        errors.note(KafkaError("often"), number * ERROR_WINDOW)
        errors.note(KafkaError(str(number)), number * ERROR_WINDOW)


def test_a_broker_that_is_gone_is_waited_for() -> None:
    errors = _Errors("t")
    for now in range(3 * MAX_POLL_ERRORS):
        errors.note(KafkaConnectionError("gone"), now)


@pytest.mark.parametrize(("generation", "given_up"), [(-1, True), (1, False)])
def test_a_member_that_the_group_has_given_up_commits_nothing(generation: int, given_up: bool) -> None:  # noqa: FBT001
    consumer = SimpleNamespace(_coordinator=SimpleNamespace(generation=generation))
    assert _has_no_generation(cast("AIOKafkaConsumer", consumer)) is given_up
