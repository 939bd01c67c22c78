"""A dead letter has the request's bytes as they came, and Kafka headers that say why."""

from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.errors import UndecodableDeadLetter, UndecodableRequest
from streamverify.core.messages import dead_letter as deadletter
from streamverify.core.messages.dead_letter import DeadLetter, Stage
from streamverify.core.messages.models import Source

SOURCE = Source(topic="lean.proofs", partition=3, offset=1208, timestamp=1_769_860_800_000)


def raised(error: Exception) -> Exception:
    """The error with a stack trace."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        fail()
    return caught.value


def letter(error: Exception | None = None, **fields: Any) -> DeadLetter:
    given: dict[str, Any] = {
        "key": b"k",
        "value": b"\xff{",
        "kafka_headers": [("trace", b"\x00\xff"), ("empty", b""), ("null", None), ("trace", b"again")],
        "source": SOURCE,
        "group": "streamverify",
        "stage": Stage.DECODE,
    }
    return DeadLetter.of(error or raised(UndecodableRequest("the value is empty")), **(given | fields))


def texts(dead: DeadLetter) -> dict[str, str]:
    ours = [(name, value) for name, value in dead.all_kafka_headers() if name.startswith(deadletter.PREFIX)]
    assert len(dict(ours)) == len(ours)
    return {name.removeprefix(deadletter.PREFIX): (value or b"").decode() for name, value in ours}


def test_the_original_is_untouched() -> None:
    dead = letter()

    assert (dead.key, dead.value, dead.timestamp) == (b"k", b"\xff{", SOURCE.timestamp)
    assert dead.all_kafka_headers()[:4] == [("trace", b"\x00\xff"), ("empty", b""), ("null", None), ("trace", b"again")]


def test_a_tombstone_without_a_key_is_kept_as_it_is() -> None:
    dead = letter(key=None, value=None, kafka_headers=())

    assert dead.key is None
    assert dead.value is None


def test_headers_say_where_and_why() -> None:
    said = texts(letter(attempts=2))

    trace = said.pop("exception.stacktrace")
    assert said == {
        "topic": "lean.proofs",
        "partition": "3",
        "offset": "1208",
        "timestamp": "1769860800000",
        "group": "streamverify",
        "stage": "decode",
        "exception.class.name": "streamverify.core.errors.UndecodableRequest",
        "exception.message": "the value is empty",
        "attempts": "2",
    }
    assert trace.startswith("Traceback (most recent call last)")
    assert trace.rstrip().endswith("UndecodableRequest: the value is empty")


def test_a_dead_letter_is_read_back_from_its_record() -> None:
    dead = letter(stage=Stage.VERIFY, attempts=3)

    read = DeadLetter.from_record(key=dead.key, value=dead.value, kafka_headers=dead.all_kafka_headers())

    assert read == dead


def test_a_replayed_request_that_fails_again_has_the_headers_of_its_last_failure_only() -> None:
    first = letter()
    again = letter(raised(ValueError("second")), kafka_headers=first.all_kafka_headers(), attempts=5)

    assert again.kafka_headers == first.kafka_headers
    assert texts(again)["exception.message"] == "second"
    assert texts(again)["attempts"] == "5"


def test_long_texts_are_cut_the_stack_trace_at_its_beginning() -> None:
    dead = letter(raised(ValueError("ü" * 100_000 + "end")))

    assert dead.message.startswith("üüü")
    assert len(dead.message.encode()) <= 1024
    assert dead.stack_trace.rstrip().endswith("end")
    assert len(dead.stack_trace.encode()) <= 4096


def test_our_headers_stay_within_their_bound() -> None:
    name = "x" * 249
    source = Source(topic=name, partition=2**31, offset=-(2**63), timestamp=-(2**63))
    kind = type("E" * 9999, (Exception,), {})
    dead = letter(raised(kind("m" * 9999)), source=source, group="g" * 9999, kafka_headers=(), attempts=10**18)

    # Kafka adds at most ten bytes to a header
    assert sum(len(n) + len(v or b"") + 10 for n, v in dead.all_kafka_headers()) < deadletter.MAX_HEADER_BYTES


def test_text_that_utf8_cannot_encode_does_not_stop_it() -> None:
    dead = letter(raised(ValueError("half \ud800 pair")))

    assert texts(dead)["exception.message"] == "half ? pair"
    assert DeadLetter.from_record(key=dead.key, value=dead.value, kafka_headers=dead.all_kafka_headers()) == dead


def test_an_emptied_dead_letter_still_says_where_the_original_lies() -> None:
    dead = letter().emptied()

    assert dead.value is None
    assert dead.kafka_headers == ()
    assert texts(dead)["offset"] == "1208"
    assert "the value is empty" in dead.message


@pytest.mark.parametrize("missing", ["topic", "partition", "offset", "timestamp", "group", "attempts", "stage"])
def test_a_record_without_our_headers_is_no_dead_letter(missing: str) -> None:
    headers = [(name, value) for name, value in letter().all_kafka_headers() if name != deadletter.PREFIX + missing]

    with pytest.raises(UndecodableDeadLetter, match=f"no header {deadletter.PREFIX}{missing}"):
        DeadLetter.from_record(key=None, value=None, kafka_headers=headers)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("offset", b"many"),
        ("offset", b""),
        ("offset", None),
        ("partition", b"9" * 5000),
        ("timestamp", "\u0661".encode()),
        ("offset", b"9999999999999999999"),
        ("topic", b"t" * 250),
        ("attempts", b"1.5"),
    ],
)
def test_an_error_names_the_garbled_header(name: str, text: bytes | None) -> None:
    name = deadletter.PREFIX + name
    headers = [(n, text if n == name else value) for n, value in letter().all_kafka_headers()]

    with pytest.raises(UndecodableDeadLetter, match="no dead letter of streamverify"):
        DeadLetter.from_record(key=None, value=None, kafka_headers=headers)
