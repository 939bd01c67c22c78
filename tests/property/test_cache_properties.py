"""The result cache: what no store may do to it, what its keys tell apart, and that a verdict comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cache_fakes import make_job, make_verdict
from cli_fakes import make_result
from hypothesis import assume, example, given
from hypothesis import strategies as st

from streamverify.core.audit.vocabulary import SHIPPED, Trusted
from streamverify.core.cache.backoff import FIRST_PAUSE, MAX_PAUSE, Backoff
from streamverify.core.cache.cacheable import DECIDED, weight
from streamverify.core.cache.content import MAX_CONTENT, decode, encode, forgotten_fields
from streamverify.core.cache.digests import installation_digest, note_digest, vocabulary_digest, work_digest
from streamverify.core.cache.in_flight import InFlight
from streamverify.core.cache.memory_cache import ENTRY_OVERHEAD, MemoryCache
from streamverify.core.cache.seal import MAGIC, MAX_AHEAD, MAX_ENTRY, Opened, Seal
from streamverify.core.job import Verdict
from streamverify.core.messages import newest
from streamverify.core.messages.models import Assurance, Checker, Finding, Reason, Response, Theorem, Verifier

NAMES = st.binary(min_size=32, max_size=32)
SECRETS = st.binary(min_size=16, max_size=64)
CONTENTS = st.binary(max_size=200)
TIMES = st.floats(1e9, 3e9)
DAY = 86_400.0
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


# --- what a store, or whoever writes to it, may do ------------------------------------------------------------------


@given(SECRETS, NAMES, CONTENTS, TIMES)
def test_what_was_signed_is_read_with_its_time(secret: bytes, name: bytes, content: bytes, created: float) -> None:
    opened = Seal(secret).open(name, Seal(secret).close(name, content, created), created + 1, DAY)
    assert opened is not None
    assert opened.content == content
    assert abs(opened.created - created) <= 0.001


@given(SECRETS, NAMES, CONTENTS, TIMES, st.data())
def test_a_bit_that_was_flipped_is_seen(
    secret: bytes, name: bytes, content: bytes, created: float, data: st.DataObject
) -> None:
    value = bytearray(Seal(secret).close(name, content, created))
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert Seal(secret).open(name, bytes(value), created, DAY) is None


@given(SECRETS, NAMES, CONTENTS, TIMES, st.data())
def test_a_value_that_was_cut_or_lengthened_is_seen(
    secret: bytes, name: bytes, content: bytes, created: float, data: st.DataObject
) -> None:
    value = Seal(secret).close(name, content, created)
    cut = data.draw(st.integers(0, len(value) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))
    for wrong in (value[:cut], value[cut + 1 :], value + more, more + value):
        assert Seal(secret).open(name, wrong, created, DAY) is None


@given(SECRETS, SECRETS, NAMES, NAMES, CONTENTS, CONTENTS, TIMES)
def test_no_valid_value_is_of_use_under_another_name_or_with_another_secret(  # noqa: PLR0913, PLR0917 - what is swapped
    secret: bytes, other_secret: bytes, name: bytes, other: bytes, content: bytes, more: bytes, created: float
) -> None:
    assume(name != other)
    seal = Seal(secret)
    mine, theirs = seal.close(name, content, created), seal.close(other, more, created)
    assert seal.open(name, theirs, created, DAY) is None
    assert seal.open(other, mine, created, DAY) is None
    assert seal.open(name, mine[: len(MAGIC) + 8] + theirs[len(MAGIC) + 8 :], created, DAY) is None
    if other_secret != secret:
        assert Seal(other_secret).open(name, mine, created, DAY) is None
        assert Seal(other_secret).name(name) != seal.name(name)


@given(SECRETS, NAMES, CONTENTS, TIMES, st.floats(0, 1e8), st.floats(1, 1e7))
def test_an_age_cannot_be_changed_and_what_is_too_old_is_not_read(  # noqa: PLR0913, PLR0917 - times
    secret: bytes, name: bytes, content: bytes, created: float, later: float, max_age: float
) -> None:
    seal = Seal(secret)
    value = seal.close(name, content, created)
    opened = seal.open(name, value, created + later, max_age)
    assume(abs(later - max_age) > 0.01)
    assert (opened is not None) == (later < max_age)
    younger = value[: len(MAGIC)] + int((created + later) * 1000).to_bytes(8, "big") + value[len(MAGIC) + 8 :]
    if younger != value:
        assert seal.open(name, younger, created + later, max_age) is None
    # A worker whose clock runs ahead makes nothing that lives for ever.
    assert seal.open(name, value, created - MAX_AHEAD - 1, max_age) is None
    assert seal.open(name, value, created - MAX_AHEAD / 2, max_age) is not None


@given(SECRETS, NAMES, st.binary(max_size=300), TIMES)
def test_no_other_bytes_are_read(secret: bytes, name: bytes, value: bytes, now: float) -> None:
    for each in (value, MAGIC + value, b"svc0" + value):
        assert Seal(secret).open(name, each, now, DAY) is None


def test_an_entry_of_another_form_or_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seal, name = Seal(b"s" * 16), b"n" * 32
    assert seal.open(name, seal.close(name, b"x" * MAX_ENTRY, 1e9), 1e9, DAY) is None
    monkeypatch.setattr("streamverify.core.cache.seal.MAGIC", b"svc9")
    newer = seal.close(name, b"content", 1e9)
    assert seal.open(name, newer, 1e9, DAY) is not None
    monkeypatch.undo()
    assert seal.open(name, newer, 1e9, DAY) is None


# --- keys -----------------------------------------------------------------------------------------------------------

asked = st.fixed_dictionaries(
    {
        "proof": st.sampled_from(["theorem t : 1 = 1 := rfl", "theorem t : 1 = 1 := rfl\n", "import A\n", ""]),
        "assurance": st.sampled_from([Assurance.CHECKED, Assurance.AUDITED, Assurance.REPLAYED]),
        "theorem": st.sampled_from([None, "", "t", "s"]),
        "statement": st.sampled_from([None, "", "t", "theorem t : 1 = 1 := sorry"]),
        "infotree_type": st.sampled_from([None, "full", "tactics"]),
        "all_tactics": st.booleans(),
    }
)
PLACES = st.tuples(st.sampled_from(["here", "there"]), st.sampled_from(["", "words", "here"]))


@given(asked, asked, PLACES, PLACES)
def test_keys_are_equal_where_all_is_equal_that_decides(
    one: dict[str, Any], other: dict[str, Any], place: tuple[str, str], elsewhere: tuple[str, str]
) -> None:
    same = one == other and place == elsewhere
    assert (work_digest(make_job(**one), *place) == work_digest(make_job(**other), *elsewhere)) == same


@given(asked, texts.filter(bool), st.floats(1, 600), st.none() | texts)
def test_what_does_not_reach_lean_is_not_in_the_key(
    what: dict[str, Any], custom_id: str, timeout: float, run: str | None
) -> None:
    job = make_job(**what)
    other = job.request.model_copy(
        update={
            "custom_id": custom_id,
            "timeout": timeout,
            "run": run,
            "group": run,
            "metadata": {"a": 1},
            "deadline": datetime.now(UTC),
        }
    )
    assert work_digest(replace(job, request=other), "i", "v") == work_digest(job, "i", "v")


def test_every_field_of_a_request_is_in_the_key_or_known_not_to_matter() -> None:
    outside = {"custom_id", "timeout", "disable_cache", "run", "group", "first_success", "deadline", "metadata"}
    # `require` counts as the assurance that the worker makes of it.
    in_key = {"proof", "infotree_type", "all_tactics", "theorem", "statement", "require"}
    assert set(type(make_job().request).model_fields) == outside | in_key


@given(st.data())
def test_installations_differ_in_anything_that_results_name(data: st.DataObject) -> None:
    verifier = Verifier(kind="lean", lean_version="4.35.0", policy_version="3")
    field = data.draw(st.sampled_from(sorted(Verifier.model_fields)))
    other = verifier.model_copy(update={field: "synthetic"})
    digests = {installation_digest(verifier, {"manifest": "a"}), installation_digest(other, {"manifest": "a"})}
    digests |= {installation_digest(verifier, {"manifest": "b"}), installation_digest(verifier, {"modules": "a"})}
    assert len(digests) == 4


def test_vocabularies_differ_in_every_kind_of_word_and_in_what_is_trusted() -> None:
    more = [
        replace(SHIPPED, **{kind: getattr(SHIPPED, kind) | {"zzz"}})
        for kind in ("commands", "attributes", "options", "tactics")
    ]
    word = frozenset({"zzz"})
    trusted = [
        Trusted(commands=word),
        Trusted(attributes=word),
        Trusted(options=word),
        Trusted(old_comments=True),
    ]
    all_of_them = [SHIPPED, *more, *(replace(SHIPPED, trusted=each) for each in trusted)]
    assert len({vocabulary_digest(each) for each in all_of_them}) == len(all_of_them) == 9


@given(texts, texts, texts, texts)
def test_notes_are_about_one_header_in_one_installation(a: str, b: str, c: str, d: str) -> None:
    assert (note_digest(a, b) == note_digest(c, d)) == ((a, b) == (c, d))
    assert note_digest(a, b) != work_digest(make_job(), a, b)


# --- entries --------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(["error", "info"]),
        "pos": st.fixed_dictionaries({"line": st.integers(1, 99), "column": st.integers(0, 99)}),
        "endPos": st.none(),
        "data": texts,
    },
    optional={"kind": texts, "count": st.integers(1, 9)},
)
verdicts = st.builds(
    make_verdict,
    st.sampled_from([Reason.OK, Reason.LEAN_ERROR, Reason.POLICY]),
    assurance=st.sampled_from(Assurance),
    checkers=st.lists(st.builds(Checker, name=st.just("nanoda"), outcome=st.just("accepted"), seconds=st.floats(0, 9))),
    export_sha256=st.none() | st.just("a" * 64),
    theorems=st.lists(st.builds(Theorem, name=texts, type=st.none() | texts, axioms=st.lists(texts)), max_size=2),
    findings=st.lists(st.builds(Finding, rule=texts, line=st.just(1), column=st.just(0), excerpt=texts), max_size=2),
).flatmap(
    lambda verdict: st.builds(
        lambda said, tree, sorries, extra: replace(
            verdict, response=Response(messages=said, infotree=tree, sorries=sorries, env=3, time=0.5, **extra)
        ),
        st.lists(messages, max_size=3),
        json_values,
        st.lists(st.dictionaries(texts, json_values, max_size=2), max_size=2),
        st.dictionaries(st.sampled_from(["newer", "fields"]), json_values, max_size=2),
    )
)


@given(verdicts)
@example(make_verdict(theorems=[Theorem(name="t" * 5000)]))
def test_a_verdict_comes_back_as_it_was(verdict: Any) -> None:
    content = encode(verdict)
    assert content is not None
    back = decode(content)
    assert back is not None
    lists = ("theorems", "findings", "checkers")
    one, other = (replace(each, **{name: list(getattr(each, name)) for name in lists}) for each in (back, verdict))
    assert one == other


@pytest.mark.parametrize(
    "tree",
    [2**64, "half \ud800", json.loads("[" * 400 + "]" * 400), object(), "x" * (MAX_CONTENT + 1)],
    ids=["large integer", "surrogate", "deep", "no JSON", "large"],
)
def test_what_would_not_come_back_as_it_was_is_not_kept(tree: Any) -> None:
    verdict = make_verdict()
    assert verdict.response is not None
    assert encode(replace(verdict, response=verdict.response.model_copy(update={"infotree": tree}))) is None


def test_what_stays_too_large_when_it_is_compressed_is_not_kept() -> None:
    noise = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(200_000)]
    verdict = make_verdict()
    assert verdict.response is not None
    assert encode(replace(verdict, response=verdict.response.model_copy(update={"infotree": noise}))) is None


@given(st.binary(max_size=200))
@example(b"p{}")
@example(b"pnull")
@example(b"z")
def test_no_content_raises(content: bytes) -> None:
    for each in (content, b"p" + content, b"z" + content):
        assert decode(each) is None


def test_somebody_has_decided_about_every_field_of_a_verdict() -> None:
    assert not forgotten_fields(), "say in core/cache/content.py whether identical work has it in common"


# --- who follows whom -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["enter", "ended", "step", "leave"]), st.integers(0, 30), st.integers(0, 3))))
def test_every_job_leads_follows_or_is_out_and_none_is_lost(steps: list[tuple[str, int, int]]) -> None:
    table: InFlight[int] = InFlight()
    leads: dict[int, int] = {}
    follows: dict[int, list[int]] = {}
    for step, job, work in steps:
        waiting = [each for line in follows.values() for each in line]
        if step == "enter" and job not in leads and job not in waiting:
            first = work not in leads.values()
            assert table.enter(work, job) is first
            if first:
                leads[job] = work
            else:
                follows.setdefault(work, []).append(job)
        elif step == "ended":
            expected = follows.pop(leads.pop(job), []) if job in leads else []
            assert table.ended(job) == expected
        elif step == "step":
            theirs = leads.pop(job, None)
            line = [] if theirs is None else follows.get(theirs, [])
            successor = line.pop(0) if line else None
            assert table.step_down(job) == successor
            if successor is not None and theirs is not None:
                leads[successor] = theirs
        elif step == "leave":
            assert sorted(table.leave(lambda each: each % 4 == work)) == sorted(  # noqa: B023 - called at once
                each for each in waiting if each % 4 == work
            )
            follows = {key: [each for each in line if each % 4 != work] for key, line in follows.items()}
        assert table.following == sum(map(len, follows.values()))


# --- the memory, and outages ----------------------------------------------------------------------------------------


@given(st.integers(0, 20_000), st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 3000))))
def test_the_memory_keeps_what_was_used_last_within_its_bytes(limit: int, steps: list[tuple[bool, int, int]]) -> None:
    memory = MemoryCache(limit)
    model: dict[bytes, Opened] = {}
    for puts, number, size in steps:
        name = str(number).encode()
        if puts:
            entry = Opened(b"x" * size, 0.0)
            memory.put(name, entry)
            model.pop(name, None)
            if size + ENTRY_OVERHEAD <= limit // 8:
                model[name] = entry
            while sum(len(each.content) + ENTRY_OVERHEAD for each in model.values()) > limit:
                del model[next(iter(model))]
        else:
            assert memory.get(name, 1.0, DAY) == model.get(name)
            if name in model:
                model[name] = model.pop(name)
        assert list(memory.entries().items()) == list(model.items())
        assert memory.bytes == sum(len(each.content) + ENTRY_OVERHEAD for each in model.values()) <= limit


def test_the_memory_forgets_what_is_too_old() -> None:
    memory = MemoryCache(100_000)
    memory.put(b"a", Opened(b"x", 100.0))
    assert memory.get(b"a", 110.0, 20.0) is not None
    assert memory.get(b"a", 121.0, 20.0) is None
    assert (len(memory), memory.bytes) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 200), st.booleans())))
def test_a_store_that_fails_is_asked_seldom_and_one_that_works_always(steps: list[tuple[float, bool]]) -> None:
    backoff, now, failures, failed_at = Backoff(), 0.0, 0, 0.0
    for passed, works in steps:
        now += passed
        pause = min(FIRST_PAUSE * 2 ** (failures - 1), MAX_PAUSE) if failures else 0.0
        assert backoff.may_ask(now) == (now >= failed_at + pause)
        assert backoff.is_failing == (failures > 0)
        if not backoff.may_ask(now):
            continue
        if works:
            assert backoff.worked() is (failures > 0)
            failures = 0
        else:
            assert backoff.failed(now) is (failures == 0)
            failures, failed_at = failures + 1, now


@given(
    st.sampled_from(sorted(DECIDED)),
    st.sampled_from([each for each in Assurance if each is not Assurance.NONE]),
    st.sampled_from([[], [Checker(name="nanoda", outcome="accepted")]]),
)
def test_what_is_kept_weighs_what_its_result_weighs(
    reason: Reason, assurance: Assurance, checkers: list[Checker]
) -> None:
    kept = Verdict(reason, "", assurance=assurance, checkers=checkers)
    read = make_result("a", reason, assurance=assurance, checkers=checkers)
    assert weight(kept) == newest.weight(read)
