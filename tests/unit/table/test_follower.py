"""What the table makes of a batch of records, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli_fakes import make_result
from structlog.testing import capture_logs

from streamverify.core.messages.codec import encode_result
from streamverify.core.messages.models import Reason
from streamverify.table.follower import Follower


class Table(dict[Any, Any]):
    """The Faust table; `order` notes when the changelog has its changes."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self.order = order
        self.app: Any = None

    async def acknowledged(self) -> None:
        self.order.append("in the changelog")
        if self.app is not None:
            self.app.consumer_generation_id += 1


class Rig:
    def __init__(self) -> None:
        self.order: list[str] = []
        self.forgotten: list[int] = []
        self.table = Table(self.order)
        consumer = SimpleNamespace(forget=lambda message: self.forgotten.append(message.offset))
        self.app: Any = SimpleNamespace(consumer_generation_id=1, consumer=consumer)
        table: Any = self.table
        self.follower = Follower(cast("Any", self.app), table, on_failure=print)

    async def take_in(self, *events: Any) -> None:
        batch = self.follower.batches.take(events)
        assert batch is not None
        await self.follower.take_in(batch)

    def event(self, offset: int, key: bytes | None, value: Any, *, generation: int = 1) -> Any:
        if value is not None and not isinstance(value, bytes):
            value = encode_result(value, limit=1_000_000, overhead=0).value
        message = SimpleNamespace(
            topic="lean.results", partition=2, offset=offset, timestamp=1.5, key=key, value=value,
            generation_id=generation,
        )  # fmt: skip
        return SimpleNamespace(message=message, ack=lambda: self.order.append(f"ack {offset}"))


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_results_become_rows_and_tombstones_take_them_away(rig: Rig) -> None:
    await rig.take_in(
        rig.event(0, b"a", make_result("a", offset=2)), rig.event(1, b"a", make_result("a", Reason.TIMEOUT, offset=1))
    )
    assert rig.table[2, "a"]["reason"] == "ok"
    assert rig.table[2, "a"]["result_timestamp"] == 1500
    assert rig.order == ["in the changelog", "ack 0", "ack 1"]
    await rig.take_in(rig.event(2, b"a", None), rig.event(3, b"b", None))
    assert rig.table == {}
    assert rig.follower.batches.read == {2: 4}


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"a", b"no JSON"), (b"a", b""), (b"\xff", b"{}"), (None, b"{}"), (b"", b"{}"), (b"other", make_result("a"))],
)
async def test_what_is_no_result_of_its_key_is_passed_over(rig: Rig, key: bytes | None, value: Any) -> None:
    with capture_logs() as logs:
        await rig.take_in(rig.event(0, key, value))
    assert rig.table == {}
    assert rig.order[-1] == "ack 0"
    assert all(line["hint"] for line in logs)


async def test_records_of_an_assignment_that_is_over_are_left_to_the_next_owner(rig: Rig) -> None:
    old, new = rig.event(0, b"a", make_result("a"), generation=0), rig.event(1, b"b", make_result("b"))
    await rig.take_in(old, new)
    assert list(rig.table) == [(2, "b")]
    assert (rig.forgotten, rig.order) == ([0], ["in the changelog", "ack 1"])
    rig.table.app = rig.app
    await rig.take_in(rig.event(2, b"c", make_result("c")))
    assert rig.forgotten == [0, 2]
    assert rig.order[-1] == "in the changelog"
