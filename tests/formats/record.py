"""Writes one example of each format as a tree writes it: `PYTHONPATH=TREE python tests/formats/record.py > FILE`.

Whoever changes a format records it anew into tests/data/formats; a file that is there is never changed. It imports what
it needs where it needs it, so that it runs with older trees, which lack some formats.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOMENT = 1_800_000_000.0
SECRET = b"a secret of the tests"
NAME = b"the name of an entry, 32 bytes!!"
PROOF = "import Mathlib\ntheorem t : 1 = 1 := rfl"


def offset_map() -> str:
    from streamverify.core.delivery.offset_map import OffsetMap, encode_map

    return encode_map(OffsetMap(10, 20, {10: 0, 13: 2}, open=True), "lean.proofs", 3)


def request() -> str:
    from streamverify.core.messages.codec import encode_request
    from streamverify.core.messages.models import ProofRequest

    fields = {"custom_id": "a17", "proof": PROOF, "timeout": 30.0, "metadata": {"n": 1}, "theorem": "t"}
    return encode_request(ProofRequest.model_validate(fields)).decode()


def _result() -> Any:
    from streamverify.core.job import Record, RecordId, Verdict
    from streamverify.core.messages.models import ProofRequest, Reason, Response, Source, Verifier
    from streamverify.worker.intake import Requester
    from streamverify.worker.results import ResultBuilder

    source = Source(topic="lean.proofs", partition=3, offset=12, timestamp=1_800_000_000_000)
    record = Record(RecordId(3, 12, 0), source, b"key", b"", [], received=0.0)
    said = {"messages": [{"severity": "error", "pos": {"line": 2, "column": 0}, "data": "unknown"}]}
    verdict = Verdict(Reason.LEAN_ERROR, "Lean reports an error.", Response.model_validate(said))
    verifier = Verifier(kind="lean", lean_version="4.35.0", repl_version="1")
    builder = ResultBuilder("worker-1", verifier, "lean.results", 1_000_000)
    known: dict[str, Any] = {
        "record": record,
        "request": ProofRequest(custom_id="a17", proof=PROOF, metadata={"n": 1}),
        "custom_id": "a17",
        "metadata": {"n": 1},
        "run": None,
        "group": None,
        "proof": PROOF,
    }
    # Older trees have other fields.
    return builder.record(
        Requester(**{each.name: known[each.name] for each in fields(Requester)}), verdict, lambda: None
    )


def result() -> str:
    value: bytes = _result().value
    return value.decode()


def dead_letter() -> list[list[str]]:
    from streamverify.core.messages.dead_letter import DeadLetter, Stage
    from streamverify.core.messages.models import Source

    source = Source(topic="lean.proofs", partition=3, offset=12, timestamp=1_800_000_000_000)
    letter = DeadLetter.of(
        ValueError("no JSON"),
        key=b"key",
        value=b"{",
        kafka_headers=[("trace", b"1")],
        source=source,
        group="streamverify",
        stage=Stage.DECODE,
        attempts=1,
    )
    return [[name, (value or b"").decode()] for name, value in letter.all_kafka_headers()]


def announcement() -> list[Any]:
    from streamverify.core.groups.announcement import encode_announcement
    from streamverify.core.groups.groups import Winner
    from streamverify.core.messages.models import Assurance

    record = encode_announcement(Winner("0" * 32, "a17", 3, 12, Assurance.AUDITED, MOMENT))
    return [record.key.decode(), record.value.decode(), record.timestamp_ms]


def cancellation() -> list[Any]:
    from streamverify.core.groups.announcement import encode_cancellation
    from streamverify.core.groups.cancellation import Cancellation, Names

    names = Names(run="tuesday", group="p17", ids=frozenset({"a17", "a18"}), api_key="alice")
    record = encode_cancellation(Cancellation("streamverify", "lean.proofs", names, (5, 0, 7), MOMENT))
    return [record.key.decode(), record.value.decode(), record.timestamp_ms]


def router_count() -> dict[str, Any]:
    from streamverify.router.header_counts import Count

    return Count(7, 12, "import Mathlib").as_value()


def table_row() -> dict[str, Any]:
    from streamverify.core.messages.codec import decode_result
    from streamverify.core.table.row import result_row

    value = _result().value
    return result_row(decode_result(value), topic="lean.results", partition=1, offset=5, timestamp=1_800_000_000_500)


def cache_entry() -> str:
    from streamverify.core.cache.content import encode
    from streamverify.core.cache.seal import Seal
    from streamverify.core.job import Verdict
    from streamverify.core.messages.models import Assurance, Reason, Response

    content = encode(Verdict(Reason.OK, "Lean accepts it.", Response(), assurance=Assurance.AUDITED))
    assert content is not None
    return Seal(SECRET).close(NAME, content, MOMENT).hex()


def cache_file() -> list[str]:
    from streamverify.cache import sqlite

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        sqlite._prepare(database)
        return _schema(database)


def replay_state() -> dict[str, Any]:
    from streamverify.core.datasets.verdict_row import verdict_row
    from streamverify.core.messages.codec import decode_result
    from streamverify.replay.state import ReplayState

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "state")
        state = ReplayState(file)
        state.commit([(0, verdict_row(decode_result(_result().value)))], {0: 17}, {"run": "tuesday", "replay": "ab"})
        state.close()
        with closing(sqlite3.connect(file)) as database:
            verdicts = database.execute("SELECT number, row FROM verdicts").fetchall()
            return {
                "schema": _schema(database),
                "facts": database.execute("SELECT name, value FROM facts ORDER BY name").fetchall(),
                "positions": database.execute("SELECT partition, position FROM positions").fetchall(),
                "verdicts": [(number, bytes(row).decode()) for number, row in verdicts],
            }


def saved_headers() -> str:
    from streamverify.core.scheduling.header_stats import HeaderStat
    from streamverify.core.syntax.header import parse_header
    from streamverify.lean.warm_headers import write_saved_headers

    class Stats:
        def hottest(self, _now: float, _most: int) -> list[HeaderStat]:
            return [HeaderStat(parse_header(PROOF), 3.0, 1.5)]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "headers.json")
        write_saved_headers(file, Stats(), 0.0)  # type: ignore[arg-type]
        return file.read_text("utf-8")


def acceptances() -> list[str]:
    from streamverify.lean.kernel import acceptances as module

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(module._SCHEMA)
        database.execute(module._INDEX)
        return _schema(database)


def assignor() -> str:
    from streamverify.bus.fencing import SignedStickyAssignor

    said = SignedStickyAssignor.metadata(["lean.proofs"])
    # The name of the process follows.
    return (said.user_data or b"").partition(b"@")[0].hex()


def _schema(database: sqlite3.Connection) -> list[str]:
    found = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return [sql for (sql,) in found]


FORMATS: dict[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (
        offset_map,
        request,
        result,
        dead_letter,
        announcement,
        cancellation,
        router_count,
        table_row,
        cache_entry,
        cache_file,
        replay_state,
        saved_headers,
        acceptances,
        assignor,
    )
}


def recorded() -> dict[str, Any]:
    """An example of each format that the tree knows."""
    found = {}
    for name, made in FORMATS.items():
        with suppress(ImportError):
            found[name] = made()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(recorded(), indent=1, ensure_ascii=False) + "\n")
