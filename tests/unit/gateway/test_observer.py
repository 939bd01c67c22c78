"""What the gateway notes of the results that go by."""

from __future__ import annotations

import orjson
import pytest
from gateway_results import result

from streamverify.core.gateway.live import MAX_TEXT, LiveState
from streamverify.gateway import observer as module
from streamverify.gateway.observer import Observer

FOREIGN = {
    "custom_id": "theirs",
    "status": "rejected",
    "reason": "lean_error",
    "summary": "no goals",
    "source": {"timestamp": 5},
}


def an_observer(*, counts: bool = True) -> tuple[LiveState, Observer]:
    live = LiveState()
    return live, Observer(live, counts=counts, clock=lambda: 1.0)


def test_a_result_of_somebody_else_is_counted_and_listed() -> None:
    live, observer = an_observer()
    observer.passed(orjson.dumps(FOREIGN))
    # An older worker has no summary.
    observer.passed(orjson.dumps({**FOREIGN, "summary": None, "error": "line 1"}))
    assert live.reasons() == {"lean_error": 2}
    assert [(one.custom_id, one.summary, one.at) for one in live.last()] == [
        ("theirs", "line 1", 5),
        ("theirs", "no goals", 5),
    ]
    assert live.rate(1.0) == 2
    assert live.last_of("anybody") == []


def test_results_of_another_environment_are_not_counted_but_those_that_were_asked_for_are_listed() -> None:
    live, observer = an_observer(counts=False)
    observer.passed(orjson.dumps(FOREIGN))
    observer.answered(result("ok", {}), "fine", owner="ann", custom_id="1", key=b"k")
    assert (live.reasons(), live.last()) == ({}, [])
    assert [one.custom_id for one in live.last_of("ann")] == ["1"]


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[]", b"1", b"null", b'"x"', b"{", b'{"source": 1}', b'{"source": [1]}', b"[" * 5000]
)
def test_what_is_no_result_is_passed_over(value: bytes | None) -> None:
    live, observer = an_observer()
    observer.passed(value)
    assert live.last() == []


def test_fields_of_any_kind_become_bounded_texts() -> None:
    live, observer = an_observer()
    fields = {
        "custom_id": "x" * 10_000,
        "status": {},
        "reason": 7,
        "summary": "y" * 10_000,
        "source": {"timestamp": "soon"},
    }
    observer.passed(orjson.dumps(fields))
    [one] = live.last()
    assert (len(one.custom_id), one.status, one.reason, len(one.summary), one.at) == (MAX_TEXT, "", "", MAX_TEXT, 0)


def test_an_answer_has_the_callers_id_and_the_header_of_its_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_NAMES", 2)
    live, observer = an_observer()
    for number in range(5):
        observer.sent(str(number).encode(), f"import A{number}\ntheorem t : True := trivial")
        answer = result("ok", {}).model_copy(
            update={"timings": result("ok", {}).timings.model_copy(update={"run": 0.5})}
        )
        observer.answered(answer, "fine", owner="ann", custom_id=f"id {number}", key=str(number).encode())
    observer.sent(b"bad", "import 1")
    assert len(observer._headers) <= 2
    assert [one.custom_id for one in live.last_of("ann")] == [f"id {number}" for number in (4, 3, 2, 1, 0)]
    assert [one.header for one in live.headers_of("ann")] == [f"import A{number}" for number in (4, 3, 2, 1, 0)]
