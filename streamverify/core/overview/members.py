"""Joins what the broker says of the members of a group with what they answer themselves. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from streamverify.core.overview.card import Versions, is_ours, versions_in
from streamverify.core.overview.model import MemberState, OtherProcess, WorkerView
from streamverify.core.overview.status import cut
from streamverify.core.overview.urls import is_local

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamverify.core.overview.group import Group, GroupMember, ProcessAnswer, Seen
    from streamverify.core.overview.status import WorkerStatus

_SAID = frozenset({"starting", "joining", "serving", "draining", "no_broker"})
_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> list[tuple[int, int, str]]:
    """Make a sort key by which `prover-2` comes before `prover-10`."""
    # Not every digit of Unicode is one that `int` reads; and whoever names a member may write a thousand of them.
    return [
        (0, int(part), "") if part.isascii() and part.isdigit() and len(part) < 20 else (1, 0, part)  # noqa: PLR2004
        for part in _DIGITS.split(name)
        if part
    ]


def urls_of(members: Iterable[GroupMember], hostname: str) -> list[str]:
    """List the addresses of members that can be asked from the machine `hostname`."""
    return [
        member.card.url
        for member in members
        if member.card is not None and member.card.url is not None and not _is_elsewhere(member, hostname)
    ]


def _is_elsewhere(member: GroupMember, hostname: str) -> bool:
    """Tell whether a member's address is good on its own machine only, and that is another one."""
    url = member.card.url if member.card is not None else None
    return url is not None and is_local(url) and member.process.rpartition(":")[0] != hostname


def workers_of(seen: Seen) -> list[WorkerView]:
    """Make the view of every member, and of every worker that was found by its address alone; by name."""
    group = seen.broker.group
    members = [] if group is None else [_member(member, group, seen) for member in group.members]
    known = {view.status.host for view in members if view.status is not None}
    for answer in seen.answers.values():
        if answer.process != "worker" or (answer.status is not None and answer.status.host in known):
            continue
        members.append(_found(answer, seen))
    return sorted(members, key=lambda view: natural(view.name))


def _member(member: GroupMember, group: Group, seen: Seen) -> WorkerView:
    """Make the view of one member of the group."""
    card, answer = member.card, None
    state: MemberState
    problem: str | None
    if card is None:
        state, problem = _without_card(member, group)
    elif _is_elsewhere(member, seen.hostname):
        state, problem = "local", f"its address {card.url} is for its own machine only (HTTP_HOST, ADVERTISED_URL)"
    elif card.url is None:
        state, problem = "silent", "it tells no address that can be used"
    else:
        answer = seen.answers.get(card.url)
        state, problem = _state(answer, member.process)
    # Of a silent member another process may have answered: its numbers are not this one's.
    status = answer.status if answer is not None and state != "silent" else None
    told = card.versions if card is not None else versions_in(member.client_id)
    return WorkerView(
        name=cut(card.name if card is not None else member.static_name or member.process or member.member_id),
        state=state,
        ready=None if status is None else status.ready,
        problem=problem,
        url=None if card is None else card.url,
        host=member.process or member.client_host.removeprefix("/"),
        member_id=member.member_id,
        static_name=member.static_name,
        partitions=list(member.partitions),
        versions=told if state != "foreign" else Versions(),
        per_second=None,
        status=status,
    )


def _without_card(member: GroupMember, group: Group) -> tuple[MemberState, str]:
    """Say what is known of a member that has told its group no card."""
    if not member.process and not is_ours(member.client_id):
        return "foreign", f"it is no worker of streamverify (client id {cut(member.client_id, 40)})"
    if group.is_rebalancing:
        return "unknown", "the group rebalances, and the broker tells nothing of its members until that is over"
    return "older", "an older version, which tells its group no address"


def _state(answer: ProcessAnswer | None, process: str) -> tuple[MemberState, str | None]:
    """Say what is known of a member from the answer at its address."""
    if answer is None or answer.status is None:
        problem = None if answer is None else answer.problem
        return "silent", problem or "it was not asked"
    if answer.status.host != process:
        return "silent", f"another process answers at {answer.url}: {answer.status.host}"
    return _own_state(answer.status), answer.status.problem


def _own_state(status: WorkerStatus) -> MemberState:
    # A later version may have words that this one does not know.
    return next((word for word in get_args(MemberState) if word == status.state and word in _SAID), "other")


def _found(answer: ProcessAnswer, seen: Seen) -> WorkerView:
    """Make the view of a worker that was found by its address."""
    status = answer.status
    if status is None:
        return WorkerView(
            name=answer.url,
            state="older",
            ready=answer.ready,
            problem=answer.problem,
            url=answer.url,
            host="",
            member_id=None,
            static_name=None,
            partitions=[],
            versions=Versions(),
            per_second=None,
            status=None,
        )
    problem = status.problem
    if (status.group, status.topic) != (seen.group_id, seen.topic):
        problem = f"it is of another group: {status.group}, topic {status.topic}"
    return WorkerView(
        name=status.name,
        state=_own_state(status),
        ready=status.ready,
        problem=problem,
        url=answer.url,
        host=status.host,
        member_id=None,
        static_name=None,
        partitions=[partition.partition for partition in status.partitions],
        versions=status.versions,
        per_second=None,
        status=status,
    )


def processes_of(answers: Iterable[ProcessAnswer], given: Sequence[str]) -> list[OtherProcess]:
    """List what answers, or does not, at the addresses that were given and that are no workers."""
    return [
        OtherProcess(url=answer.url, process=answer.process, ready=answer.ready, problem=answer.problem)
        for answer in answers
        if answer.process != "worker" and answer.url in given
    ]
