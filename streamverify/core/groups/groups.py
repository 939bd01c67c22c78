"""Decides which attempts of a group are superseded, and when a success is announced. Pure: no clock, no Kafka.

One worker's view. `now` and all times are in seconds since the epoch, as the times of different workers are compared.
The life of an attempt that belongs to a scope:

    enter ── a winner is known ──> superseded
    enter ── runs or waits ── won: a winner is announced ──> superseded
                           ── finished: any verdict ──> its own answer
    verified ── acknowledged by the broker, record ours ──> announced: the winner of its scope

- A success is announced after the broker has its result, and only while its record is ours: whoever is superseded by it
  can be told where to look, and no worker announces what another one has yet to find out.
- A winner supersedes those that asked for at most the assurance that it has.
- A winner is never superseded, nor is an attempt whose record is in quarantine: its worker may have died after its own
  success was published.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.job import RecordId
    from streamverify.core.messages.models import Assurance

MAX_WINNERS = 50_000
"""The number of winners that a worker remembers; beyond it the one that was announced first is forgotten."""


class Winner(NamedTuple):
    """An attempt that is verified, and whose result the broker has."""

    scope: str
    custom_id: str
    partition: int
    offset: int
    assurance: Assurance
    announced: float
    """The time of the announcement, in seconds since the epoch."""


class GroupAttempt(NamedTuple):
    """A request that needs no answer of its own once another of its scope is verified."""

    record_id: RecordId
    scope: str
    custom_id: str
    assurance: Assurance
    """The assurance that makes it verified."""
    quarantined: bool = False
    """True where a worker died at its partition: it is not superseded."""


class Groups:
    """The attempts in this worker, and the winners that it has heard of."""

    def __init__(self, *, ttl: float, most: int = MAX_WINNERS) -> None:
        """Begin without attempts and winners.

        Args:
            ttl: Seconds after its announcement until a winner is forgotten.
            most: The number of winners that are remembered.
        """
        self._ttl = ttl
        self._most = most
        # The winners of each scope by their ids. The scope whose last winner was announced first comes first.
        self._winners: OrderedDict[str, dict[str, Winner]] = OrderedDict()
        self._known = 0
        self._attempts: dict[RecordId, GroupAttempt] = {}
        self._of_scope: dict[str, dict[RecordId, GroupAttempt]] = {}
        # Successes that the broker has, while a rebalance leaves open whose their records are.
        self._undecided: list[tuple[GroupAttempt, Assurance]] = []

    def __len__(self) -> int:
        """The number of winners and attempts that are remembered."""
        return self._known + len(self._attempts) + len(self._undecided)

    # --- attempts -----------------------------------------------------------------------------------------------

    def enter(self, attempt: GroupAttempt, now: float) -> Winner | None:
        """Take an attempt in that was just delivered.

        Returns:
            The winner that supersedes it: then it is not to be run. None: it is to be run, and may be superseded later
            until it is `finished`.
        """
        self._forget_expired(now)
        # Its worker may have died just after its own success was published: it has to be answered again.
        if attempt.quarantined:
            return None
        if winner := self._beaten(attempt, now):
            return winner
        self._attempts[attempt.record_id] = attempt
        self._of_scope.setdefault(attempt.scope, {})[attempt.record_id] = attempt
        return None

    def finished(self, record_id: RecordId) -> None:
        """An attempt has its own verdict, or was dropped: it is not superseded any more."""
        attempt = self._attempts.pop(record_id, None)
        if attempt is not None:
            of_scope = self._of_scope[attempt.scope]
            del of_scope[record_id]
            if not of_scope:
                del self._of_scope[attempt.scope]

    # --- winners ------------------------------------------------------------------------------------------------

    def acknowledged(
        self, attempt: GroupAttempt, assurance: Assurance, now: float, *, ours: bool | None
    ) -> Winner | None:
        """The broker has the verified result of an attempt.

        Args:
            attempt: The attempt.
            assurance: What its verdict is worth.
            now: The time, in seconds since the epoch.
            ours: Whether its record is ours; None while a rebalance leaves that open.

        Returns:
            The winner, to be announced; None if it is not to be, or not yet (see `assignment_known`).
        """
        if ours is None:
            self._undecided.append((attempt, assurance))
            return None
        partition, offset, _epoch = attempt.record_id
        return Winner(attempt.scope, attempt.custom_id, partition, offset, assurance, now) if ours else None

    def assignment_known(self, is_ours: Callable[[RecordId], bool | None], now: float) -> list[Winner]:
        """Decide about the successes of which it was open whose they are.

        Args:
            is_ours: Tells whether a record is this worker's; None while that is open.
            now: The time, in seconds since the epoch.

        Returns:
            The winners to be announced.
        """
        undecided, self._undecided = self._undecided, []
        decided = [self.acknowledged(*each, now, ours=is_ours(each[0].record_id)) for each in undecided]
        return [winner for winner in decided if winner is not None]

    def won(self, winner: Winner, now: float) -> list[GroupAttempt]:
        """A winner was announced, by this worker or another one.

        Returns:
            The attempts that it supersedes. They are not remembered any more.
        """
        self._forget_expired(now)
        # The clock of the worker that announced it may be ahead of ours: it does not live longer for that.
        winner = winner._replace(announced=min(winner.announced, now))
        if now >= winner.announced + self._ttl:
            return []
        winners = self._winners.setdefault(winner.scope, {})
        self._known += winner.custom_id not in winners
        winners[winner.custom_id] = winner
        self._winners.move_to_end(winner.scope)
        # By whole scopes, which are kept in the order of their last announcement.
        while self._known > self._most:
            self._forget(next(iter(self._winners)))
        beaten = [each for each in self._of_scope.get(winner.scope, {}).values() if self._beaten(each, now)]
        for attempt in beaten:
            self.finished(attempt.record_id)
        return beaten

    def _beaten(self, attempt: GroupAttempt, now: float) -> Winner | None:
        """Find the winner that supersedes an attempt: of several the one that was announced first."""
        winners = list(self._alive(attempt.scope, now))
        # Both names of a winner count: its record may be delivered again, or its id be sent again in another record.
        if any(attempt.custom_id == each.custom_id or attempt.record_id[:2] == each[2:4] for each in winners):
            return None
        enough = [each for each in winners if each.assurance >= attempt.assurance]
        return min(enough, key=lambda each: each.announced, default=None)

    def _alive(self, scope: str, now: float) -> Iterator[Winner]:
        return (each for each in self._winners.get(scope, {}).values() if now < each.announced + self._ttl)

    def _forget_expired(self, now: float) -> None:
        while self._winners:
            scope = next(iter(self._winners))
            if any(self._alive(scope, now)):
                break
            self._forget(scope)

    def _forget(self, scope: str) -> None:
        self._known -= len(self._winners.pop(scope))
