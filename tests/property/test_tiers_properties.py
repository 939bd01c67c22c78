"""Whatever the programs of the tiers do, what is concluded of a proof."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.models import OUTCOMES, Assurance, Checker, CheckerOutcome, Reason, Status
from streamverify.core.tiers.ends import How, ProcessEnd, StepVerdict, exited, judge, obstacle, stopped
from streamverify.core.tiers.replay_queue import ReplayQueue
from streamverify.core.tiers.tier_steps import OWN_READING, Conclusion, Step, TierSteps

TARGETS = [Assurance.REPLAYED, Assurance.CROSS_CHECKED]
OUTCOMES_OF_CHECKERS = st.sampled_from(get_args(CheckerOutcome))
INCONCLUSIVE = st.sampled_from(sorted(set(get_args(CheckerOutcome)) - {"accepted", "refused"}))
REFUSALS = st.sampled_from([Reason.KERNEL, Reason.AXIOM, Reason.STATEMENT_MISMATCH, Reason.NO_THEOREM])
CHECKERS = {Step.READ: OWN_READING, Step.REPLAY: "leanchecker", Step.CROSS_CHECK: "nanoda"}
ORDER = list(Step)
words = st.text(max_size=20)


class Path:
    """A way through the steps with drawn outcomes, and what was drawn for each step."""

    def __init__(self, data: st.DataObject) -> None:
        self.target = data.draw(st.sampled_from(TARGETS))
        self.stated = data.draw(st.booleans())
        self.steps: dict[Step, str] = {}
        tier_steps = TierSteps(self.target, stated=self.stated)
        while not isinstance(step := tier_steps.next, Conclusion):
            # Every step is taken once, in one order.
            assert step not in self.steps
            assert all(ORDER.index(step) > ORDER.index(before) for before in self.steps)
            self.steps[step] = self._take(tier_steps, step, data)
        self.found = step

    def _take(self, tier_steps: TierSteps, step: Step, data: st.DataObject) -> str:
        if step in CHECKERS:
            outcome = data.draw(OUTCOMES_OF_CHECKERS)
            by, step_verdict = Checker(name=CHECKERS[step], outcome=outcome), StepVerdict(outcome, data.draw(words))
            if step is Step.READ:
                tier_steps.read(by, step_verdict, data.draw(REFUSALS))
            else:
                tier_steps.judged(step, by, step_verdict)
            return str(outcome)
        if not data.draw(st.booleans()):
            if step is Step.EXPORT_TRUSTED and data.draw(st.booleans()):
                tier_steps.lacks("Nat.add", Checker(name=OWN_READING, outcome="refused"))
                return "refused"
            tier_steps.failed(step, StepVerdict(data.draw(INCONCLUSIVE), data.draw(words)))
            return "failed"
        if step is Step.EXPORT:
            tier_steps.exported("0" * 64)
        elif step is Step.NEEDS:
            tier_steps.needs(data.draw(st.lists(words, max_size=2)))
        else:
            tier_steps.done(step)
        return "done"


@given(st.data())
def test_a_tier_is_reached_only_if_each_checker_up_to_it_accepts(data: st.DataObject) -> None:
    path = Path(data)
    accepted = [step for step, outcome in path.steps.items() if outcome == "accepted"]
    if path.found.reached >= Assurance.REPLAYED:
        assert accepted[:2] == [Step.READ, Step.REPLAY]
    if path.found.reached is Assurance.CROSS_CHECKED:
        assert accepted == [Step.READ, Step.REPLAY, Step.CROSS_CHECK]
    if path.found.reason is Reason.OK:
        assert path.found.reached is path.target
        assert set(path.steps.values()) <= {"done", "accepted"}


@given(st.data())
def test_it_is_rejected_exactly_if_a_checker_refuses(data: st.DataObject) -> None:
    path = Path(data)
    status = OUTCOMES[path.found.reason].status
    assert (status is Status.REJECTED) == path.found.is_refusal == ("refused" in path.steps.values())
    # Whatever else did not work: an infrastructure failure never looks like a rejection, nor hides one.
    assert (status is Status.VERIFIED) == (set(path.steps.values()) <= {"done", "accepted"})


@given(st.data())
def test_no_kernel_is_asked_about_what_our_own_reading_has_not_accepted(data: st.DataObject) -> None:
    path = Path(data)
    if path.steps.get(Step.READ) != "accepted":
        assert not {Step.REPLAY, Step.CROSS_CHECK} & path.steps.keys()
    if path.stated and Step.READ in path.steps:
        assert path.steps[Step.EXPORT_TRUSTED] == "done"


@given(st.data())
def test_the_result_names_who_judged_and_which_bytes(data: st.DataObject) -> None:
    path = Path(data)
    judged = [path.steps[step] for step in CHECKERS if step in path.steps]
    lacked = ["refused"] if path.steps.get(Step.EXPORT_TRUSTED) == "refused" else []
    assert [each.outcome for each in path.found.checkers] == [*lacked, *judged]
    assert (path.found.export_sha256 is not None) == (path.steps.get(Step.EXPORT) == "done")
    assert path.found.words


ends = st.builds(
    ProcessEnd,
    how=st.sampled_from(How),
    status=st.integers(0, 255),
    out=st.text(max_size=50),
    err=st.text(max_size=50) | st.just("memory allocation of 5 bytes failed"),
    seconds=st.floats(0, 1e6),
)


@given(ends, st.sampled_from(["nanoda", "leanchecker", "leanchecker.olean", "lean4lean"]))
def test_only_a_program_that_exited_by_itself_has_judged(end: ProcessEnd, checker: str) -> None:
    outcome = judge(checker, end).outcome
    if end.how is not How.EXITED:
        assert outcome not in {"accepted", "refused"}
    if outcome == "accepted":
        assert end.status == 0
    if outcome == "refused":
        # No drawn text has the words of leanchecker.
        assert checker in {"nanoda", "lean4lean"}
        assert end.status == 101
    if outcome not in {"accepted", "refused"}:
        reason, _ = obstacle(judge(checker, end))
        assert OUTCOMES[reason].status is Status.INCONCLUSIVE


@given(st.integers(-64, 255))
def test_a_wrapper_passes_signals_on(returncode: int) -> None:
    end = exited(returncode)
    if returncode < 0 or returncode > 128:
        assert end.how is How.SIGNALLED
        assert stopped(end) is not None
    else:
        assert (end.how, end.status) == (How.EXITED, returncode)


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(["require", "upgrade", "start", "end", "withdraw"]), st.integers(0, 9))),
)
def test_the_queue(slots: int, most: int, events: list[tuple[str, int]]) -> None:
    line: ReplayQueue[tuple[str, int]] = ReplayQueue(slots, max_upgrades=most)
    required: list[tuple[str, int]] = []
    upgrades: list[tuple[str, int]] = []
    running: list[tuple[str, int]] = []
    for number, (event, which) in enumerate(events):
        if event == "require":
            line.require(("require", number))
            required.append(("require", number))
        elif event == "upgrade":
            room = len(upgrades) < most
            assert line.upgrade(("upgrade", number), 1) == room
            upgrades += [("upgrade", number)] if room else []
        elif event == "start":
            # In order, and first those whose answer waits; never more than there are slots.
            waiting = required or upgrades
            expected = waiting[0] if waiting and len(running) < slots else None
            assert line.start() == expected
            if expected is not None:
                waiting.remove(expected)
                running.append(expected)
        elif event == "end" and running:
            line.end(running.pop(which % len(running)))
        elif event == "withdraw":
            gone = [each for each in required if each[1] % 10 == which]
            assert line.withdraw(lambda each, which=which: each[1] % 10 == which) == gone  # type: ignore[misc]
            required = [each for each in required if each not in gone]
        assert (line.queued, line.running) == (len(required) + len(upgrades), len(running))
    assert line.drain() == len(upgrades)
    assert line.start() is None
    assert not line.upgrade(("upgrade", -1), 1)


@given(st.lists(st.integers(0, 10), max_size=20))
def test_upgrades_that_wait_are_bounded_in_bytes(sizes: list[int]) -> None:
    line: ReplayQueue[int] = ReplayQueue(100, max_upgrade_bytes=20)
    waiting: list[int] = []
    for number, size in enumerate(sizes):
        assert line.upgrade(size, size) == (sum(waiting) + size <= 20)
        if sum(waiting) + size <= 20:
            waiting.append(size)
        if number % 3 == 2 and waiting:
            assert line.start() == waiting.pop(0)
