"""Plans what topics should be like, and says what each difference does to proofs. Pure: it knows no Kafka client."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAY_MS = 24 * 60 * 60 * 1000
SHORT_RETENTION_MS = 3 * DAY_MS
"""A backlog may well live this long; what is kept for less may be lost before it is read."""
KAFKA_MAX_MESSAGE_BYTES = 1024 * 1024 + 12
"""`max.message.bytes` of a topic as Kafka has it by default: a record of one MiB, and what a batch adds to it."""
MAX_REQUEST_BYTES = 100 * 1024 * 1024
"""The largest request that a broker takes by default (`socket.request.max.bytes`)."""
MAX_PROOF_BYTES = 50_000_000
"""The largest proof that a setting can allow: as JSON it may have twice its bytes."""
_DEAD_LETTER_BYTES = 1024 * 1024 - 12
"""Bytes that a dead letter may say of its request: with the usual request topic 2 MiB come out for the two."""
_FOR_EVER = -1
"""The value of `retention.ms` and `retention.bytes` by which nothing is deleted."""


class Purpose(Enum):
    """The use of a topic. It decides which differences lose or delay something."""

    REQUESTS = auto()
    """Proofs that wait to be read, each of them once."""
    RESULTS = auto()
    """Verdicts, of which the newest of each custom_id stays."""
    DEAD_LETTERS = auto()
    """Records that could not be answered."""
    ANNOUNCEMENTS = auto()
    """Announcements of workers to each other, of use for a while: the newest record of each key."""
    STATE = auto()
    """The state of a service of ours: the newest record of each key, for ever."""
    ROWS = auto()
    """The changelog of the results table: the newest record of each key, as long as results are kept."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The plan of a topic."""

    name: str
    purpose: Purpose
    partitions: int
    replication: int
    settings: Mapping[str, str]
    like: str | None = None
    """The topic of which this one must have the number of partitions."""
    asked: frozenset[str] = frozenset()
    """The names of which a person has given the value (`partitions`, `replication`, or a setting). It has to be just
    that; of every other, more is as good."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it; `settings` is None where the broker does not tell."""

    name: str
    exists: bool
    partitions: int = 0
    replication: int = 0
    settings: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as planned."""

    what: str
    """`partitions`, `replication`, or the name of a setting."""
    actual: str
    wanted: str
    harm: str
    """Its effect on proofs; "" if it only is not what was asked for."""
    remedy: str = ""
    """The way to change it, if `topics create --alter` cannot; else ""."""

    def __str__(self) -> str:
        """One line for people."""
        harm = f": {self.harm}" if self.harm else ""
        remedy = f" (not changed by --alter: {self.remedy})" if self.remedy else ""
        actual, wanted = _shown(self.what, self.actual), _shown(self.what, self.wanted)
        return f"{self.what} is {actual}, not {wanted}{harm}{remedy}"


def request_record_bytes(max_proof_bytes: int) -> int:
    """Return the `max.message.bytes` that a topic of requests needs for proofs of that many bytes of UTF-8.

    As JSON a line break, a quote or a backslash takes two bytes, so twice the bytes are enough for any Lean text.
    """
    return max(KAFKA_MAX_MESSAGE_BYTES, 2 * max_proof_bytes + 12)


def dead_letter_record_bytes(max_proof_bytes: int) -> int:
    """Return the `max.message.bytes` that the topic of dead letters needs: a letter holds its request."""
    return request_record_bytes(max_proof_bytes) + _DEAD_LETTER_BYTES


def aligned(plans: Sequence[TopicPlan], states: Mapping[str, TopicState], *, alter: bool) -> list[TopicPlan]:
    """Give the plans that follow another topic (`like`) its number of partitions.

    Args:
        plans: What the topics should be like.
        states: What they are like, by name.
        alter: Whether the topic that is followed gets the partitions that it lacks.
    """
    planned = {plan.name: plan.partitions for plan in plans}

    def partitions(plan: TopicPlan) -> int:
        if plan.like is None or plan.like not in states:
            return plan.partitions
        # With --alter the source gets its partitions in the same run, so its follower needs as many.
        there = states[plan.like].partitions
        return max(there, planned[plan.like]) if alter or not there else there

    return [replace(plan, partitions=partitions(plan)) for plan in plans]


def differences(plan: TopicPlan, state: TopicState) -> list[Difference]:
    """Compare an existing topic with its plan.

    Returns:
        The differences that lose or delay proofs, and those from what was asked for by name.
    """
    found = [_partitions(plan, state), _replication(plan, state)]
    if state.settings is not None:
        found.append(_in_sync(state.replication, state.settings))
        for name, wanted in {**plan.settings, **_everywhere(plan)}.items():
            # A broker that does not know a setting does not tell it.
            actual = state.settings.get(name)
            if actual is not None and name != _IN_SYNC:
                found.append(_setting(plan, name, actual, wanted))
    return [difference for difference in found if difference is not None]


def _partitions(plan: TopicPlan, state: TopicState) -> Difference | None:
    fewer = state.partitions < plan.partitions
    if state.partitions == plan.partitions:
        return None
    if plan.like is not None:
        service = "table" if plan.purpose is Purpose.ROWS else "router"
        harm = f"the {service} needs as many as {plan.like} has"
    elif fewer and plan.purpose is Purpose.REQUESTS:
        harm = f"at most {state.partitions} workers share the proofs"
    elif "partitions" in plan.asked:
        harm = ""
    else:
        return None
    remedy = "" if fewer else "Kafka takes no partition away, so delete the topic, and with it its records"
    return Difference("partitions", str(state.partitions), str(plan.partitions), harm, remedy)


def _replication(plan: TopicPlan, state: TopicState) -> Difference | None:
    fewer = state.replication < plan.replication
    # More copies than planned harm nothing; they are named only to a person who asked for a number.
    if not fewer and ("replication" not in plan.asked or state.replication == plan.replication):
        return None
    harm = "what is only on a broker that is lost is lost with it" if fewer else ""
    remedy = "kafka-reassign-partitions.sh does it"
    return Difference("replication", str(state.replication), str(plan.replication), harm, remedy)


_IN_SYNC = "min.insync.replicas"


def in_sync(replication: int) -> int:
    """Return `min.insync.replicas` for so many copies: acknowledged records survive one broker, and one may be down."""
    return 2 if replication > 2 else 1  # noqa: PLR2004 - of three


def _in_sync(replication: int, settings: Mapping[str, str]) -> Difference | None:
    needed = int(settings.get(_IN_SYNC, "1"))
    if needed > replication:
        harm = "nothing can be written to it"
    elif needed < in_sync(replication):
        harm = "what was acknowledged may be on one broker only, and is lost with it"
    elif needed == replication > 2:  # noqa: PLR2004 - with two copies one has the choice: safe, or always writable
        harm = "nothing can be written while a broker is down"
    else:
        return None
    return Difference(_IN_SYNC, str(needed), str(in_sync(replication)), harm)


def _everywhere(plan: TopicPlan) -> dict[str, str]:
    """Name the settings that are checked but not set: Kafka's defaults, which some providers forbid to set."""
    settings = {"unclean.leader.election.enable": "false"}
    if plan.purpose in {Purpose.REQUESTS, Purpose.DEAD_LETTERS}:
        settings["message.timestamp.before.max.ms"] = str((1 << 63) - 1)
    return settings


_HARM = {
    "retention.ms": "what is older is deleted, read or not: a backlog that lives longer is lost",
    "retention.bytes": "a partition that grows beyond it loses its oldest records, read or not",
    "min.compaction.lag.ms": "a verdict that is replaced vanishes before all who follow the topic have seen it",
    "unclean.leader.election.enable": "a broker without the newest records may become leader: those are lost",
    "message.timestamp.before.max.ms": "a forwarded proof or a dead letter keeps its time, and an old one is refused",
}
_TOO_LARGE = {
    Purpose.REQUESTS: "it refuses larger requests, such as proofs of MAX_PROOF_BYTES can be",
    Purpose.RESULTS: "more of what Lean says is cut",
    Purpose.DEAD_LETTERS: "larger ones do not hold their request",
    Purpose.ANNOUNCEMENTS: "larger ones are refused",
    Purpose.STATE: "larger ones are refused",
    Purpose.ROWS: "larger ones are refused",
}


def _setting(plan: TopicPlan, name: str, actual: str, wanted: str) -> Difference | None:
    if name == "cleanup.policy":
        harm = _harm_of_cleanup(plan.purpose, _words(actual))
        same = _words(actual) == _words(wanted)
    elif name == "max.message.bytes":
        harm = _TOO_LARGE[plan.purpose] if int(actual) < int(wanted) else ""
        same = actual == wanted
    else:
        harm = _HARM[name] if _amount(name, actual) < _amount(name, wanted) else ""
        if harm and plan.purpose is Purpose.ROWS:
            harm = "the table forgets, at its next restart, results that their topic may still have"
        if harm and plan.purpose is Purpose.ANNOUNCEMENTS:
            harm = "successes are forgotten early, and attempts that nobody needs are run"
        same = actual == wanted
    if harm or (name in plan.asked and not same):
        return Difference(name, actual, wanted, harm)
    return None


def _harm_of_cleanup(purpose: Purpose, policy: set[str]) -> str:
    if purpose in {Purpose.REQUESTS, Purpose.DEAD_LETTERS}:
        return "compaction deletes all but the newest record of a key, read or not" if "compact" in policy else ""
    if purpose is Purpose.ANNOUNCEMENTS:
        # Kept for longer than they are of use either way.
        return ""
    if "compact" not in policy:
        return "the newest record of a key is deleted with the rest when it is old"
    if purpose is Purpose.STATE and "delete" in policy:
        return "the newest record of a key is deleted when it is old"
    return ""


def _words(policy: str) -> set[str]:
    return {word for word in policy.replace(" ", "").split(",") if word}


def _amount(name: str, value: str) -> float:
    """Read a value as a number of which more is better."""
    if name == "unclean.leader.election.enable":
        return float(value == "false")
    number = int(value)
    return float("inf") if name.startswith("retention.") and number == _FOR_EVER else float(number)


def _shown(name: str, value: str) -> str:
    """Word a value for people: lengths of time in days too."""
    if name.endswith(".ms") and 0 < int(value) < 100 * 365 * DAY_MS:
        return f"{value} ({int(value) / DAY_MS:.3g} days)"
    return value
