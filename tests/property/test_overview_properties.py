"""What is put together of a group, whatever its members say."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from overview_fakes import LEAN, answer, member, seen, status

from streamverify.core.activity import RECENT_SECONDS, Activity
from streamverify.core.delivery.group_position import GroupPosition
from streamverify.core.messages.models import Reason, Verifier
from streamverify.core.overview.build import overview
from streamverify.core.overview.card import (
    Card,
    Versions,
    client_id,
    decode_card,
    encode_card,
    in_client_id,
    is_ours,
    versions_in,
    versions_of,
)
from streamverify.core.overview.group import GroupMember
from streamverify.core.overview.model import Member, Overview
from streamverify.core.overview.rates import WINDOW, History, lately, rates
from streamverify.core.overview.status import Answered, Recent, WorkerStatus, cut
from streamverify.core.overview.versions import NONE, OLDER, mixed_versions

AT = "2026-01-31T12:00:00Z"
WORDS = st.none() | st.text(min_size=1, max_size=60)
VERIFIERS = st.builds(
    Verifier,
    kind=st.sampled_from(["lean", "replay", "synthetic"]),
    lean_version=WORDS,
    repl_version=WORDS,
    mathlib_version=WORDS,
    policy_version=WORDS,
)
COUNTS = st.fixed_dictionaries(
    {name: st.integers(0, 1000) for name in ("verified", "rejected", "inconclusive", "cached", "dead_letters")}
)


@given(st.text(max_size=200), st.sampled_from([None, "http://10.0.0.7:9464"]), VERIFIERS, st.binary(max_size=80))
def test_a_card_is_read_as_it_was_written_behind_whatever_stands_before_it(
    name: str, url: str | None, verifier: Verifier, before: bytes
) -> None:
    card = Card(name=name, url=url, versions=versions_of("0.1.0", verifier))
    assert decode_card(before + encode_card(card)) == card


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_a_stranger_writes_is_a_card_or_none(before: bytes, after: bytes) -> None:
    for said in (before, before + b"streamverify+" + after):
        card = decode_card(said)
        assert card is None or isinstance(card, Card)


@given(VERIFIERS)
def test_the_client_id_of_an_older_worker_says_what_its_card_would(verifier: Verifier) -> None:
    said, told = versions_in(client_id(verifier)), versions_of("0.1.0", verifier)
    assert is_ours(client_id(verifier))
    for what in ("lean", "repl", "mathlib", "policy"):
        version = getattr(told, what)
        assert getattr(said, what) == (in_client_id(version) if version else None)


@given(st.lists(st.tuples(st.floats(0.1, 30), COUNTS), min_size=1, max_size=20))
def test_rates_over_any_samples_are_what_was_counted_in_the_time_between(
    steps: list[tuple[float, dict[str, int]]],
) -> None:
    history, now, total = History(), 0.0, Answered()
    samples: list[tuple[float, WorkerStatus]] = []
    for seconds, counts in steps:
        now += seconds
        total = Answered(**{name: getattr(total, name) + count for name, count in counts.items()})
        said = status(uptime_seconds=now, answered=total)
        part = lately(history.before(said), said)
        old = [sample for at, sample in samples if at <= samples[-1][0] - WINDOW] or [s for _, s in samples[:1]]
        if old and now - old[-1].uptime_seconds >= 0.5:
            assert part.seconds == now - old[-1].uptime_seconds
            assert part.verified == total.verified - old[-1].answered.verified
        found = rates([part, Recent(seconds=0.0), part])
        assert found is not None
        assert found.total == found.verified + found.rejected + found.inconclusive >= 0
        history.add([said], now)
        samples.append((now, said))


@given(COUNTS, COUNTS, st.floats(0, 50), st.floats(0, 50))
def test_counts_that_go_back_are_of_another_process(
    before: dict[str, int], after: dict[str, int], then: float, now: float
) -> None:
    old, new = status(uptime_seconds=then, answered=before), status(uptime_seconds=now, answered=after)
    part = lately(old, new)
    grew = all(after[name] >= before[name] for name in after)
    assert (part is new.recent) == (now - then < 0.5 or not grew)
    assert part.total >= 0


def test_without_workers_there_is_no_rate() -> None:
    assert rates([]) is None


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 50), st.integers(1, 64)), max_size=5), st.integers(0, 9**9)
)
def test_totals_are_sums_and_the_backlog_takes_its_mean_time_over_all_slots(
    parts: list[tuple[int, int, int]], to_do: int
) -> None:
    said = [
        status(
            f"w{number}",
            slot_count=slots,
            queued=queued,
            answered={"verified": done, "busy_seconds": 2.0 * done},
            recent={"verified": done, "busy_seconds": 2.0 * done, "seconds": 60.0},
        )
        for number, (queued, done, slots) in enumerate(parts)
    ]
    positions = (GroupPosition(0, 0, to_do, to_do, to_do, [], "open"),)
    told = seen(*(member(each.name) for each in said), answers=tuple(map(answer, said)), positions=positions)
    shown = overview(told, History(), at=AT)
    assert (shown.totals.queued, shown.totals.slots) == (sum(p[0] for p in parts), sum(p[2] for p in parts))
    assert shown.totals.workers == shown.totals.answering == shown.totals.ready == len(parts)
    assert shown.lag is not None
    assert shown.lag.to_do == to_do
    done, slots = sum(p[1] for p in parts), sum(p[2] for p in parts)
    assert shown.lag.seconds == (to_do * 2.0 / slots if done else None)
    assert Overview.model_validate_json(shown.model_dump_json()) == shown


@given(
    st.lists(st.tuples(st.sampled_from(["serving", "silent", "older", "foreign"]), st.sampled_from(["1", "2", None])))
)
def test_versions_are_mixed_exactly_where_two_workers_say_different_ones(pairs: list[tuple[str, str | None]]) -> None:
    members = [
        Member.model_validate(
            {
                "name": f"w{number}",
                "state": state,
                "ready": None,
                "problem": None,
                "url": None,
                "host": "",
                "member_id": None,
                "static_name": None,
                "partitions": [],
                "versions": Versions(streamverify=None if state == "older" else "0.1.0", kind="lean", lean=lean),
            }
        )
        for number, (state, lean) in enumerate(pairs)
    ]
    said = {what.what: what.versions for what in mixed_versions(members)}
    ours = [(state, lean) for state, lean in pairs if state != "foreign"]
    assert ("lean" in said) == (len({lean for _, lean in ours}) > 1)
    assert ("streamverify" in said) == (len({state == "older" for state, _ in ours}) > 1)
    if "lean" in said:
        assert said["lean"].keys() == {lean or NONE for _, lean in ours}
        assert sum(map(len, said["lean"].values())) == len(ours)
    if "streamverify" in said:
        assert OLDER in said["streamverify"]


def test_a_version_as_it_fits_into_a_client_id_is_the_same_version() -> None:
    odd = LEAN.model_copy(update={"mathlib": "v4.34.1 (a/b_c)"})
    older = GroupMember("x", "streamverify_lean-4.34.1_repl-v4.34.1_mathlib-v4.34.1-a-b-c-_policy-3", "/h", "x:1")
    told = seen(member(versions=odd), older)
    assert [mixed.what for mixed in overview(told, History(), at=AT).mixed_versions] == ["streamverify"]


@given(st.lists(st.tuples(st.floats(0.5, 20), st.integers(0, 9)), min_size=1, max_size=40))
def test_what_was_done_lately_goes_back_a_minute_or_to_the_last_mark_before_it(steps: list[tuple[float, int]]) -> None:
    activity, now, counts = Activity(0.0), 0.0, [(0.0, 0)]
    for seconds, answers in steps:
        for _ in range(answers):
            activity.answered(Reason.OK, busy_seconds=0.5)
        now += seconds
        counts.append((now, counts[-1][1] + answers))
        recent = activity.recent(now)
        since = max((at for at, _ in counts[:-1] if at <= counts[-2][0] - RECENT_SECONDS), default=0.0)
        assert recent.seconds == now - since
        assert recent.total == counts[-1][1] - dict(counts)[since]
        assert recent.busy_seconds == 0.5 * recent.total
        activity.mark(now)
    assert all(a < b for (a, _), (b, _) in pairwise(activity._marks))
    assert len(activity._marks) <= RECENT_SECONDS / 0.5 + 2


@given(st.text(max_size=400), st.integers(1, 300))
def test_a_text_is_cut_to_its_width(text: str, width: int) -> None:
    assert len(cut(text, width)) <= width
    assert text.startswith(cut(text, width).removesuffix("…")) or cut(text, width) == text
