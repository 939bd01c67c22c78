"""What another site may make a browser send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.gateway.browsers import foreign_site, names_this_machine

HOST = {"host": "localhost:8000"}


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),  # no browser
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "HTTP://LOCALHOST:8000"}, False),
        ({"origin": "https://localhost:8000"}, False),  # TLS ends in front of us
        ({"origin": "http://localhost:8001"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),  # a sandboxed frame, a file
        ({"origin": ""}, True),
        ({"origin": "http://[half"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://behind.a.proxy"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost:8000"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "of-tomorrow"}, True),
    ],
)
def test_a_post_of_another_site_is_foreign(headers: dict[str, str], foreign: bool) -> None:  # noqa: FBT001 - a table
    assert foreign_site("POST", HOST | headers) is foreign
    assert foreign_site("DELETE", HOST | headers) is foreign
    assert not foreign_site("GET", HOST | headers)


@given(st.text(), st.text())
def test_an_origin_is_ours_only_if_it_names_our_host(origin: str, host: str) -> None:
    if not foreign_site("POST", {"origin": origin, "host": host}):
        assert host.lower() in origin.lower()
        assert host


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "a.localhost", "127.0.0.1:8000", "[::1]:8000", "10.0.0.7:80"]
)
def test_these_names_mean_this_machine(host: str) -> None:
    assert names_this_machine(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "::1"]
)
def test_names_that_anybody_may_point_here_do_not(host: str) -> None:
    assert not names_this_machine(host)


@given(st.text())
def test_no_host_breaks_it(host: str) -> None:
    names_this_machine(host)
