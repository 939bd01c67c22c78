"""The winner of a group has its caller's id, where it came through this gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_results import result

from streamverify.gateway import winners as module
from streamverify.gateway.winners import Winners

if TYPE_CHECKING:
    import pytest

SUPERSEDED = "no verdict of its own: gw-1 is verified"


def test_a_winner_is_named_as_its_caller_did() -> None:
    winners = Winners()
    winners.note(result("ok", {}, custom_id="gw-1"), "first")
    told = winners.in_callers_words(result("superseded", None, superseded_by="gw-1", summary=SUPERSEDED))
    assert (told.superseded_by, told.summary) == ("first", "no verdict of its own: first is verified")


def test_one_that_came_another_way_stays_as_it_is() -> None:
    winners = Winners()
    winners.note(result("lean_error", {}, custom_id="gw-1"), "rejected")
    winners.note(result("ok", {}, custom_id="gw-1"), "")
    superseded = result("superseded", None, superseded_by="gw-1", summary=SUPERSEDED)
    assert winners.in_callers_words(superseded) is superseded
    verified = result("ok", {})
    assert winners.in_callers_words(verified) is verified


def test_the_oldest_makes_room_and_a_long_id_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WINNERS", 2)
    winners = Winners()
    for number in range(3):
        winners.note(result("ok", {}, custom_id=f"gw-{number}"), f"p{number}" + "x" * 200)
    named = [
        winners.in_callers_words(result("superseded", None, superseded_by=f"gw-{number}", summary="s")).superseded_by
        for number in range(3)
    ]
    assert named[0] == "gw-0"
    assert [len(name or "") for name in named[1:]] == [128, 128]
