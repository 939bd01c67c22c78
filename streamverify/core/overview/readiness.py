"""Decides whether a group, or one process, is ready. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.overview.model import OVERVIEW_VERSION, Readiness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.overview.group import ProcessAnswer
    from streamverify.core.overview.model import Member

_UNASKED = {"local", "older"}
"""States of members that cannot be asked: what Kafka says of them has to do."""


def process_readiness(answer: ProcessAnswer) -> Readiness:
    """Judge one process by its answer."""
    if answer.nobody:
        return _readiness(answer.url, "nobody", [answer.problem or f"nothing answers at {answer.url}"])
    why = [answer.problem] if answer.problem else []
    if answer.ready is None:
        return _readiness(answer.url, "nobody", why)
    return _readiness(answer.url, "ready" if answer.ready else "not_ready", why)


def group_readiness(
    group: str, state: str | None, members: Sequence[Member], unassigned: Sequence[int], problems: Sequence[str] = ()
) -> Readiness:
    """Judge a group: it is ready if each partition of the request topic is with a member that is.

    Args:
        group: The group's name.
        state: Kafka's word for its state; None: the broker does not say.
        members: Its members.
        unassigned: Partitions that no member has.
        problems: What could not be found out.
    """
    workers = [member for member in members if member.state != "foreign"]
    if not workers:
        return _readiness(group, "nobody", [*problems, f"no worker is in the group {group}"])
    why = []
    if state is not None and state != "Stable":
        why.append(f"the group is not stable ({state}): its partitions move between workers")
    elif unassigned:
        why.append(f"no member has the partitions {shortened(unassigned)}")
    for member in workers:
        # With more workers than partitions some have none: they wait, and nobody waits for them.
        idle = state is not None and not member.partitions
        if member.ready or idle or (member.ready is None and member.state in _UNASKED | {"unknown"}):
            continue
        why.append(f"{member.name} is not ready ({member.state}): {member.problem or 'it says no reason'}")
    if why:
        return _readiness(group, "not_ready", [*problems, *why])
    unasked = [member.name for member in workers if member.ready is None and member.state in _UNASKED]
    said = [f"not asked, as Kafka has them as members: {', '.join(unasked)}"] if unasked else []
    return _readiness(group, "ready", [*problems, *said])


def shortened(numbers: Sequence[int], most: int = 8) -> str:
    """Write numbers as ranges, `0-3, 7`, cut after `most` of them."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    said = [f"{first}" if first == last else f"{first}-{last}" for first, last in ranges]
    return ", ".join(said[:most]) + (", …" if len(said) > most else "")


def _readiness(of: str, state: str, why: Sequence[str]) -> Readiness:
    return Readiness.model_validate({"schema_version": OVERVIEW_VERSION, "of": of, "state": state, "why": list(why)})
