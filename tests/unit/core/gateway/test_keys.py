"""Named API keys: whose a request is, and which settings are refused."""

from __future__ import annotations

import pytest

from streamverify.core.gateway.keys import ApiKeys


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
