"""results without a broker: what is chosen, how it is printed, and that nothing of it is kept."""

from __future__ import annotations

import csv
import io
import json
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import make_message, make_result
from commands import invoke

from streamverify.cli.errors import InputError
from streamverify.cli.output import MAX_ID, short
from streamverify.cli.times import milliseconds, parse_time, rfc_3339, shown
from streamverify.client.result_topic import FoundResult
from streamverify.core.messages.models import Cached, ProofResult, Reason, Timings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from streamverify.core.messages.selection import ResultSelection


@dataclass
class FakeResultTopic:
    """Stands in for the topic: what is on it, and what was asked of it."""

    kept: Iterable[ProofResult] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False

    async def read(self, _settings: Any, wanted: ResultSelection, **how: bool) -> AsyncIterator[FoundResult]:
        self.asked.append({"wanted": wanted, **how})
        try:
            for number, result in enumerate(self.kept):
                if wanted.takes_record(result.custom_id.encode(), number) and wanted.takes(result):
                    yield FoundResult(result, number, ())
                del result
        finally:
            self.closed = True


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> FakeResultTopic:
    fake = FakeResultTopic()
    monkeypatch.setattr("streamverify.client.result_topic.read_results", fake.read)
    return fake


def ids(text: str) -> list[str]:
    return [json.loads(line)["custom_id"] for line in text.splitlines()]


def test_the_table_has_a_row_for_each_result_as_it_comes(topic: FakeResultTopic) -> None:
    topic.kept = [
        make_result("a", Reason.LEAN_ERROR, messages=[make_message("type\nmismatch")]),
        make_result("b" * 60, Reason.TIMEOUT),
        make_result("a"),
    ]
    lines = invoke("results").stdout.splitlines()
    assert lines[0].split() == ["id", "status", "reason", "seconds", "message"]
    assert lines[1].split() == ["a", "rejected", "lean_error", "0.250", "type"]
    assert lines[2].split()[0] == "b" * 31 + "…"
    assert lines[3].split() == ["a", "verified", "ok", "0.250"]
    assert lines[4] == "3 results: 1 verified (33.3%), 1 rejected (33.3%), 1 inconclusive (33.3%)"
    assert lines[5] == "Lean ran 0.250 s for each on average, and 0.250 s at most"
    assert {line.index("ok") for line in lines[3:4]} == {line.index("reason") for line in lines[:1]}


def test_cached_results_stay_out_of_the_mean_time(topic: FakeResultTopic) -> None:
    hit = make_result("b").model_copy(update={"cached": Cached(age_seconds=5.0), "timings": Timings()})
    topic.kept = [make_result("a"), hit, hit]
    assert invoke("results").stdout.splitlines()[-2:] == [
        "Lean ran 0.250 s for each that it ran on average, and 0.250 s at most",
        "2 of them cached",
    ]
    topic.kept = [hit]
    assert invoke("results").stdout.splitlines()[-1] == "1 of them cached"


def test_everything_that_may_be_asked_for_is_passed_on(topic: FakeResultTopic) -> None:
    topic.kept = [
        make_result("p/a", Reason.SORRY, run="r"),
        make_result("p/b", Reason.OK, run="r"),
        make_result("p/c", Reason.TIMEOUT, run="other"),
        make_result("q/d", Reason.SORRY, run="r"),
    ]

    def asked(*arguments: str) -> list[str]:
        ran = invoke("results", "--json", *arguments)
        assert ran.code == 0, ran.stderr
        return ids(ran.stdout)

    assert asked("--id", "p/a", "--id", "q/d") == ["p/a", "q/d"]
    assert asked("--prefix", "p/") == ["p/a", "p/b", "p/c"]
    assert asked("--status", "rejected", "--status", "verified") == ["p/a", "p/b", "q/d"]
    assert asked("--reason", "timeout") == ["p/c"]
    assert asked("--run", "r", "--prefix", "p/") == ["p/a", "p/b"]
    assert asked("--limit", "2") == ["p/a", "p/b"]
    assert topic.closed
    assert asked("--until", "1970-01-01T00:00:00.002Z") == ["p/a", "p/b"]
    assert asked("--since", "1970-01-01T00:00:00.002Z") == ["p/c", "q/d"]
    assert asked("--run", "none such") == []


def test_csv_is_read_by_a_csv_reader(topic: FakeResultTopic) -> None:
    topic.kept = [
        make_result('a,"\nb', Reason.LEAN_ERROR, summary='"it", he said,\nis wrong', run="é"),
        make_result("c", timestamp=1_700_000_000_000),
    ]
    rows = list(csv.DictReader(io.StringIO(invoke("results", "--csv").stdout)))
    assert [row["custom_id"] for row in rows] == ['a,"\nb', "c"]
    assert (rows[0]["summary"], rows[0]["run"], rows[0]["retriable"]) == ('"it", he said,\nis wrong', "é", "false")
    assert (rows[1]["sent_at"], rows[1]["run"], rows[1]["run_seconds"]) == ("2023-11-14T22:13:20Z", "", "0.25")
    topic.kept = []
    assert len(invoke("results", "--csv").stdout.splitlines()) == 1


def test_follow_begins_with_what_comes_unless_it_is_asked_for_more(topic: FakeResultTopic) -> None:
    topic.kept = [make_result("a", Reason.TIMEOUT, summary="Out of time."), make_result("b")]
    lines = invoke("results", "--follow").stdout.splitlines()
    assert lines == ["inconclusive (timeout)  a  0.25 s  Out of time.", "verified  b  0.25 s  "]
    invoke("results", "-f", "--all")
    invoke("results", "-f", "--since", "1h")
    invoke("results")
    assert [(asked["follow"], asked["from_now"]) for asked in topic.asked] == [
        (True, True),
        (True, False),
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "--csv"], "--json and --csv"),
        (["--all", "--since", "1h"], "--all and --since"),
        (["--follow", "--until", "1h"], "--until and --follow"),
        (["--since", "yesterday"], "--since: 'yesterday' is neither"),
        (["--until", "x" * 500], "--until: 'xxx"),
    ],
)
def test_what_makes_no_sense_is_one_line(topic: FakeResultTopic, arguments: list[str], words: str) -> None:
    ran = invoke("results", *arguments)
    assert ran.code == 2
    assert ran.stderr.startswith(f"error: {words}")
    assert len(ran.stderr) < 250
    assert topic.asked == []


def test_nothing_found_is_said(topic: FakeResultTopic) -> None:
    assert topic.asked == []
    ran = invoke("results")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "note: no such results on lean.results\n")


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--follow"]])
def test_no_result_is_kept(topic: FakeResultTopic, form: list[str]) -> None:
    """However many there are: once the next ones are read, an earlier one is gone."""
    references: list[weakref.ref[ProofResult]] = []
    alive: list[int] = []

    def many() -> Iterable[ProofResult]:
        for number in range(300):
            result = make_result(f"id-{number}", Reason.LEAN_ERROR, messages=[make_message("x" * 100)])
            references.append(weakref.ref(result))
            yield result
            del result
            alive.append(sum(reference() is not None for reference in references))

    topic.kept = many()
    assert len(invoke("results", *form).stdout.splitlines()) >= 300
    assert max(alive) <= 3


# --- times and ids ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("0.5s", 0.5), (" 7s ", 7)]
)
def test_a_time_as_a_length(text: str, seconds: float) -> None:
    before = datetime.now(UTC)
    moment = parse_time(text)
    assert before <= moment + timedelta(seconds=seconds) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00.5+02:00", datetime(2026, 1, 31, 6, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-5m", "yesterday", "2026-01-31T08:00:00", "9" * 400 + "d"])
def test_a_time_must_be_one_of_the_two(text: str) -> None:
    with pytest.raises(InputError, match="neither a time"):
        parse_time(text)


def test_times_of_kafka() -> None:
    assert milliseconds(None) is None
    assert milliseconds("1960-01-01T00:00:00Z") == 0
    assert milliseconds(rfc_3339(1_700_000_000_000)) == 1_700_000_000_000
    assert shown(1_700_000_000_000) == "2023-11-14 22:13:20Z"
    assert shown(10**18) == "?"


def test_a_long_id_is_cut_for_people_so_that_its_end_tells_it_apart() -> None:
    assert short("x" * MAX_ID) == "x" * MAX_ID
    cut = short("run/" + "x" * 504 + "/001")
    assert len(cut) == MAX_ID
    assert cut.startswith("run/")
    assert cut.endswith("/001")
    assert short("a\nb\x1b") == "a␊b␛"
