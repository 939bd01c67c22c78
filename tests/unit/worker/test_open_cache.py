"""Which worker gets a cache: none where none is asked for, none on a stand-in, and one whose store is down as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cache_fakes import make_job, make_verdict
from structlog.testing import capture_logs

from streamverify.core.messages.models import Assurance, Verifier
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.lean.kernel.tools import Tool, Tools
from streamverify.lean.repl.command import ReplCommand
from streamverify.settings import load_settings
from streamverify.worker.open_cache import STAND_INS, open_cache

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.worker.result_cache import ResultCache

KEY = "hidden-key-of-enough-length"
COMMAND = ReplCommand(("repl",), {}, None, "lean", wrapped=True)
LEAN = Verifier(kind="lean", lean_version="4.35.0")


async def opened(
    verifier: Verifier = LEAN, reachable: ReachableTiers | None = None, **given: Any
) -> ResultCache | None:
    settings = load_settings(**given)
    reachable = reachable or ReachableTiers(Assurance.AUDITED)
    return await open_cache(settings, verifier, COMMAND, vocabulary_of=lambda _header: None, reachable=reachable)


async def test_without_the_setting_there_is_none() -> None:
    assert await opened() is None


@pytest.mark.parametrize("kind", ["synthetic", "replay"])
async def test_what_a_stand_in_says_is_not_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        assert await opened(Verifier(kind=kind), cache="memory") is None
    assert [entry["event"] for entry in logs] == ["cache_off_for_stand_in"]
    # Our own tests may have it kept: under keys that no Lean's worker asks for.
    monkeypatch.setenv(STAND_INS, "1")
    stand_in, lean = (
        await opened(Verifier(kind=kind), cache="memory", cache_key=KEY),
        await opened(cache="memory", cache_key=KEY),
    )
    assert stand_in is not None
    assert lean is not None
    job = make_job()
    stand_in.keep(job, make_verdict())
    assert stand_in._names.name(job) != lean._names.name(job)
    assert (await stand_in.find([job]))[0] is not None


async def test_a_cache_in_memory_needs_no_key_and_its_names_are_its_own() -> None:
    one, other = await opened(cache="memory"), await opened(cache="memory")
    assert one is not None
    assert other is not None
    assert one._names.name(make_job()) != other._names.name(make_job())


async def test_a_worker_starts_without_its_store_and_says_no_secret() -> None:
    with capture_logs() as logs:
        cache = await opened(cache="redis://user:hidden-word@127.0.0.1:1/0", cache_key=KEY)
    assert cache is not None
    assert [entry["event"] for entry in logs] == ["cache_store_failed", "cache_sees_no_modules", "cache_opened"]
    assert "hidden" not in f"{logs}"
    await cache.close()


async def test_other_programs_above_audited_are_another_installation(tmp_path: Path) -> None:
    names = set()
    for version in (None, "0.4.10", "0.4.11"):
        tools = None if version is None else Tools(kernel=Tool("nanoda", ("x",), version))
        cache = await opened(
            reachable=ReachableTiers(Assurance.AUDITED, tools=tools), cache=f"sqlite:{tmp_path}/cache.db", cache_key=KEY
        )
        assert cache is not None
        names.add(cache._names.name(make_job()))
        await cache.close()
    assert len(names) == 3


async def test_a_library_that_nothing_names_is_warned_of_where_others_read_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def warnings(**given: Any) -> list[str]:
        with capture_logs() as logs:
            cache = await opened(cache_key=KEY, **given)
            assert cache is not None
            await cache.close()
        return [entry["event"] for entry in logs if entry["log_level"] == "warning"]

    store = f"sqlite:{tmp_path}/cache.db"
    assert await warnings(cache=store) == ["cache_sees_no_modules"]
    assert await warnings(cache="memory") == []
    (tmp_path / "A.olean").write_bytes(b"compiled")
    monkeypatch.setitem(COMMAND.env, "LEAN_PATH", str(tmp_path))  # type: ignore[arg-type]
    assert await warnings(cache=store) == []
