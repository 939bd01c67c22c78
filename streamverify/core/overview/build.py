"""Puts an overview of a group together. Pure: the time is passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.metrics.backlog import backlog_seconds
from streamverify.core.overview.members import processes_of, workers_of
from streamverify.core.overview.model import (
    OVERVIEW_VERSION,
    Lag,
    Member,
    Oldest,
    Overview,
    PartitionLag,
    Totals,
    Workers,
    WorkerView,
)
from streamverify.core.overview.rates import lately, mean_seconds, rates
from streamverify.core.overview.versions import mixed_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.delivery.group_position import GroupPosition
    from streamverify.core.overview.group import Seen
    from streamverify.core.overview.rates import History
    from streamverify.core.overview.status import WorkerStatus


def overview(seen: Seen, history: History, *, at: str, given: Sequence[str] = ()) -> Overview:
    """Put together what is known at one moment.

    Args:
        seen: What broker and workers have said.
        history: Earlier samples, without those of `seen`.
        at: The time, RFC 3339.
        given: The addresses of `--url`.
    """
    workers = [_measured(view, history) for view in workers_of(seen)]
    # All members are shown; sums are of the workers of this group alone.
    ours = [view for view in workers if view.state != "foreign" and _is_of(view, seen)]
    statuses = [view.status for view in ours if view.status is not None]
    positions = seen.broker.positions
    return Overview(
        schema_version=OVERVIEW_VERSION,
        at=at,
        brokers=seen.brokers,
        group=seen.group_id,
        topic=seen.topic,
        group_state=seen.broker.group.state if seen.broker.group is not None else None,
        problems=problems(seen),
        totals=_totals(ours, statuses),
        rates=rates(lately(history.before(status), status) for status in statuses),
        lag=None if positions is None else _lag(positions, ours, statuses),
        oldest=_oldest(statuses),
        dead_letters=seen.broker.dead_letters,
        mixed_versions=mixed_versions(ours),
        workers=workers,
        processes=processes_of(seen.answers.values(), given),
    )


def workers(seen: Seen, *, at: str, partitions: Sequence[int] = ()) -> Workers:
    """Put together what is known of the members alone.

    Args:
        seen: What broker and workers have said.
        at: The time, RFC 3339.
        partitions: The partitions of the request topic.
    """
    views = workers_of(seen)
    return Workers(
        schema_version=OVERVIEW_VERSION,
        at=at,
        group=seen.group_id,
        topic=seen.topic,
        group_state=seen.broker.group.state if seen.broker.group is not None else None,
        problems=problems(seen),
        unassigned=unassigned(seen, partitions),
        mixed_versions=mixed_versions(view for view in views if _is_of(view, seen)),
        workers=[Member.model_validate(view.model_dump()) for view in views],
    )


def unassigned(seen: Seen, partitions: Sequence[int]) -> list[int]:
    """List the partitions that no member has; none while the broker does not say who has which."""
    group = seen.broker.group
    if group is None or group.is_rebalancing:
        return []
    return sorted(set(partitions).difference(*(member.partitions for member in group.members)))


def problems(seen: Seen) -> list[str]:
    """Say what is missing, and why."""
    group = seen.broker.group
    said = list(seen.broker.problems)
    if group is not None and group.is_rebalancing:
        said.append(f"the group rebalances ({group.state}): the broker does not say who has which partitions")
    return said


def _measured(view: WorkerView, history: History) -> WorkerView:
    """Add to a view how many results the worker has in a second."""
    found = rates([] if view.status is None else [lately(history.before(view.status), view.status)])
    return view if found is None else view.model_copy(update={"per_second": found.total})


def _is_of(view: WorkerView, seen: Seen) -> bool:
    """Tell whether a worker belongs to the group: one that was found by its address may be of another."""
    status = view.status
    return status is None or (status.group, status.topic) == (seen.group_id, seen.topic)


def _totals(ours: Sequence[WorkerView], statuses: Sequence[WorkerStatus]) -> Totals:
    return Totals(
        workers=len(ours),
        answering=len(statuses),
        ready=sum(view.ready is True for view in ours),
        slots=sum(status.slot_count for status in statuses),
        running=sum(status.running for status in statuses),
        queued=sum(status.queued for status in statuses),
        in_flight=sum(status.in_flight for status in statuses),
        memory_bytes=sum(memory_of(status) for status in statuses),
        **{
            name: sum(getattr(status.answered, name) for status in statuses)
            for name in ("verified", "rejected", "inconclusive", "cached", "dead_letters")
        },
    )


def memory_of(status: WorkerStatus) -> int:
    """Add up the memory of a worker and of its REPLs."""
    return status.memory_bytes + sum(slot.memory_bytes or 0 for slot in status.slots)


def _lag(positions: Sequence[GroupPosition], ours: Sequence[WorkerView], statuses: Sequence[WorkerStatus]) -> Lag:
    owners = {number: view.name for view in ours for number in view.partitions}
    to_do = sum(position.to_do for position in positions)
    return Lag(
        records=sum(position.lag for position in positions),
        to_do=to_do,
        seconds=backlog_seconds(to_do, mean_seconds(statuses), sum(status.slot_count for status in statuses)),
        partitions=[
            PartitionLag(
                partition=position.partition,
                committed=position.committed,
                end=position.end,
                lag=position.lag,
                to_do=position.to_do,
                worker=owners.get(position.partition),
            )
            for position in positions
        ],
    )


def _oldest(statuses: Sequence[WorkerStatus]) -> Oldest | None:
    found = [(status.name, status.oldest) for status in statuses if status.oldest is not None]
    if not found:
        return None
    name, oldest = max(found, key=lambda pair: pair[1].age_seconds)
    return Oldest(worker=name, **oldest.model_dump())
