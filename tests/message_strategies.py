"""Requests and results as Hypothesis draws them, with every field, for tests of the codec."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from streamverify.core.messages.models import (
    MAX_CHECKERS,
    OUTCOMES,
    Assurance,
    Cached,
    Checker,
    CheckerOutcome,
    Finding,
    ProofRequest,
    ProofResult,
    Reason,
    Response,
    Source,
    Theorem,
    Timings,
    Verifier,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
any_texts = st.text(max_size=60) | st.text(st.characters(categories=["Cs", "Cc", "So"]), max_size=10)
"""Lone surrogates and control characters too, as Python strings may hold them."""
custom_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)
runs = st.text(st.characters(exclude_categories=["Cs"]), max_size=128)
int64s = st.integers(-(2**63), 2**63 - 1)
huge = st.integers(309, 640).map(lambda digits: 10**digits - 1)
seconds = st.floats(0, 1e9)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
words = st.from_regex(r"[a-z][a-z0-9_.]{0,63}", fullmatch=True)


def json_values(strings: st.SearchStrategy[str], integers: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | strings
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
        max_leaves=12,
    )


exact_values = json_values(texts, st.integers(-(2**200), 2**200))
lean_values = json_values(any_texts, st.integers(-(2**70), 2**70))
objects = st.dictionaries(texts, exact_values, max_size=3)
lean_objects = st.dictionaries(any_texts, lean_values, max_size=3)

requests = st.builds(
    ProofRequest,
    custom_id=custom_ids,
    proof=texts,
    timeout=st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
    infotree_type=st.sampled_from([None, "full", "tactics", "original", "substantive"]),
    all_tactics=st.booleans(),
    disable_cache=st.booleans(),
    require=st.sampled_from([None, "checked", "audited", "replayed", "cross_checked"]),
    run=st.none() | runs,
    group=st.none() | runs,
    first_success=st.booleans(),
    theorem=st.none() | texts,
    statement=st.none() | texts,
    deadline=st.none() | st.datetimes(timezones=st.timezones()).filter(lambda moment: 1 < moment.year < 9999),
    metadata=st.none() | objects,
)

messages = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(["error", "warning", "info", "trace"]),
        "pos": st.fixed_dictionaries({"line": st.integers(1, 10**6), "column": st.integers(0, 10**6)}),
        "data": texts,
    },
    optional={"endPos": st.none(), "kind": texts},
)


def responses(strings: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Response]:
    parts = st.fixed_dictionaries(
        {"env": st.none() | int64s, "time": seconds},
        optional={
            "messages": st.lists(messages, max_size=3),
            "sorries": st.lists(st.dictionaries(strings, values, max_size=2), max_size=2),
            "tactics": st.lists(st.dictionaries(strings, values, max_size=2), max_size=2),
            "infotree": values,
            "goals": values,
            "proofStatus": strings,
        },
    )
    return parts.map(Response.model_validate)


def answers(
    reason: Reason, strings: st.SearchStrategy[str], values: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[str | None, Response | None]]:
    """`error` and `response`, of which exactly one is set."""
    failures = st.tuples(strings, st.none())
    answered = st.tuples(st.none(), responses(strings, values))
    return answered if reason is Reason.OK else failures | answered


def results(
    strings: st.SearchStrategy[str], values: st.SearchStrategy[Any], metadata: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[ProofResult]:
    drawn = st.sampled_from(Reason).flatmap(lambda reason: st.tuples(st.just(reason), answers(reason, strings, values)))

    def made(reason: Reason, answer: tuple[str | None, Response | None]) -> st.SearchStrategy[ProofResult]:
        return st.builds(
            ProofResult,
            custom_id=custom_ids,
            status=st.just(OUTCOMES[reason].status),
            reason=st.just(reason),
            retriable=st.just(OUTCOMES[reason].retriable),
            error=st.just(answer[0]),
            response=st.just(answer[1]),
            summary=strings.filter(bool),
            run=st.none() | runs,
            group=st.none() | runs,
            cached=st.none() | st.builds(Cached, age_seconds=st.floats(0, allow_infinity=False)),
            superseded_by=st.none() | custom_ids,
            truncated=st.lists(words, max_size=3, unique=True),
            assurance=st.sampled_from(Assurance),
            reached=st.none() | st.sampled_from(Assurance),
            checkers=st.lists(
                st.builds(
                    Checker,
                    name=words,
                    version=st.none() | strings,
                    outcome=st.sampled_from(get_args(CheckerOutcome)) | words,
                    seconds=seconds,
                ),
                max_size=MAX_CHECKERS,
            ),
            export_sha256=st.none() | digests,
            theorems=st.lists(
                st.builds(Theorem, name=strings, type=st.none() | strings, axioms=st.lists(strings, max_size=2)),
                max_size=3,
            ),
            findings=st.lists(
                st.builds(Finding, rule=strings, line=int64s, column=int64s, excerpt=strings), max_size=3
            ),
            timings=st.builds(
                Timings, queued=seconds, import_=seconds, run=seconds, audit=seconds, replay=seconds, total=seconds
            ),
            attempts=int64s,
            worker=strings,
            verifier=st.builds(
                Verifier,
                kind=st.sampled_from(["lean", "replay", "synthetic"]),
                sandbox=strings,
                lean_version=st.none() | strings,
                mathlib_version=st.none() | strings,
            ),
            source=st.builds(Source, topic=st.just("t"), partition=int64s, offset=int64s, timestamp=int64s),
            proof_sha256=st.none() | digests,
            metadata=st.none() | metadata,
        )

    return drawn.flatmap(lambda pair: made(*pair))


sound_results = results(texts, json_values(texts, int64s), objects)
any_results = results(any_texts, lean_values, lean_objects)
