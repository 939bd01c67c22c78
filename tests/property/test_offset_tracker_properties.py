"""OffsetTracker as a state machine: deliver with gaps, complete in any order, snapshot, crash at any step, restore."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamverify.core.delivery.offset_map import MAX_CHARACTERS, OffsetMap, decode_map, encode_map
from streamverify.core.delivery.offset_tracker import Delivery, LocalWork, OffsetTracker


class Tracking(RuleBasedStateMachine):
    """One partition, a tracker at a time, and the last commit that the broker has."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = OffsetMap(0, 0)
        self.tracker = OffsetTracker(self.saved)
        self.position = 0
        self.done: set[int] = set()
        self.missing: set[int] = set()
        self.delivered: set[int] = set()
        self.running: set[int] = set()

    @rule(gaps=st.lists(st.sampled_from((0, 0, 1, 3)), min_size=1, max_size=5))
    def fetch(self, gaps: list[int]) -> None:
        for gap in gaps:
            self.deliver(gap)

    def deliver(self, gap: int) -> None:
        for offset in range(self.position, self.position + gap):
            if offset not in self.delivered:
                self.missing.add(offset)
        offset = next(each for each in range(self.position, self.position + 1000) if each not in self.missing)
        self.position = offset + 1
        delivery = self.tracker.deliver(offset)
        if offset in self.done_when_restored():
            assert delivery is Delivery.DONE, "finished and snapshotted, and repeated"
        elif delivery is Delivery.DONE:
            assert offset in self.done
        elif delivery is Delivery.RUNNING:
            assert offset in self.running
        else:
            assert delivery is Delivery.NEW
            assert offset not in self.running, "run twice at once"
            self.running.add(offset)
        self.delivered.add(offset)
        assert self.tracker.deliver(offset) is Delivery.REPEATED

    def done_when_restored(self) -> set[int]:
        return {
            offset for offset in self.delivered if offset < self.restored.end and offset not in self.restored.incomplete
        }

    restored = OffsetMap(0, 0)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(offset)
        self.done.add(offset)
        self.tracker.complete(offset)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def record_attempt(self, data: st.DataObject) -> None:
        self.tracker.record_attempt(data.draw(st.sampled_from(sorted(self.running))))

    @rule(is_open=st.booleans())
    def commit(self, is_open: bool) -> None:  # noqa: FBT001 - drawn
        offsets = self.tracker.snapshot(is_open=is_open)
        metadata = encode_map(offsets, "t", 0)
        assert len(metadata) <= MAX_CHARACTERS
        self.saved = decode_map(metadata, "t", 0, offsets.base)
        assert self.saved == offsets
        for offset, attempts in offsets.incomplete.items():
            before = self.restored.incomplete.get(offset, 0)
            assert attempts == before + (is_open and offset in self.tracker.attempted)

    @rule()
    def crash(self) -> None:
        self.running.clear()
        self.begin(LocalWork())

    @rule()
    def lose_the_tracker_but_live(self) -> None:
        self.begin(self.tracker.local_work(self.saved.base))

    def begin(self, work: LocalWork) -> None:
        self.restored = self.saved
        # Attempts stay in the range of the format.
        listed = {offset: min(attempts, 3) for offset, attempts in self.saved.incomplete.items()}
        self.restored = OffsetMap(self.saved.base, self.saved.end, listed, open=self.saved.open)
        self.tracker = OffsetTracker(self.restored, work, quarantined=self.saved.open)
        self.position = self.saved.base

    @invariant()
    def the_commit_point_passes_nothing_that_is_unfinished(self) -> None:
        point = self.tracker.commit_point
        assert point <= self.tracker.next
        for offset in range(point):
            assert offset in self.done | self.missing

    @invariant()
    def nothing_in_the_window_is_forgotten(self) -> None:
        offsets = self.tracker.snapshot(is_open=True)
        for offset in range(offsets.base, offsets.end):
            if offset not in offsets.incomplete:
                assert offset in self.done | self.missing


Tracking.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestTracking = Tracking.TestCase
