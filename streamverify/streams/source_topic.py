"""Checks the topics of a process around Faust when it starts, and makes its changelog fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError

from streamverify.bus.presence import require_topics
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.bus.admin import PatientAdmin
    from streamverify.settings import Settings
    from streamverify.streams.stream_names import StreamNames


async def prepare_source(
    admin: PatientAdmin, settings: Settings, names: StreamNames, others: Sequence[str] = ()
) -> int:
    """Check that all topics are there, and give the changelog as many partitions as the source has.

    Args:
        admin: It asks the brokers.
        settings: They name the brokers, for messages.
        names: They name source and changelog.
        others: Further topics that have to be there.

    Returns:
        The number of partitions of the source.

    Raises:
        BrokerUnavailable: A topic is missing, the changelog has too many partitions, or the broker refuses.
    """
    found = await require_topics(admin, settings, [names.source, *others, names.changelog])
    has, needs = len(found[names.changelog]), len(found[names.source])
    # Faust assigns source and changelog together, number by number.
    if has > needs:
        raise BrokerUnavailable(
            f"the topic {names.changelog} has {has} partitions, and {names.source} has only {needs}, so it was "
            f"deleted and made again: delete {names.changelog} too, what it says belongs to the old topic"
        )
    # It has fewer if the source was given more since the last start.
    if has < needs:
        try:
            await admin.create_partitions({names.changelog: NewPartitions(total_count=needs)})
        except KafkaError as error:
            raise BrokerUnavailable(
                f"the broker does not extend the topic {names.changelog} to {needs}: {error!r}"
            ) from error
    return needs
