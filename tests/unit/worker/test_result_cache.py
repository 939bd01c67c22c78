"""The result cache between its memory, its store, the vocabularies of headers and the project's modules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cache_fakes import Clock, FakeInstallation, FakeStore, Lean, make_cache, make_job, make_verdict
from structlog.testing import capture_logs

from streamverify.cache.guard import Guard
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.cache.memory_cache import MemoryCache
from streamverify.core.cache.seal import Seal
from streamverify.core.messages.models import Assurance, Reason
from streamverify.worker import result_cache as module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.core.job import Job
    from streamverify.worker.result_cache import Hit, ResultCache

AUDITED = Assurance.AUDITED
HEADER = make_job().header
KNOWN = Lean({HEADER.fingerprint: SHIPPED})


async def found(cache: ResultCache, *jobs: Job) -> list[Hit | None]:
    return await cache.find(jobs)


async def kept_in(store: FakeStore, job: Job, **given: Any) -> None:
    """Have a worker keep the verdict on a job in a store."""
    cache = make_cache(Guard(store), **given)
    cache.keep(job, make_verdict(assurance=job.assurance))
    await cache.close()


async def test_what_one_worker_kept_another_one_finds_with_its_age() -> None:
    store, job = FakeStore(), make_job()
    await kept_in(store, job)
    cache = make_cache(Guard(store), clock=Clock(1_000_012.5))
    [hit] = await found(cache, make_job(offset=9))
    assert hit is not None
    assert (hit.verdict.reason, hit.age) == (Reason.OK, 12.5)
    # From now on it is in memory, with the age that it has.
    store.values.clear()
    [again] = await found(cache, job)
    assert again == hit
    assert cache.status() == {
        "on": True,
        "entries": 1,
        "bytes": cache.memory.bytes,
        "memory": 1,
        "store": 1,
        "misses": 0,
        "refused": 0,
        "kept": 0,
        "store_failing": False,
    }


async def test_what_is_kept_while_the_store_is_asked_is_found() -> None:
    store, job = FakeStore(), make_job()
    cache = make_cache(Guard(store))

    class Slow(FakeStore):
        async def get_many(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
            cache.keep(job, make_verdict())
            return await super().get_many(names)

    cache._guard = Guard(Slow())
    [hit] = await found(cache, make_job(offset=5))
    assert hit is not None, "else it would be run, although the one that it would have followed has just ended"
    assert cache.counts["misses"] == 0


async def test_a_verdict_that_is_too_old_is_not_given_from_memory_or_store() -> None:
    store, job, clock = FakeStore(), make_job(), Clock()
    cache = make_cache(Guard(store), clock=clock)
    cache.keep(job, make_verdict())
    await cache._write()
    clock.now += 999
    assert (await found(cache, job))[0] is not None
    clock.now += 2
    assert await found(cache, job) == [None]


@pytest.mark.parametrize(
    "given", [{"seal": Seal(b"another secret!!")}, {"installation_digest": "there"}], ids=["secret", "installation"]
)
async def test_nothing_is_found_with_another_secret_or_installation(given: dict[str, Any]) -> None:
    store, job = FakeStore(), make_job()
    await kept_in(store, job)
    cache = make_cache(Guard(store), **given)
    assert await found(cache, job) == [None]
    assert cache.counts["refused"] == 0, "it is not even asked for by that name"


async def test_a_store_that_lies_is_not_believed_and_is_complained_of_once() -> None:
    store, one, other = FakeStore(), make_job(), make_job("theorem f : False := lie", 1)
    await kept_in(store, one)
    [name] = store.values
    stolen = store.values[name]
    cache = make_cache(Guard(store))
    forged = make_cache(Guard(theirs := FakeStore()), seal=Seal(b"guessed secret 1"))
    forged.keep(other, make_verdict())
    await forged.close()
    wanted = cache._names.name(other)
    assert wanted is not None
    with capture_logs() as logs:
        for lie in (stolen, *theirs.values.values(), stolen[:-1], b"", b"\x80\x04N."):
            store.values = {wanted: lie}
            assert await found(cache, other) == [None]
    assert [entry["event"] for entry in logs] == ["cache_entry_refused"]
    assert cache.counts["refused"] == 5
    # A verdict of its own takes the place.
    cache.keep(other, make_verdict(Reason.LEAN_ERROR))
    await cache._write()
    assert store.values[wanted] != lie


@pytest.mark.parametrize("reason", list(Reason))
async def test_only_what_lean_or_the_audit_decided_is_kept(reason: Reason) -> None:
    kept = {"ok", "lean_error", "sorry", "policy", "axiom", "no_theorem", "statement_mismatch", "kernel"}
    store, job = FakeStore(), make_job()
    cache = make_cache(Guard(store))
    cache.keep(job, make_verdict(reason))
    await cache._write()
    assert (len(store.values), len(cache.memory)) == ((1, 1) if reason.value in kept else (0, 0))


async def test_a_hit_is_not_kept_again_nor_what_is_too_large() -> None:
    store, job = FakeStore(), make_job()
    cache = make_cache(Guard(store))
    cache.keep(job, make_verdict(cached_age=3.0))
    verdict = make_verdict()
    assert verdict.response is not None
    noise = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(200_000)]
    cache.keep(job, replace(verdict, response=verdict.response.model_copy(update={"infotree": noise})))
    await cache._write()
    assert not store.values


async def test_without_a_store_it_is_in_memory_alone() -> None:
    cache, job = make_cache(), make_job()
    cache.keep(job, make_verdict())
    assert (await found(cache, job))[0] is not None
    await cache.close()
    assert "store_failing" not in cache.status()
    assert cache.store_up is None


async def test_a_store_that_is_slow_does_not_fill_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNWRITTEN", 3)
    cache = make_cache(Guard(FakeStore()), memory=MemoryCache(5_000))
    for number in range(20):
        cache.keep(make_job(f"theorem t{number} : True := trivial"), make_verdict())
    assert len(cache._unwritten) == 3
    assert cache.memory.bytes <= 5_000


# --- vocabularies ---------------------------------------------------------------------------------------------------


async def test_an_audited_verdict_is_found_only_where_the_header_knows_the_same_words() -> None:
    store, job = FakeStore(), make_job(assurance=AUDITED)
    cache = make_cache(Guard(store), vocabulary_of=KNOWN)
    cache.keep(job, make_verdict(assurance=AUDITED))
    await cache._write()
    assert (await found(cache, job))[0] is not None
    # Of this one Lean has said that it knows another command: what the policy says of the proof may differ.
    more = Lean({HEADER.fingerprint: replace(SHIPPED, commands=SHIPPED.commands | {"more"})})
    assert await found(make_cache(Guard(store), vocabulary_of=more), job) == [None]
    assert await found(make_cache(Guard(store), vocabulary_of=KNOWN), make_job()) == [None], "`checked` is other work"


async def test_a_worker_that_has_asked_no_lean_goes_by_the_note_of_another() -> None:
    store, job = FakeStore(), make_job(assurance=AUDITED)
    await kept_in(store, job, vocabulary_of=KNOWN)
    assert len(store.values) == 2
    new = make_cache(Guard(store))
    assert (await found(new, job))[0] is not None
    assert await found(make_cache(Guard(store), installation_digest="there"), job) == [None]


async def test_a_note_of_other_words_is_not_gone_by_once_lean_has_said_its_own() -> None:
    store, job = FakeStore(), make_job(assurance=AUDITED)
    await kept_in(store, job, vocabulary_of=KNOWN)
    lean = Lean()
    cache = make_cache(Guard(store), vocabulary_of=lean)
    assert (await found(cache, job))[0] is not None
    lean.said[HEADER.fingerprint] = replace(SHIPPED, options=SHIPPED.options | {"other"})
    with capture_logs() as logs:
        assert await found(cache, job) == [None]
    assert [entry["event"] for entry in logs] == ["cache_vocabulary_differs"]
    # From then on its own is noted.
    cache.keep(job, make_verdict(assurance=AUDITED))
    await cache._write()
    assert (await found(make_cache(Guard(store), vocabulary_of=Lean()), job))[0] is not None


async def test_without_vocabulary_or_note_an_audited_proof_is_run_and_not_kept() -> None:
    store, job = FakeStore(), make_job(assurance=AUDITED)
    cache = make_cache(Guard(store))
    assert await found(cache, job) == [None]
    cache.keep(job, make_verdict(assurance=AUDITED))
    await cache._write()
    assert not store.values


async def test_the_note_of_a_header_is_written_once() -> None:
    store = FakeStore()
    cache = make_cache(Guard(store), vocabulary_of=KNOWN)
    await found(cache, make_job(assurance=AUDITED))
    for number in range(3):
        cache.keep(make_job(f"theorem t{number} : True := trivial", assurance=AUDITED), make_verdict())
    await cache._write()
    assert len(store.values) == 4


async def test_a_forged_note_is_refused() -> None:
    store, job = FakeStore(), make_job(assurance=AUDITED)
    await kept_in(store, job, vocabulary_of=KNOWN)
    cache = make_cache(Guard(store))
    name = cache._names._note_name(job.header)
    store.values[name] = Seal(b"guessed secret 1").close(name, b"words", 1e6)
    assert await found(cache, job) == [None]
    assert cache.counts["refused"] == 1


# --- the project ----------------------------------------------------------------------------------------------------


async def test_a_project_that_changes_switches_the_cache_off_before_anything_is_written() -> None:
    store, job, installation = FakeStore(), make_job(), FakeInstallation()
    cache = make_cache(Guard(store), installation=installation)
    cache.keep(job, make_verdict())
    installation.unchanged = False
    with capture_logs() as logs:
        await cache._write()
        await cache._write()
    assert [entry["event"] for entry in logs] == ["cache_switched_off"]
    assert not store.values
    assert await found(cache, job) == [None]
    cache.keep(job, make_verdict())
    assert len(cache.memory) == 0
    assert cache.status()["on"] is False
    assert cache.store_up is None, "nobody asks it any more"
    # Nor is it switched on again by a change back: what runs has loaded one or the other.
    installation.unchanged = True
    await cache._write()
    assert not cache.is_on


async def test_where_only_answers_are_given_the_project_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    installation = FakeInstallation()
    cache, job = make_cache(installation=installation), make_job()
    cache.keep(job, make_verdict())
    installation.unchanged = False
    monkeypatch.setattr(module, "LOOK_SECONDS", -1.0)
    assert await found(cache, job) == [None]
    assert not cache.is_on


async def test_the_writer_writes_what_is_kept_and_more_of_it_later() -> None:
    store = FakeStore()
    cache = make_cache(Guard(store))
    task = asyncio.create_task(cache.run())
    for number in range(2):
        cache.keep(make_job(f"theorem t{number} : True := trivial"), make_verdict())
        async with asyncio.timeout(60):
            while len(store.values) <= number:
                await asyncio.sleep(0.01)
    task.cancel()


async def test_what_a_store_has_not_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AFTER_A_FAILURE", 0.01)
    store, clock = FakeStore(failing=True), Clock(0.0)
    cache = make_cache(Guard(store, clock=clock))
    task = asyncio.create_task(cache.run())
    cache.keep(make_job(), make_verdict())
    async with asyncio.timeout(60):
        while not cache.status()["store_failing"]:
            await asyncio.sleep(0.01)
        assert cache.store_up is False
        store.failing = False
        clock.now += 100
        # The writer learns of its success a moment after the store has the value.
        while not (store.values and cache.store_up):
            await asyncio.sleep(0.01)
    task.cancel()
