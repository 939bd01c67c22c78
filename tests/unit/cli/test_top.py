"""top, workers and status without a broker: what they print, on which stream, and their exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import pytest
from commands import invoke
from jsonschema import Draft202012Validator
from overview_fakes import LEAN, UUID, answer, member, seen, slot, status

from streamverify.core.overview import build
from streamverify.core.overview.group import GroupMember, Seen
from streamverify.core.overview.members import workers_of
from streamverify.core.overview.rates import History
from streamverify.core.overview.readiness import group_readiness
from streamverify.core.overview.schemas import overview_schema_files
from streamverify.overview import watch

if TYPE_CHECKING:
    from streamverify.core.overview.model import Overview, Readiness, Workers

AT = "2026-01-31T12:00:00Z"
OLDER = GroupMember(f"streamverify_lean-4.33.0-{UUID}", "streamverify_lean-4.33.0", "/10.0.0.8", "", None, (2,))
BUSY = status("a", running=1, queued=7, slots=[slot(0, "running", age_seconds=1.5, custom_id="p1#3"), slot(1, "empty")])
TOLD = seen(member("a", partitions=(0, 1)), OLDER, answers=(answer(BUSY),))
NOBODY = Seen("k:1", "streamverify", "lean.proofs")


class FakeWatch:
    """Sees `told`."""

    told = TOLD

    def __init__(self, _settings: Any, _urls: Any = ()) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def once(self) -> Overview:
        return build.overview(self.told, History(), at=AT)

    async def members(self) -> Workers:
        return build.workers(self.told, at=AT, partitions=range(4))

    async def readiness(self) -> Readiness:
        state = None if self.told.broker.group is None else self.told.broker.group.state
        return group_readiness("g", state, workers_of(self.told), build.unassigned(self.told, range(3)))


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "Watch", FakeWatch)
    monkeypatch.setattr(FakeWatch, "told", TOLD)


def accepts(name: str, text: str) -> bool:
    return bool(
        Draft202012Validator(json.loads(overview_schema_files()[f"{name}.schema.json"])).is_valid(json.loads(text))
    )


def test_workers_lists_the_members_and_warns_of_mixed_versions_on_stderr() -> None:
    ran = invoke("workers")
    assert ran.code == 0
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert rows[0][:4] == ["WORKER", "STATE", "PARTITIONS", "VERSION"]
    assert rows[1][:5] == ["a", "serving", "0-1", "0.1.0", "4.34.1"]
    assert rows[2][1:5] == ["older", "2", "older", "4.33.0"]
    assert rows[3] == ["group", "streamverify,", "topic", "lean.proofs:", "2", "members,", "Stable"]
    assert "warning: lean differs: 4.33.0 (streamverify_lean-4.33.0-" in ran.stderr
    assert "warning: no member has the partitions 3 of lean.proofs" in ran.stderr
    assert "warning" not in ran.stdout


def test_workers_of_one_version_are_not_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [member(name, partitions=numbers) for name, numbers in (("a", (0, 1)), ("b", (2, 3)))]
    monkeypatch.setattr(FakeWatch, "told", seen(*members, answers=(answer(status("a")), answer(status("b")))))
    assert invoke("workers").stderr == ""


@pytest.mark.parametrize(
    ("words", "schema"),
    [(["top", "--once"], "overview"), (["top"], "overview"), (["workers"], "workers"), (["status"], "readiness")],
)
@pytest.mark.parametrize("told", [TOLD, NOBODY])
def test_json_is_one_line_of_its_schema(
    words: list[str], schema: str, told: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeWatch, "told", told)
    ran = invoke(*words, "--json")
    [line] = ran.stdout.splitlines()
    assert accepts(schema, line)


def test_top_without_a_terminal_prints_one_look() -> None:
    text = invoke("top").stdout
    assert text == invoke("top", "--once").stdout
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0].startswith("group streamverify  topic lean.proofs  Stable")
    assert any(
        line.split()[:3] == ["a", "0", "running"] and line.split()[-3:] == ["p1#3", "import", "Mathlib"]
        for line in lines
    )
    assert "  an older version, which tells its group no address" in lines


@pytest.mark.parametrize(
    ("told", "code", "first"),
    [
        (TOLD, 0, "ready: group g"),
        (seen(member("a", partitions=(0, 1, 2)), answers=(answer(status("a", ready=False)),)), 1, "not ready: group g"),
        (seen(state="Empty"), 3, "nobody: group g"),
        (NOBODY, 3, "nobody: group g"),
    ],
)
def test_the_exit_code_of_status_says_how_the_group_is(
    told: Seen, code: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeWatch, "told", told)
    ran = invoke("status")
    assert (ran.code, ran.stdout.splitlines()[0], ran.stderr) == (code, first, "")
    assert invoke("status", "--json").code == code


def test_reasons_of_status_are_one_line_each_and_steer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = status("a", ready=False, problem="\x1b[2J\nno")
    monkeypatch.setattr(FakeWatch, "told", seen(member("a", partitions=(0, 1, 2)), answers=(answer(said),)))
    lines = invoke("status").stdout.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[1]


@pytest.mark.parametrize("command", ["top", "workers", "status"])
def test_an_address_that_is_none_is_wrong_usage(command: str) -> None:
    ran = invoke(command, "--url", "http://user:secret@a:1")
    assert ran.code == 2
    assert ran.stderr.startswith("error: --url: ")


def test_no_length_of_time_is_no_interval() -> None:
    for wrong in ("nan", "0", "1e9"):
        assert invoke("top", "--interval", wrong).code == 2


def test_names_of_strangers_are_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = member("a", name="\x1b]0;mine\x07[red]\u202ex", versions=LEAN)
    monkeypatch.setattr(FakeWatch, "told", seen(evil))
    for words in (["top", "--once"], ["workers"], ["status"]):
        ran = invoke(*words)
        assert "[red]" in ran.stdout or words == ["status"]
        assert not {"\x1b", "\x07", "\u202e"} & set(ran.stdout + ran.stderr)
