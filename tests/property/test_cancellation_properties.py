"""A topic, cancellations of what is on it, and a worker that hears of them early, late or never.

Whatever the order: a request that has the names and was there is ended by a cancellation that was heard of; one that
came later, that has another name, or is another caller's never is.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamverify.core.groups.announcement import decode_cancellation, encode_cancellation, is_cancellation
from streamverify.core.groups.cancellation import MAX_LEAD, Cancellation, Cancellations, Names
from streamverify.core.groups.scope import caller_headers
from streamverify.core.job import Record, RecordId
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN, ProofRequest, Source

PARTITIONS = 3
MOST = 6
WORDS = st.sampled_from(["a", "b", "c"])
MAYBE = st.none() | WORDS
NAMES = st.builds(Names, MAYBE, MAYBE, st.frozensets(WORDS, max_size=2), MAYBE).filter(bool)


class Sent(NamedTuple):
    """A record of the request topic, and how many cancellations were made before it was there."""

    record: Record
    request: ProofRequest
    after: int


def record_of(partition: int, offset: int, key: str | None, callers: str | None, milliseconds: int) -> Record:
    headers = [] if key is None else list(caller_headers(key, callers))
    source = Source(topic="t", partition=partition, offset=offset, timestamp=milliseconds)
    return Record(RecordId(partition, offset, 0), source, None, b"", headers, received=0.0)


def is_named(names: Names, each: Sent, key: str | None, callers: str | None) -> bool:
    """The rule, said once more in other words."""
    said = [
        names.run in (None, each.request.run),
        names.group in (None, each.request.group),
        names.api_key in (None, key),
        not names.ids or bool(names.ids & {each.request.custom_id, callers if names.api_key else None}),
    ]
    return all(said)


class CancellationMachine(RuleBasedStateMachine):
    """The topic and one worker."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.log: list[list[tuple[Sent, str | None, str | None]]] = [[] for _ in range(PARTITIONS)]
        self.made: list[Cancellation] = []
        self.heard: list[int] = []
        self.worker = Cancellations(consumer_group="g", topic="t", most=MOST)

    @rule(
        partition=st.integers(0, PARTITIONS - 1),
        custom_id=WORDS,
        run=MAYBE,
        group=MAYBE,
        key=MAYBE,
        callers=MAYBE,
        skew=st.floats(-MAX_LEAD, MAX_LEAD * 0.99),
    )
    def send(  # noqa: PLR0913, PLR0917 - what a request has
        self,
        partition: int,
        custom_id: str,
        run: str | None,
        group: str | None,
        key: str | None,
        callers: str | None,
        skew: float,
    ) -> None:
        """Whatever the sender's clock says: up to Kafka's limit it may be ahead."""
        request = ProofRequest(custom_id=custom_id, proof="p", run=run, group=group)
        callers = callers if key else None
        milliseconds = int((self.now + skew) * 1000)
        record = record_of(partition, len(self.log[partition]), key, callers, milliseconds)
        self.log[partition].append((Sent(record, request, len(self.made)), key, callers))

    @rule(names=NAMES, seconds=st.sampled_from([0.0, 1.0]))
    def cancel(self, names: Names, seconds: float) -> None:
        self.now += seconds
        ends = tuple(len(log) for log in self.log)
        record = encode_cancellation(Cancellation("g", "t", names, ends, self.now))
        assert is_cancellation(record.key)
        self.made.append(decode_cancellation(record.value, record.timestamp_ms))
        assert self.made[-1].names == names

    @precondition(lambda self: len(self.heard) < len(self.made))
    @rule()
    def hear(self) -> None:
        """In the order of the topic."""
        number = len(self.heard)
        assert self.worker.add(self.made[number])
        self.heard.append(number)

    @rule()
    def restart(self) -> None:
        """A worker that starts reads the topic from its beginning."""
        self.worker, self.heard = Cancellations(consumer_group="g", topic="t", most=MOST), []

    @invariant()
    def what_is_ended_was_named_before_and_what_was_named_is_ended(self) -> None:
        remembered = set(self.worker._known.values())
        for log in self.log:
            for each, key, callers in log:
                found = self.worker.find(each.record, each.request)
                ending = [
                    self.made[number]
                    for number in self.heard
                    if number >= each.after and is_named(self.made[number].names, each, key, callers)
                ]
                if found is not None:
                    assert found in ending
                else:
                    # Only what was forgotten, or replaced by a later one of the same names, ends nothing any more.
                    assert not remembered & set(ending)

    @invariant()
    def the_last_of_the_same_names_is_known(self) -> None:
        for number in self.heard:
            known = self.worker._known.get(self.made[number].names)
            assert known is None or known.ends >= self.made[number].ends

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.worker) <= MOST
        indexed = sum(map(len, self.worker._indexed.values()))
        assert indexed == len(self.worker)


TestCancellations = CancellationMachine.TestCase
TestCancellations.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    run=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_RUN),
    ids=st.frozensets(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_CUSTOM_ID), min_size=1, max_size=5
    ),
    ends=st.lists(st.integers(0, 2**63 - 1), max_size=5),
    seconds=st.integers(0, 2**32),
)
def test_what_is_sent_is_what_is_heard(run: str | None, ids: frozenset[str], ends: list[int], seconds: int) -> None:
    cancellation = Cancellation("g", "t", Names(run, ids=ids), tuple(ends), float(seconds))
    record = encode_cancellation(cancellation)
    assert decode_cancellation(record.value, record.timestamp_ms) == cancellation
