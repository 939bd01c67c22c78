"""The errors among Lean's messages."""

from __future__ import annotations

from cli_fakes import make_message

from streamverify.core.messages.models import errors_in


def test_the_errors_are_found_in_their_order_and_nothing_else_is() -> None:
    said = [make_message(text, severity=text.split()[0]) for text in ("info a", "error b", "warning c", "error d")]
    assert [each["data"] for each in errors_in(said)] == ["error b", "error d"]
    assert errors_in([]) == []
