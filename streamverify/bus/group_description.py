"""Reads a broker's answer to the question what a consumer group is like (Kafka's DescribeGroups)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.errors import for_code

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_ERROR = {0, 69}
"""Error codes of a group that is described, and of one that is not there (GROUP_ID_NOT_FOUND, of newer brokers)."""


def described_group(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the description of the one group that was asked for out of the answer.

    Returns:
        Its fields as Kafka names them; a group that is not there has no `members`.

    Raises:
        KafkaError: The broker refused, or is not the group's coordinator any more. aiokafka does not look at the code.
    """
    [group] = answer["groups"]
    if group["error_code"] not in _NO_ERROR:
        raise for_code(group["error_code"])(group["group"])
    described: Mapping[str, Any] = group
    return described
