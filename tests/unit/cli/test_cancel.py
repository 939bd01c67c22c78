"""What `streamverify cancel` refuses, and what it says. tests/e2e/test_cancel.py has what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from commands import Ran, invoke

from streamverify.bus import group_members
from streamverify.client import cancellation
from streamverify.client.cancellation import Cancelled
from streamverify.core.groups.cancellation import Names

if TYPE_CHECKING:
    from streamverify.settings import Settings

DONE = Cancelled(
    Names(run="tuesday"), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "lean.proofs", "streamverify", waiting=1234
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to cancel: --run, --group, --id or --api-key"),
        (["--dry-run"], "say what to cancel"),
        (["--run", ""], "it is empty"),
        (["--id", "a", "--id", " "], "it is empty"),
        (["--run", "r" * 129], "nothing can be cancelled by that name: run "),
        (["--id", "r" * 513], "nothing can be cancelled by that name: ids.0 "),
        (["--group", "\udcff"], "nothing can be cancelled by that name: group "),
    ],
)
def test_what_nobody_can_mean_is_wrong_usage(arguments: list[str], said: str) -> None:
    ran = invoke("cancel", *arguments, "--bootstrap-servers", "127.0.0.1:1")
    assert (ran.code, ran.stdout) == (2, "")
    [line] = ran.stderr.splitlines()
    assert said in line


def run(monkeypatch: pytest.MonkeyPatch, done: Cancelled, *arguments: str, member: bool | None = True) -> Ran:
    async def cancel(_settings: Settings, names: Names, *, dry_run: bool) -> Cancelled:  # noqa: ARG001
        return replace(done, names=names)

    async def has_member(_settings: Settings) -> bool | None:
        return member

    monkeypatch.setattr(cancellation, "cancel", cancel)
    monkeypatch.setattr(group_members, "has_member", has_member)
    return invoke("cancel", *arguments)


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        (
            {},
            ["--run", "tuesday"],
            "cancelled: run tuesday; this concerns at most 1,234 requests of lean.proofs: so many of any name",
        ),
        ({"waiting": 1}, ["--run", "a\x1b[31m"], "cancelled: run a"),
        ({}, ["--run", "a\nb\tc"], "cancelled: run a␊b␉c; this concerns at most 1,234 requests"),
        ({"waiting": None}, ["--group", "g"], "cancelled: group g; how much waits on lean.proofs is not known"),
        ({"matching": 7}, ["--id", "a", "--dry-run"], "7 of the 1,234 requests that wait on lean.proofs would be"),
        ({"matching": 0, "waiting": None}, ["--id", "a", "--dry-run"], "0 requests that wait on lean.proofs would be"),
    ],
)
def test_it_says_what_is_known(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], arguments: list[str], said: str
) -> None:
    ran = run(monkeypatch, replace(DONE, **changes), *arguments)
    assert (ran.code, ran.stderr) == (0, "")
    [line] = ran.stdout.splitlines()
    assert line.startswith(said)
    assert line.isprintable()


def test_what_the_router_has_not_forwarded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, replace(DONE, not_forwarded=1), "--run", "tuesday")
    assert "the router has not forwarded 1 record of lean.proofs.ingest yet" in ran.stderr
    assert "they are not cancelled" in ran.stderr


@pytest.mark.parametrize(("member", "said"), [(True, False), (None, False), (False, True)])
def test_where_no_worker_hears_of_it_now_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
    member: bool | None,  # noqa: FBT001 - a case
    said: bool,  # noqa: FBT001 - a case
) -> None:
    ran = run(monkeypatch, DONE, "--run", "tuesday", member=member)
    assert ("the group streamverify has no member now" in ran.stderr) is said
    assert ran.code == 0


def test_the_json_has_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, DONE, "--run", "tuesday", "--id", "b", "--id", "a", "--api-key", "k", "--json")
    assert json.loads(ran.stdout) == {
        "topic": "lean.proofs",
        "group_id": "streamverify",
        "dry_run": False,
        "run": "tuesday",
        "group": None,
        "ids": ["a", "b"],
        "api_key": "k",
        "at": "2026-01-02T03:04:05Z",
        "waiting": 1234,
        "matching": None,
        "not_forwarded": 0,
    }
