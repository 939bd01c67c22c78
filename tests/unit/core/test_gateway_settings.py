"""The settings that only the gateway reads, and what it holds at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.admission import Admission
from streamverify.core.environments import GatewayEnvironment, parse_environments
from streamverify.core.keys import ApiKeys


def test_keys_are_known_by_their_names() -> None:
    keys = ApiKeys.parse("alice=secret-one, bob=c2VjcmV0LXR3bw==\n c.d=secret=four")
    assert keys.names == "alice bob c.d"
    assert keys
    assert not ApiKeys.parse(" ")
    assert keys.name_of("Bearer secret-one") == "alice"
    assert keys.name_of("bearer  c2VjcmV0LXR3bw== ") == "bob"
    assert keys.name_of("Bearer secret=four") == "c.d"


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "secret-one", "Basic secret-one", "Bearer secret-on", "Bearer secret-one2",
     "Bearer alice=secret-one", "Bearer sécret-one", "Bearer \udcff"],
)  # fmt: skip
def test_what_is_no_key_has_no_name(authorization: str | None) -> None:
    assert ApiKeys.parse("alice=secret-one").name_of(authorization) is None
    assert ApiKeys({}).name_of(authorization) is None


@pytest.mark.parametrize(
    "text", ["hunter2-hunter2", "=hunter2-hunter2", "a b=hunter2-hunter2", "a=hunter2", "a/b=hunter2-hunter2",
             "a=hunter2-hunter2 a=hunter3-hunter3", "a=hunter2-hunter2 b=hunter2-hunter2",
             "a=hünter2-hunter2"],
)  # fmt: skip
def test_wrong_keys_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=KEY|twice") as raised:
        ApiKeys.parse(text)
    assert "hunter" not in str(raised.value)


def test_environments() -> None:
    assert parse_environments("") == {}
    assert parse_environments(" lean-4.9.0 = a.proofs:a.results; x=b:c : Mathlib Aesop ;") == {
        "lean-4.9.0": GatewayEnvironment("lean-4.9.0", "a.proofs", "a.results"),
        "x": GatewayEnvironment("x", "b", "c", "import Mathlib\nimport Aesop\n"),
    }


@pytest.mark.parametrize("text", ["a", "a=b", "a=b:", "a=b:c:theorem x", "a b=c:d", "a=b:c; a=d:e", "a=b:c:d:e"])
def test_wrong_environments_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not NAME=|comes twice|names no modules"):
        parse_environments(text)


@given(sizes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_admission_holds_no_more_than_it_may(sizes: list[tuple[int, int]]) -> None:
    admission = Admission(requests=3, total_bytes=100)
    held: list[int] = []
    for first, more in sizes:
        full = len(held) >= 3 or (held != [] and sum(held) + first > 100)
        assert admission.enter(first) is not full
        if full:
            assert held
            admission.leave(held.pop(0))
        else:
            held.append(first)
            if admission.grow(more):
                held[-1] += more
        assert (admission.requests, admission.bytes) == (len(held), sum(held))
        assert sum(held) <= 100 or len(held) == 1
