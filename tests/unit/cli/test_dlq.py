"""dlq without a broker: what is selected, sent again and shown."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Self

import pytest
from typer.testing import CliRunner

from streamverify.cli import dlq
from streamverify.cli.app import commands_for, make_app
from streamverify.cli.dlq import parse_selection
from streamverify.cli.errors import InputError
from streamverify.cli.letters import details, show_letter, summary
from streamverify.client.dead_letter_replay import ReplayReport
from streamverify.client.dead_letters import REPLAYS, Filter, Letter, Original, Selection, replayed
from streamverify.core.messages.dead_letter import PREFIX, DeadLetter, Stage
from streamverify.core.messages.models import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

TOPIC = "lean.proofs"


def content(
    value: bytes | None = b'{"custom_id": "a", "proof": "theorem"}',
    *,
    headers: Sequence[tuple[str, bytes | None]] = (),
    stage: Stage = Stage.VERIFY,
    topic: str = TOPIC,
) -> DeadLetter:
    source = Source(topic=topic, partition=2, offset=7, timestamp=1_000)
    return DeadLetter.of(
        ValueError("no \x1b[31mgood"),
        key=b"k",
        value=value,
        kafka_headers=headers,
        source=source,
        group="g",
        stage=stage,
    )


def letter(offset: int, of: DeadLetter | None, partition: int = 0) -> Letter:
    return Letter(partition, offset, 1_000, of, "" if of else "the record is no dead letter of streamverify: no header")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(
        make_app(commands_for(arguments)), list(arguments), env={"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    )


# --- what is sent again -------------------------------------------------------------------------------------------


def test_a_request_is_sent_again_as_it_was_with_a_count_and_without_our_headers() -> None:
    headers = [("trace", b"\xff"), (PREFIX + "stage", b"old"), ("trace", None)]
    again = replayed(content(headers=headers))
    assert again.key == b"k"
    assert again.value == b'{"custom_id": "a", "proof": "theorem"}'
    assert again.kafka_headers == [("trace", b"\xff"), ("trace", None), (REPLAYS, b"1")]


def test_the_count_goes_up_and_stands_once() -> None:
    assert replayed(content(headers=[(REPLAYS, b"2"), ("x", b"")])).kafka_headers == [("x", b""), (REPLAYS, b"3")]


@pytest.mark.parametrize("nonsense", [b"many", b"", None, b"-1", b"9" * 40, b"\xb2"])
def test_a_count_that_is_none_counts_as_none(nonsense: bytes | None) -> None:
    assert letter(0, content(headers=[(REPLAYS, nonsense)])).replays == 0


def test_a_null_value_stays_null() -> None:
    assert replayed(content(None)).value is None


def test_a_record_of_somebody_else_is_a_letter_that_says_so() -> None:
    class Record:
        partition, offset, timestamp, key, value, headers = 0, 3, 5, None, b"x", (("a", b"b"),)

    found = Letter.of(Record())
    assert found.content is None
    assert "no dead letter of streamverify" in found.error
    assert found.replays == 0
    assert summary(found)["error"] == found.error
    assert details(found) == {}


# --- what is chosen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", Selection(0, 17, 17)),
        ("2:17", Selection(2, 17, 17)),
        ("0:20-25", Selection(0, 20, 25)),
        ("3:20-", Selection(3, 20, None)),
    ],
)
def test_places_and_ranges(text: str, expected: Selection) -> None:
    assert parse_selection(text) == expected


@pytest.mark.parametrize("text", ["", "a", "1:", ":1", "1:2:3", "1:-2", "0:5-x"])
def test_a_selection_that_names_no_letter_is_wrong_usage(text: str) -> None:
    with pytest.raises(InputError, match="names no dead letter"):
        parse_selection(text)


def test_a_selection_has_its_letters_and_no_others() -> None:
    chosen = Filter(selected=[Selection(0, 2, 3), Selection(1, 5, None)])
    taken = [
        (partition, offset)
        for partition in (0, 1, 2)
        for offset in range(8)
        if chosen.takes(letter(offset, content(), partition))
    ]
    assert taken == [(0, 2), (0, 3), (1, 5), (1, 6), (1, 7)]


def test_the_stage_leaves_out_others_and_strangers() -> None:
    chosen = Filter(stage="decode")
    assert chosen.takes(letter(0, content(stage=Stage.DECODE)))
    assert not chosen.takes(letter(0, content()))
    assert not chosen.takes(letter(0, None))


# --- the command, on letters that are made up -----------------------------------------------------------------------


class FakeLetters:
    """Stands in for `DeadLetters`."""

    there: list[Letter]
    sent: list[Original]
    kept: Original | None

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None

    async def read(self, since: int) -> AsyncIterator[Letter]:
        for one in self.there:
            if one.timestamp >= since:
                yield one

    async def fetch(self, _topic: str, _partition: int, _offset: int) -> None:
        return None

    async def original(self, _source: Source) -> Original | None:
        return self.kept

    async def send(self, originals: AsyncIterator[Original]) -> int:
        self.sent.extend([original async for original in originals])
        return len(self.sent)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> type[FakeLetters]:
    FakeLetters.there, FakeLetters.sent, FakeLetters.kept = [], [], None
    monkeypatch.setattr("streamverify.client.dead_letter_topic.DeadLetters", FakeLetters)
    return FakeLetters


def test_replay_sends_what_was_chosen_and_says_where_to_go_on(letters: type[FakeLetters]) -> None:
    letters.there = [letter(offset, content(f'{{"custom_id": {offset}}}'.encode())) for offset in range(5)]
    result = run("dlq", "replay", "0:1-2")
    assert result.exit_code == 0
    assert [original.value for original in letters.sent] == [b'{"custom_id": 1}', b'{"custom_id": 2}']
    assert "2 letters sent to lean.proofs again" in result.stdout
    assert "streamverify dlq replay 0:3-" in result.stdout


def test_a_dry_run_sends_nothing(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content())]
    result = run("dlq", "replay", "--all", "--dry-run")
    assert result.exit_code == 0
    assert letters.sent == []
    assert "would send 0:0 a" in result.stdout
    assert "1 letter would be sent to lean.proofs again" in result.stdout


def test_letters_that_must_not_be_sent_are_named_and_the_others_are_sent(letters: type[FakeLetters]) -> None:
    letters.there = [
        letter(0, None),
        letter(1, content(topic="elsewhere")),
        letter(2, content(headers=[(REPLAYS, b"3")])),
        letter(3, content().emptied()),
        letter(4, content()),
    ]
    result = run("dlq", "replay", "--all", "--json")
    assert result.exit_code == 2
    said = json.loads(result.stdout)
    assert (said["sent"], said["letters"]) == (1, ["0:4"])
    reasons = [skipped["reason"] for skipped in said["skipped"]]
    assert all(
        word in reason for word, reason in zip(("no dead", "elsewhere", "3 times", "too large"), reasons, strict=True)
    )


def test_a_letter_that_was_emptied_is_sent_as_its_topic_still_has_it(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content(headers=[("x", b"1")]).emptied())]
    letters.kept = Original(b"old key", b"old value", [("x", b"1")])
    assert run("dlq", "replay", "--all").exit_code == 0
    assert letters.sent == [Original(b"old key", b"old value", [("x", b"1"), (REPLAYS, b"1")])]


def test_more_replays_are_sent_where_more_are_allowed(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content(headers=[(REPLAYS, b"3")]))]
    assert run("dlq", "replay", "--all", "--max-replays", "4").exit_code == 0
    assert letters.sent[0].kafka_headers == [(REPLAYS, b"4")]


@pytest.mark.parametrize("arguments", [[], ["--all", "0:1"], ["nonsense"]])
def test_replay_wants_letters_or_all_of_them(letters: type[FakeLetters], arguments: list[str]) -> None:
    assert run("dlq", "replay", *arguments).exit_code == 2
    assert letters.sent == []


def test_a_letter_that_is_not_there_is_named(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content())]
    result = run("dlq", "replay", "0:0", "0:9")
    assert result.exit_code == 2
    assert "0:9: no such letter" in result.stderr
    assert len(letters.sent) == 1


def test_list_is_a_table_or_json_and_safe_for_a_terminal(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content()), letter(1, None), letter(2, content(b"\xff", stage=Stage.DECODE))]
    table = run("dlq", "list").stdout
    assert "lean.proofs:2:7" in table
    assert "3 dead letters" in table
    assert "\x1b" not in table
    lines = [json.loads(line) for line in run("dlq", "list", "--json").stdout.splitlines()]
    assert [line.get("stage") for line in lines] == ["verify", None, "decode"]
    assert lines[0]["custom_id"] == "a"
    assert "stack_trace" not in lines[0]
    assert len(run("dlq", "list", "--json", "--stage", "decode").stdout.splitlines()) == 1


def test_what_is_listed_can_be_chosen(letters: type[FakeLetters]) -> None:
    letters.there = [
        letter(0, content(b'{"custom_id": "p/a", "run": "r"}')),
        letter(1, content(b'{"custom_id": "p/b", "run": 7}')),
        letter(2, content(b"\xff", stage=Stage.DECODE)),
        letter(3, None),
    ]

    def offsets(*arguments: str) -> list[int]:
        return [json.loads(line)["offset"] for line in run("dlq", "list", "--json", *arguments).stdout.splitlines()]

    assert offsets() == [0, 1, 2, 3]
    assert offsets("--limit", "2") == [0, 1]
    assert offsets("--id", "p/b", "--id", "x") == [1]
    assert offsets("--prefix", "p/") == [0, 1]
    assert offsets("--run", "r") == [0]
    assert offsets("--stage", "decode") == [2]
    assert offsets("--until", "1970-01-01T00:00:01Z") == []
    assert offsets("--until", "1970-01-01T00:00:01.001Z") == [0, 1, 2, 3]


def test_the_list_as_csv(letters: type[FakeLetters]) -> None:
    letters.there = [letter(0, content()), letter(1, None)]
    first, second = csv.DictReader(io.StringIO(run("dlq", "list", "--csv").stdout))
    assert (first["custom_id"], first["stage"], first["source_topic"], first["source_offset"]) == (
        "a",
        "verify",
        TOPIC,
        "7",
    )
    assert first["sent_at"] == "1970-01-01T00:00:01Z"
    assert (second["offset"], second["stage"]) == ("1", "")
    assert "no dead letter" in second["error"]


def test_an_empty_topic_is_said(letters: type[FakeLetters]) -> None:
    assert letters.there == []
    result = run("dlq", "list")
    assert result.exit_code == 0
    assert "no dead letters on lean.proofs.dlq" in result.stderr


def test_to_show_a_missing_letter_is_wrong_usage(letters: type[FakeLetters]) -> None:
    assert letters.there == []
    assert run("dlq", "show", "0:5").exit_code == 2
    assert run("dlq", "show", "0:5-6").exit_code == 2


def test_show_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_letter(letter(4, content(b"x" * 5000, headers=[("trace", b"\x00\xff"), ("none", None)])))
    shown = capsys.readouterr().out
    assert "lean.proofs:2:7" in shown
    assert "header trace b'\\x00\\xff'" in shown
    assert "header none (null)" in shown
    assert "ValueError" in shown
    assert "5,000 bytes" in shown
    assert "\x1b" not in shown
    full = details(letter(4, content(b"\xff", headers=[("trace", b"\xff"), ("none", None)])))
    assert full["value"] == {"base64": "/w=="}
    assert full["headers"] == [["trace", {"base64": "/w=="}], ["none", None]]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'{"custom_id": 5}', "5"),
        (b'{"custom_id": null}', None),
        (b"[1]", None),
        (b"", None),
        (None, None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_custom_id_is_shown_where_there_is_one(value: bytes | None, name: str | None) -> None:
    assert letter(0, content(value)).custom_id == name


def test_a_report_of_no_letters_does_not_say_where_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    from streamverify.settings import Settings  # noqa: PLC0415 - one test needs it

    dlq._print_report(ReplayReport(), Settings(), dry_run=False)
    assert capsys.readouterr().out == "0 letters sent to lean.proofs again\n"


def test_an_interrupted_replay_says_how_far_it_came(
    letters: type[FakeLetters], monkeypatch: pytest.MonkeyPatch
) -> None:
    letters.there = [letter(offset, content()) for offset in range(5)]

    async def send(_self: FakeLetters, originals: AsyncIterator[Original]) -> int:
        await anext(originals)
        await anext(originals)
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeLetters, "send", send)
    result = run("dlq", "replay", "--all")
    assert result.exit_code == 130
    assert result.stderr == (
        "interrupted: 2 letters handed to lean.proofs, the last one 0:1; all stay on lean.proofs.dlq\n"
    )
