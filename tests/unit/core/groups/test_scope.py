"""Which attempts belong together."""

from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.groups.scope import KEY_HEADER, caller_headers, callers_id, gateway_key, scope_of
from streamverify.core.messages.models import ProofRequest

STATEMENT = "theorem t : 1 = 1 := by sorry"


def scope(
    kafka_headers: tuple[tuple[str, bytes | None], ...] = (), group_id: str = "g", topic: str = "t", **fields: Any
) -> str | None:
    given: dict[str, Any] = {"custom_id": "a", "proof": "x", "group": "p", "first_success": True}
    request = ProofRequest(**given | {"statement": STATEMENT} | fields)
    return scope_of(request, kafka_headers, consumer_group=group_id, result_topic=topic)


@pytest.mark.parametrize(
    "fields", [{"first_success": False}, {"group": None}, {"group": ""}, {"statement": None}], ids=str
)
def test_without_group_first_success_and_a_statement_each_needs_its_own_answer(fields: dict[str, Any]) -> None:
    assert scope(**fields) is None


def test_a_theorem_will_do_for_a_statement() -> None:
    assert scope(statement=None, theorem="t") is not None


def test_attempts_at_one_problem_share_a_scope_whatever_else_they_say() -> None:
    assert scope() == scope(custom_id="b", proof="y", timeout=3.0, require="checked", metadata={"n": 1})


def test_whatever_tells_problems_or_senders_apart_makes_another_scope() -> None:
    scopes = [
        scope(),
        scope(group_id="other"),
        scope(topic="other"),
        scope(run="r"),
        scope(run=""),
        scope(group="q"),
        scope(statement=STATEMENT + " "),
        scope(theorem="t"),
        scope(statement=None, theorem=STATEMENT),
        scope(((KEY_HEADER, b"alice"),)),
        scope(((KEY_HEADER, b"bob"),)),
    ]
    assert len(set(scopes)) == len(scopes)


def test_of_several_keys_the_last_counts_which_is_the_gateways() -> None:
    assert gateway_key([(KEY_HEADER, b"forged"), ("x", b"y"), (KEY_HEADER, b"real")]) == "real"
    assert gateway_key([(KEY_HEADER, None)]) is None
    assert gateway_key([(KEY_HEADER, b"\xff")]) is not None


def test_what_a_gateway_says_of_its_caller_is_read_back() -> None:
    headers = caller_headers("alice", "p\u00e4\ud800" + "x" * 600)
    assert gateway_key(headers) == "alice"
    assert callers_id(headers) == ("p\u00e4?" + "x" * 600)[:512]
    assert callers_id(caller_headers("alice", None)) is None
