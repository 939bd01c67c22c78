"""The stores of the result cache, SQLite and a real Redis: what each promises, and what only one can do wrong."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis_server import redis_server

from streamverify.cache.choice import store_of
from streamverify.cache.redis import PREFIX, RedisStore
from streamverify.cache.sqlite import SqliteStore
from streamverify.cache.store import Entry, StoreFailed, without_password
from streamverify.core.cache.seal import MAX_ENTRY
from streamverify.core.errors import SettingsError
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from streamverify.cache.store import Store

DAY = 86_400.0
A, B = b"a" * 32, b"b\x00" * 16


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        made: Store = SqliteStore(str(tmp_path / "new" / "cache.db"), limit=1 << 30, max_age=DAY)
    else:
        url = request.getfixturevalue("redis_url")
        Redis.from_url(url).flushall()
        made = RedisStore(url, max_age=DAY)
    yield made
    await made.close()


async def test_what_is_kept_is_there_and_nothing_else(store: Store) -> None:
    await store.check()
    assert await store.get_many([A, B]) == {}
    await store.put_many([Entry(A, b"\x00any\xff bytes", 1), Entry(B, b"x" * 200_000, 2)])
    assert await store.get_many([A]) == {A: b"\x00any\xff bytes"}
    assert await store.get_many([B, A, b"c" * 32]) == {A: b"\x00any\xff bytes", B: b"x" * 200_000}
    await store.put_many([])


async def test_many_are_asked_for_at_once(store: Store) -> None:
    names = [number.to_bytes(32, "big") for number in range(2_500)]
    await store.put_many([Entry(name, name * 2, 1) for name in names])
    assert await store.get_many(names) == {name: name * 2 for name in names}


async def test_what_weighs_more_stays(store: Store) -> None:
    await store.put_many([Entry(A, b"audited", 2)])
    await store.put_many([Entry(A, b"checked", 1)])
    assert await store.get_many([A]) == {A: b"audited"}
    await store.put_many([Entry(A, b"audited again", 2)])
    assert await store.get_many([A]) == {A: b"audited again"}
    await store.put_many([Entry(A, b"replayed", 3)])
    assert await store.get_many([A]) == {A: b"replayed"}


async def test_two_questions_at_once_are_answered_or_refused(store: Store) -> None:
    await store.put_many([Entry(A, b"1", 1)])
    found = await asyncio.gather(*(store.get_many([A]) for _ in range(5)), return_exceptions=True)
    assert all(each == {A: b"1"} or isinstance(each, StoreFailed) for each in found)
    assert {A: b"1"} in found


# --- SQLite ---------------------------------------------------------------------------------------------------------


def sqlite_at(path: Path, limit: int = 1 << 30) -> SqliteStore:
    return SqliteStore(str(path), limit=limit, max_age=DAY)


async def test_the_file_is_shared_survives_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    one, other = sqlite_at(path), sqlite_at(path)
    await asyncio.gather(one.check(), other.check())
    await one.put_many([Entry(A, b"1", 1)])
    assert await other.get_many([A]) == {A: b"1"}
    for file in tmp_path.iterdir():  # noqa: ASYNC240 - a test
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    await one.close()
    await other.close()
    again = sqlite_at(path)
    assert await again.get_many([A]) == {A: b"1"}
    await again.close()


async def test_another_process_that_ends_takes_nothing_away(tmp_path: Path) -> None:
    """The last one to close a file deletes its log; whether it is the last it sees by the locks of the others."""
    path = tmp_path / "cache.db"
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "print(*db.execute('SELECT count(*) FROM entries')); db.close()"
    )
    store = sqlite_at(path)
    await store.check()
    for number in range(1, 4):
        await store.put_many([Entry(bytes([number]) * 32, b"1", 1)])
        # A second look by the same connections, as after an outage, which opens them anew.
        if number == 2:
            await store.check()
        other = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        assert other.stdout == f"({number},)\n"
    await store.close()


async def test_a_full_file_loses_what_was_not_used_for_the_longest(tmp_path: Path) -> None:
    path, limit = tmp_path / "cache.db", 1 << 20
    store = sqlite_at(path, limit)
    names = [number.to_bytes(32, "big") for number in range(400)]
    for at in range(0, len(names), 20):
        await store.put_many([Entry(name, os.urandom(10_000), 1) for name in names[at : at + 20]])
    found = await store.get_many(names)
    await store.close()
    assert 40 < len(found) < 110
    assert path.stat().st_size < 2 * limit


@pytest.mark.parametrize(
    "content",
    [b"not a database at all, but long enough to be looked at by SQLite" * 40, b"SQLite format 3\0" + b"x" * 5000],
)
async def test_a_file_that_is_no_cache_fails_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(content)
    store = sqlite_at(path)
    for _ in range(2):
        with pytest.raises(StoreFailed, match=r"cache\.db"):
            await store.check()
        with pytest.raises(StoreFailed):
            await store.get_many([A])
    await store.close()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE others (x)",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE entries ADD COLUMN more TEXT",
    ],
)
async def test_a_file_with_another_schema_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "cache.db"
    store = sqlite_at(path)
    await store.put_many([Entry(A, b"1", 1)])
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    store = sqlite_at(path)
    with pytest.raises(StoreFailed, match="no cache of this version"):
        await store.get_many([A])
    await store.close()


async def test_values_of_other_types_and_sizes_are_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    store = sqlite_at(path)
    await store.put_many([Entry(A, b"1", 1), Entry(B, b"2", 1)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entries SET value = 'text' WHERE name = ?", (A,))
        connection.execute("UPDATE entries SET value = zeroblob(?) WHERE name = ?", (MAX_ENTRY + 1, B))
    assert await store.get_many([A, B]) == {}
    await store.close()


async def test_a_file_that_another_worker_has_locked_fails_in_time(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    store = sqlite_at(path)
    await store.check()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert await store.get_many([A]) == {}, "readers do not wait for a writer"
        with pytest.raises(StoreFailed, match="locked"):
            await store.put_many([Entry(A, b"1", 1)])
        connection.execute("ROLLBACK")
    await store.put_many([Entry(A, b"1", 1)])
    assert await store.get_many([A]) == {A: b"1"}
    await store.close()


async def test_a_question_that_nobody_waits_for_any_more_makes_room_for_the_next(tmp_path: Path) -> None:
    store = sqlite_at(tmp_path / "cache.db")
    await store.check()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    slow = asyncio.create_task(store._reading.run(lambda connection: connection.execute(endless).fetchall()))
    while not store._reading.is_busy():
        await asyncio.sleep(0)
    with pytest.raises(StoreFailed, match="still busy"):
        await store.get_many([A])
    await store.put_many([Entry(B, b"1", 1)])
    slow.cancel()
    async with asyncio.timeout(60):
        while store._reading.is_busy():
            await asyncio.sleep(0.01)
    assert await store.get_many([A]) == {}
    await store.close()


async def test_a_folder_that_cannot_be_written_fails_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = sqlite_at(tmp_path / "file" / "cache.db")
    with pytest.raises(StoreFailed, match=r"cache\.db"):
        await store.check()
    await store.close()


# --- Redis ----------------------------------------------------------------------------------------------------------


async def test_entries_of_a_redis_have_an_end_and_our_prefix(redis_url: str) -> None:
    client, store = Redis.from_url(redis_url), RedisStore(redis_url, max_age=DAY)
    client.flushall()
    await store.put_many([Entry(A, b"1", 1)])
    assert client.keys() == [PREFIX + A]
    assert 0 < client.ttl(PREFIX + A) <= DAY
    await store.close()


async def test_what_others_put_under_our_names_is_no_entry_and_can_be_replaced(redis_url: str) -> None:
    client, store = Redis.from_url(redis_url), RedisStore(redis_url, max_age=DAY)
    client.flushall()
    client.rpush(PREFIX + A, "a list")
    client.set(PREFIX + B, b"\x00" + b"x" * (2 * MAX_ENTRY))
    found = await store.get_many([A, B])
    assert found.keys() <= {B}
    assert all(len(value) <= MAX_ENTRY for value in found.values()), "no more is read than an entry may have"
    await store.put_many([Entry(A, b"1", 1), Entry(B, b"2", 1)])
    assert await store.get_many([A, B]) == {A: b"1", B: b"2"}
    await store.close()


async def test_a_full_redis_can_still_be_read() -> None:
    with redis_server("--maxmemory-policy", "noeviction") as url:
        client, store = Redis.from_url(url), RedisStore(url, max_age=DAY)
        await store.put_many([Entry(A, b"1", 1)])
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreFailed, match="maxmemory"):
            await store.put_many([Entry(B, b"2", 1)])
        assert await store.get_many([A, B]) == {A: b"1"}
        await store.close()


async def test_a_redis_that_is_not_there_or_wants_a_password_fails_without_saying_one() -> None:
    store = RedisStore("redis://user:the-password@127.0.0.1:1/0", max_age=DAY)
    with pytest.raises(StoreFailed, match=r"redis://\*\*\*@127\.0\.0\.1:1/0") as failed:
        await store.check()
    assert "the-password" not in str(failed.value)
    await store.close()
    with redis_server("--requirepass", "right") as url:
        store = RedisStore(f"{url}?password=wrong-password", max_age=DAY)
        with pytest.raises(StoreFailed) as failed:
            await store.check()
        assert "wrong-password" not in str(failed.value)
        await store.close()


# --- which one ------------------------------------------------------------------------------------------------------


def test_the_setting_chooses_the_store(tmp_path: Path) -> None:
    key: dict[str, Any] = {"cache_key": "0123456789abcdef"}
    assert store_of(Settings(cache="memory")) is None
    assert isinstance(store_of(Settings(cache=f"sqlite:{tmp_path}/a.db", **key)), SqliteStore)
    assert isinstance(store_of(Settings(cache="redis://localhost", **key)), RedisStore)
    with pytest.raises(SettingsError, match="no URL of a Redis"):
        store_of(Settings(cache="redis://localhost:many", **key))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("none", "none"),
        ("sqlite:/a/b@c.db", "sqlite:/a/b@c.db"),
        ("redis://host:1/2", "redis://host:1/2"),
        ("redis://:secret@host:1/2", "redis://***@host:1/2"),
        ("rediss://user:se@cret@host/2", "rediss://***@host/2"),
        ("redis://host/2?password=secret", "redis://host/2"),
        ("unix:///run/redis?username=a&password=secret", "unix:///run/redis"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
