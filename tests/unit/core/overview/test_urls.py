"""Addresses as people write them, and as strangers might."""

from __future__ import annotations

import pytest

from streamverify.core.overview.urls import NoAddress, is_local, is_url, local_urls, parse_address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("9464", "http://127.0.0.1:9464"),
        ("prover-1:9464", "http://prover-1:9464"),
        ("[::1]:9464/", "http://[::1]:9464"),
        (" http://10.0.0.7:9464/ ", "http://10.0.0.7:9464"),
        ("https://workers.example", "https://workers.example"),
    ],
)
def test_an_address_may_be_short(written: str, meant: str) -> None:
    assert parse_address(written) == meant
    assert is_url(meant)


@pytest.mark.parametrize(
    "written",
    ["", " ", "0", "65536", "-1", "prover-1", "http://", "ftp://a:1", "http://a:1/status", "http://u:p@a:1", "a:b",
     "http://a:99999", "http://a b:1", "http://a:1?x", "http://a\n:1", "\u0663\u0664", "nan", "x" * 70_000],
)  # fmt: skip
def test_all_else_is_refused_in_one_short_line(written: str) -> None:
    with pytest.raises(NoAddress) as refused:
        parse_address(written)
    assert len(str(refused.value)) < 250
    assert "\n" not in str(refused.value)


def test_which_addresses_are_for_one_machine_only() -> None:
    assert all(map(is_local, ["http://127.0.0.1:9464", "http://127.3.2.1:1", "http://localhost", "http://[::1]:9/"]))
    assert not any(map(is_local, ["http://10.0.0.7:9464", "http://localhost.example:1", "http://127.0.0.1.example:1"]))
    assert all(map(is_local, local_urls()))
    assert local_urls()[0] == "http://127.0.0.1:9464"
