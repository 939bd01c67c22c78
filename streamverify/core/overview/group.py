"""The facts about a group from which its overview is made: from the broker, and from the workers. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamverify.core.delivery.group_position import GroupPosition
    from streamverify.core.overview.card import Card
    from streamverify.core.overview.status import WorkerStatus

STABLE = "Stable"
REBALANCING = frozenset({"PreparingRebalance", "CompletingRebalance"})
"""States in which a broker tells neither what members have subscribed with nor which partitions they have."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member as the broker describes it."""

    member_id: str
    client_id: str
    client_host: str
    process: str = ""
    """Machine and number of its process, `HOST:PID`; "" where it does not say."""
    card: Card | None = None
    partitions: tuple[int, ...] = ()
    """Those of the request topic."""

    @property
    def static_name(self) -> str | None:
        """The member's `group.instance.id`: a broker begins the id of a member with that, else with its client id."""
        name, uuid = self.member_id[:-37], self.member_id[-37:]
        is_id = uuid.startswith("-") and len(uuid) == 37 and uuid.count("-") == 5  # noqa: PLR2004 - a UUID's form
        return name if is_id and name not in {self.client_id, ""} else None


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the broker describes it."""

    state: str
    members: tuple[GroupMember, ...] = ()

    @property
    def is_rebalancing(self) -> bool:
        """True while the broker tells nothing of the members but that they are there."""
        return self.state in REBALANCING


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker's part of the facts. Each is None where the broker does not say it."""

    group: Group | None = None
    positions: tuple[GroupPosition, ...] | None = None
    dead_letters: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessAnswer:
    """The outcome of asking one address."""

    url: str
    process: Literal["worker", "router", "table", "gateway", "unknown"] = "unknown"
    status: WorkerStatus | None = None
    ready: bool | None = None
    """None: nothing answers, or something else than a process of ours."""
    problem: str | None = None
    nobody: bool = False
    """True where nothing at all answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All facts that are known at one moment."""

    brokers: str
    group_id: str
    topic: str
    broker: Broker = field(default_factory=Broker)
    answers: dict[str, ProcessAnswer] = field(default_factory=dict)
    """By URL."""
    hostname: str = ""
    """The machine of whoever asks: addresses of the loopback are good on the same machine only."""


def remembered(group: Group, known: dict[str, GroupMember]) -> Group:
    """Give the members of a group that rebalances what is known of them from before.

    Args:
        group: The group as it is described now.
        known: What its members said when it was last stable, by member id; it is updated.
    """
    if not group.is_rebalancing:
        known.clear()
        known.update({member.member_id: member for member in group.members})
        return group
    members = [
        replace(member, process=before.process, card=before.card)
        if (before := known.get(member.member_id)) is not None
        else member
        for member in group.members
    ]
    return replace(group, members=tuple(members))
