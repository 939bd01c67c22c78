"""What earlier versions wrote is read for ever, and what later ones write does no harm: docs/upgrades.md, line by line.

The recordings of tests/data/formats were made by the versions themselves (tests/formats/record.py).
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyAssignorUserDataV1
from formats import record
from structlog.testing import capture_logs
from support import ROOT

from streamverify.cache.sqlite import SqliteStore
from streamverify.core.cache.content import decode as decode_entry
from streamverify.core.cache.seal import Seal
from streamverify.core.delivery import offset_map
from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.load import AdmissionLimits
from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.delivery.partition_state import PartitionState
from streamverify.core.errors import InvalidRequest, ReplayRefused, UndecodableOffsetMap
from streamverify.core.groups.announcement import decode_announcement, decode_cancellation, is_cancellation
from streamverify.core.groups.cancellation import Names
from streamverify.core.messages.codec import ANY_SIZE, decode_request, decode_result
from streamverify.core.messages.dead_letter import PREFIX, DeadLetter
from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.table.row import replaces
from streamverify.core.table.rows import is_row
from streamverify.lean.kernel.acceptances import Acceptances
from streamverify.lean.kernel.tools import Tool
from streamverify.lean.warm_headers import read_saved_headers
from streamverify.replay.state import ReplayState
from streamverify.router.header_counts import Count, by_partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDINGS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text("utf-8")) for file in sorted((ROOT / "tests/data/formats").glob("*.json"))
}
READS_MAPS = {"0.1": {1}}
"""By release: the versions of offset maps that it reads. One that writes another would not be understood by it."""
RELEASED = "0.1"
"""The last release. Whoever makes one adds it above."""


# --- how each is read: the meaning of a recording, whoever made it ------------------------------------------------


def read_offset_map(recorded: str, _folder: Path) -> bool:
    return decode_map(recorded, "lean.proofs", 3, 10) == OffsetMap(10, 20, {10: 0, 13: 2}, open=True)


def read_request(recorded: str, _folder: Path) -> bool:
    request = decode_request(recorded.encode(), limits=ANY_SIZE)
    read = (request.custom_id, request.proof, request.timeout, request.metadata, request.theorem)
    return read == ("a17", record.PROOF, 30.0, {"n": 1}, "t")


def read_result(recorded: str, _folder: Path) -> bool:
    result = decode_result(recorded.encode())
    assert result.response is not None
    assert result.response.messages[0]["data"] == "unknown"
    assert result.summary
    read = (result.custom_id, result.status, result.reason, result.error, result.metadata, result.source.offset)
    return read == ("a17", "rejected", Reason.LEAN_ERROR, None, {"n": 1}, 12)


def read_dead_letter(recorded: list[list[str]], _folder: Path) -> bool:
    headers = [(name, value.encode()) for name, value in recorded]
    letter = DeadLetter.from_record(key=b"key", value=b"{", kafka_headers=headers)
    read = (letter.source.offset, letter.stage, letter.message, letter.attempts, list(letter.kafka_headers))
    return read == (12, "decode", "no JSON", 1, [("trace", b"1")])


def read_announcement(recorded: list[Any], _folder: Path) -> bool:
    key, value, milliseconds = recorded
    winner = decode_announcement(value.encode(), milliseconds)
    assert not is_cancellation(key.encode())
    return tuple(winner) == ("0" * 32, "a17", 3, 12, Assurance.AUDITED, record.MOMENT)


def read_cancellation(recorded: list[Any], _folder: Path) -> bool:
    key, value, milliseconds = recorded
    assert is_cancellation(key.encode())
    found = decode_cancellation(value.encode(), milliseconds)
    names = Names("tuesday", "p17", frozenset({"a17", "a18"}), "alice")
    return (found.names, found.ends, found.cancelled) == (names, (5, 0, 7), record.MOMENT)


def read_router_count(recorded: dict[str, Any], _folder: Path) -> bool:
    return by_partition([((2, "ff"), recorded)]) == {2: {"ff": Count(7, 12, "import Mathlib")}}


def read_table_row(recorded: dict[str, Any], _folder: Path) -> bool:
    later = recorded | {"source_offset": 13}
    return is_row(recorded) and replaces(later, recorded) and not replaces(recorded, later)


def read_cache_entry(recorded: str, _folder: Path) -> bool:
    opened = Seal(record.SECRET).open(record.NAME, bytes.fromhex(recorded), record.MOMENT + 5, 60.0)
    assert opened is not None
    verdict = decode_entry(opened.content)
    assert verdict is not None
    return (verdict.reason, verdict.assurance, opened.created) == (Reason.OK, Assurance.AUDITED, record.MOMENT)


async def read_cache_file(recorded: list[str], folder: Path) -> bool:
    made_by(folder / "cache", recorded)
    store = SqliteStore(str(folder / "cache"), limit=1 << 30, max_age=1e9)
    await store.check()
    await store.close()
    return True


def read_replay_state(recorded: dict[str, Any], folder: Path) -> bool:
    made_by(folder / "state", recorded["schema"])
    with closing(sqlite3.connect(folder / "state")) as database, database:
        database.executemany("INSERT INTO facts VALUES (?, ?)", recorded["facts"])
        database.executemany("INSERT INTO positions VALUES (?, ?)", recorded["positions"])
        database.executemany("INSERT INTO verdicts VALUES (?, ?)", recorded["verdicts"])
    state = ReplayState(folder / "state")
    try:
        [(number, row)] = state.rows()
        read = (state.facts, state.positions(), number, row["custom_id"], row["reason"])
    finally:
        state.close()
    return read == ({"run": "tuesday", "replay": "ab"}, {0: 17}, 0, "a17", "lean_error")


def read_saved(recorded: str, folder: Path) -> bool:
    (folder / "headers.json").write_text(recorded, "utf-8")
    [header] = read_saved_headers(folder / "headers.json")
    return (header.header.canonical.strip(), header.asked, header.import_seconds) == ("import Mathlib", 3.0, 1.5)


async def read_acceptances(recorded: list[str], folder: Path) -> bool:
    made_by(folder / "acceptances", recorded)
    store, kernel = Acceptances(folder / "acceptances"), Tool("kernel", ("kernel",), "1", "digest")
    await store.remember("ab", kernel)
    return await store.knows("ab", kernel)


def read_assignor(recorded: str, _folder: Path) -> bool:
    said = bytes.fromhex(recorded) + b"@prover:1"
    return StickyAssignorUserDataV1.decode(said).previous_assignment == []


READERS: dict[str, Callable[[Any, Path], Any]] = {
    "offset_map": read_offset_map,
    "request": read_request,
    "result": read_result,
    "dead_letter": read_dead_letter,
    "announcement": read_announcement,
    "cancellation": read_cancellation,
    "router_count": read_router_count,
    "table_row": read_table_row,
    "cache_entry": read_cache_entry,
    "cache_file": read_cache_file,
    "replay_state": read_replay_state,
    "saved_headers": read_saved,
    "acceptances": read_acceptances,
    "assignor": read_assignor,
}


def made_by(file: Path, statements: list[str]) -> None:
    with closing(sqlite3.connect(file)) as database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    ("made_by_version", "name"), [(version, name) for version, found in RECORDINGS.items() for name in found]
)
async def test_what_an_earlier_version_wrote_is_read(made_by_version: str, name: str, tmp_path: Path) -> None:
    read = READERS[name](RECORDINGS[made_by_version][name], tmp_path)
    assert await read if hasattr(read, "__await__") else read


@pytest.mark.parametrize("name", record.FORMATS)
def test_what_this_version_writes_is_recorded(name: str) -> None:
    """Where this fails a format has changed: record it anew, and say in docs/upgrades.md what that does."""
    now = json.loads(json.dumps(record.recorded()[name]))
    assert now in [found.get(name) for found in RECORDINGS.values()]


def test_every_format_is_recorded_read_and_in_the_table() -> None:
    assert record.FORMATS.keys() == READERS.keys()
    page = (ROOT / "docs/upgrades.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(record.FORMATS)


# --- what a later version may write -------------------------------------------------------------------------------


def later_map() -> str:
    """A map of version 2: with a field more, and its checksum where it always is."""
    payload = offset_map._verified(RECORDINGS["2026-11-26"]["offset_map"], "lean.proofs", 3, 10)
    payload = bytes((2, payload[1])) + b"\x07" + payload[2:]
    return base64.b64encode(payload + offset_map._checksum(payload, "lean.proofs", 3, 10)).decode()


def test_a_later_map_is_named_and_its_partition_is_done_again_with_care() -> None:
    with pytest.raises(UndecodableOffsetMap, match="version 2; this worker reads 1"):
        decode_map(later_map(), "lean.proofs", 3, 10)
    state = PartitionState("lean.proofs", 3, AdmissionLimits())
    found = state.restore(Committed(10, later_map()), 0)
    # From the committed offset on, nothing left out; as careful as after a death, which it may have been.
    assert (found.position, found.kept, found.quarantined) == (10, False, True)
    assert "version 2" in (found.unreadable or "")


def test_the_version_that_is_written_is_one_that_the_last_release_reads() -> None:
    """Readers first: a worker that goes back to the last release finds what it understands."""
    assert offset_map.VERSION in READS_MAPS[RELEASED]
    payload = base64.b64decode(RECORDINGS["2026-11-26"]["offset_map"])
    assert payload[0] == offset_map.VERSION


def test_flags_that_nobody_knows_are_ignored() -> None:
    payload = bytearray(offset_map._verified(RECORDINGS["2026-11-26"]["offset_map"], "lean.proofs", 3, 10))
    payload[1] |= 0xF0
    payload += offset_map._checksum(bytes(payload), "lean.proofs", 3, 10)
    assert read_offset_map(base64.b64encode(payload).decode(), ROOT)


def test_a_later_request_is_read_without_what_nobody_knows_and_an_unknown_value_is_said_to_be_wrong() -> None:
    request = json.loads(RECORDINGS["2026-11-26"]["request"])
    assert read_request(json.dumps(request | {"priority": {"of": 7}}), ROOT)
    with pytest.raises(InvalidRequest, match="require"):
        decode_request(json.dumps(request | {"require": "believed"}).encode(), limits=ANY_SIZE)


def test_a_later_result_is_read_without_what_nobody_knows() -> None:
    result = json.loads(RECORDINGS["2026-11-26"]["result"])
    assert read_result(json.dumps(result | {"mood": "good", "schema_version": 4}), ROOT)
    later = result | {"schema_version": 4, "reason": "too_boring", "status": "undecided", "timings": "fast"}
    read = decode_result(json.dumps(later).encode())
    assert (str(read.reason), read.status, read.timings.run) == ("too_boring", "inconclusive", 0.0)


def test_a_later_dead_letter_is_read_and_replayed_without_its_headers() -> None:
    letter = RECORDINGS["2026-11-26"]["dead_letter"]
    assert read_dead_letter([*letter, [f"{PREFIX}advice", "wait"]], ROOT)
    changed = [[name, "meditate" if name == f"{PREFIX}stage" else value] for name, value in letter]
    headers = [(name, value.encode()) for name, value in changed]
    assert DeadLetter.from_record(key=b"k", value=b"{", kafka_headers=headers).stage == "meditate"


def test_a_later_success_is_read_and_a_later_cancellation_is_not_applied() -> None:
    _, value, milliseconds = RECORDINGS["2026-11-26"]["announcement"]
    more = json.dumps(json.loads(value) | {"by": "somebody"})
    assert read_announcement(["k", more, milliseconds], ROOT)
    _, value, milliseconds = RECORDINGS["2026-11-26"]["cancellation"]
    with pytest.raises(ValueError, match="unless"):
        decode_cancellation(json.dumps(json.loads(value) | {"unless": "urgent"}).encode(), milliseconds)


def test_later_rows_of_router_and_table_are_read_and_a_row_that_lacks_something_is_none() -> None:
    assert read_router_count(RECORDINGS["2026-11-26"]["router_count"] | {"since": 3}, ROOT)
    row = RECORDINGS["2026-11-26"]["table_row"]
    assert read_table_row(row | {"colour": "red"}, ROOT)
    assert not is_row({name: value for name, value in row.items() if name != "weight"})


def test_a_later_cache_entry_is_a_miss() -> None:
    seal, value = Seal(record.SECRET), bytes.fromhex(RECORDINGS["2026-11-26"]["cache_entry"])
    assert seal.open(record.NAME, b"svc2" + value[4:], record.MOMENT, 60.0) is None
    content = b"p" + json.dumps({"reason": "ok", "and": "more"}).encode()
    opened = seal.open(record.NAME, seal.close(record.NAME, content, record.MOMENT), record.MOMENT, 60.0)
    assert opened is not None
    assert decode_entry(opened.content) is None


async def test_a_later_cache_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    made_by(tmp_path / "cache", ["CREATE TABLE entries (name BLOB PRIMARY KEY, colour TEXT)"])
    store = SqliteStore(str(tmp_path / "cache"), limit=1 << 30, max_age=1e9)
    with pytest.raises(Exception, match="no cache of this version"):
        await store.check()
    await store.close()


def test_a_later_state_of_a_replay_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    state = ReplayState(tmp_path / "state")
    state.note({"format": 2, "run": "r"})
    state.close()
    for _ in range(2):
        with pytest.raises(ReplayRefused, match="--restart begins anew"):
            ReplayState(tmp_path / "state")


def test_later_saved_headers_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text('{"warm": []}', "utf-8")
    with capture_logs() as logs:
        assert read_saved_headers(tmp_path / "h.json") == []
    assert [entry["event"] for entry in logs] == ["saved_headers_unreadable"]


async def test_a_later_store_of_acceptances_is_not_used(tmp_path: Path) -> None:
    made_by(tmp_path / "a", ["CREATE TABLE acceptances (export TEXT PRIMARY KEY, accepted REAL, kernel TEXT)"])
    store, kernel = Acceptances(tmp_path / "a"), Tool("kernel", ("kernel",), "1", "digest")
    with capture_logs() as logs:
        await store.remember("ab", kernel)
        assert not await store.knows("ab", kernel)
    assert [entry["event"] for entry in logs] == ["acceptances_unavailable"]


def test_what_a_later_member_says_after_its_user_data_is_not_read() -> None:
    assert read_assignor(RECORDINGS["2026-11-26"]["assignor"] + b"more of it".hex(), ROOT)
