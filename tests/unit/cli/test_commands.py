"""produce, verify, results and topics, with a client that needs no broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import FakeClient, make_message, make_result
from typer.testing import CliRunner

from streamverify.cli import topics
from streamverify.cli.app import commands_for, make_app
from streamverify.cli.verify import exit_code
from streamverify.client import Answer
from streamverify.core.errors import RequestTooLarge
from streamverify.core.messages.models import Reason, Status
from streamverify.core.topic_plans import Difference, TopicState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from streamverify.core.messages.models import ProofRequest, ProofResult
    from streamverify.core.topic_plans import TopicPlan


@pytest.fixture(autouse=True)
def _fake_client(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeClient.reset()
    monkeypatch.setattr("streamverify.client.AsyncClient", FakeClient)


def run(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(
        make_app(commands_for(arguments)), list(arguments), input=stdin, env={"NO_COLOR": "1", "TERM": "dumb"}
    )


def write(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)


def jsonl(*custom_ids: str) -> str:
    return "".join(f'{{"custom_id": "{custom_id}", "proof": "theorem"}}\n' for custom_id in custom_ids)


def by_id(**reasons: Reason | None) -> Callable[[ProofRequest], ProofResult | None]:
    def answer(request: ProofRequest) -> ProofResult | None:
        reason = reasons[request.custom_id]
        return None if reason is None else make_result(request.custom_id, reason)

    return answer


def test_produce_sends_in_order_with_what_the_command_line_says(tmp_path: Path) -> None:
    result = run("produce", write(tmp_path, "a.jsonl", jsonl("a", "b")), "--timeout", "3", "--require", "checked")
    assert result.exit_code == 0
    assert [(sent.custom_id, sent.timeout, sent.require) for sent in FakeClient.sent] == [
        ("a", 3.0, "checked"),
        ("b", 3.0, "checked"),
    ]
    assert result.stdout.startswith("2 proofs sent to lean.proofs in ")
    assert result.stderr == ""


def test_what_is_too_large_for_the_topic_is_reported_and_the_rest_is_sent(tmp_path: Path) -> None:
    FakeClient.too_large = {"b": RequestTooLarge("'b' is too large, says the topic", custom_id="b")}
    file = write(tmp_path, "a.jsonl", jsonl("a", "b", "c"))
    produced = run("produce", file)
    assert (produced.exit_code, [sent.custom_id for sent in FakeClient.sent]) == (2, ["a", "c"])
    assert f"unusable: {file}:2: 'b' is too large, says the topic" in produced.stderr
    FakeClient.answer = by_id(a=Reason.OK, c=Reason.OK)
    verified = run("verify", file)
    assert (verified.exit_code, "2 proofs: 2 verified" in verified.stdout) == (2, True)
    assert f"unusable: {file}:2: 'b' is too large, says the topic" in verified.stderr
    alone = run("verify", write(tmp_path, "b.jsonl", jsonl("b")))
    assert (alone.exit_code, "no proof to verify in the input" in alone.stderr) == (2, True)


def test_produce_reports_a_bad_line_sends_the_rest_and_ends_with_2(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", jsonl("a") + "{}\n" + jsonl("b"))
    result = run("produce", file, "--json", "--request-topic", "mine")
    assert result.exit_code == 2
    summary = json.loads(result.stdout)
    assert (summary["topic"], summary["sent"], summary["unusable"]) == ("mine", 2, 1)
    assert summary["errors"][0]["where"] == f"{file}:2"
    assert result.stderr.startswith(f"unusable: {file}:2: ")


def test_produce_shows_only_the_first_of_very_many_bad_lines(tmp_path: Path) -> None:
    result = run("produce", write(tmp_path, "a.jsonl", "{}\n" * 500), "--json")
    assert json.loads(result.stdout)["unusable"] == 500
    assert len(result.stderr.splitlines()) == 21


def test_produce_reads_stdin() -> None:
    assert run("produce", "-", stdin=jsonl("a")).exit_code == 0
    assert [sent.custom_id for sent in FakeClient.sent] == ["a"]


@pytest.mark.parametrize("arguments", [["nope.lean"], ["-", "--timeout", "0"], ["-", "--require", "proved"]])
def test_produce_sends_nothing_where_an_argument_is_wrong(arguments: list[str]) -> None:
    assert run("produce", *arguments, stdin=jsonl("a")).exit_code == 2
    assert FakeClient.sent == []


def test_verify_prints_in_the_order_of_the_input(tmp_path: Path) -> None:
    result = run("verify", write(tmp_path, "a.jsonl", jsonl("a", "b", "c")))
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()[:3]] == ["a", "b", "c"]
    assert result.stdout.splitlines()[-1] == "3 proofs: 3 verified, 0 rejected, 0 inconclusive"


def test_verify_shows_leans_message_with_its_line(tmp_path: Path) -> None:
    file = write(tmp_path, "p.lean", "import Lean\n\ntheorem t : 1 = 2 := rfl\n")
    message = make_message("type mismatch", line=3, column=21)
    FakeClient.answer = lambda request: make_result(request.custom_id, Reason.LEAN_ERROR, messages=[message])
    result = run("verify", file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"rejected (lean_error)  {file}  0.25 s",
        f"{file}:3:21: error: type mismatch",
        "    3 | theorem t : 1 = 2 := rfl",
        "      |                      ^",
    ]


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ({"a": Reason.OK, "b": Reason.OK}, 0),
        ({"a": Reason.TIMEOUT, "b": Reason.LEAN_ERROR}, 1),
        ({"a": Reason.OK, "b": Reason.REPL_CRASH}, 3),
        ({"a": Reason.OK, "b": None}, 3),
        ({"a": None, "b": Reason.SORRY}, 1),
    ],
)
def test_verify_ends_with_what_was_found(tmp_path: Path, reasons: dict[str, Reason | None], code: int) -> None:
    FakeClient.answer = by_id(**reasons)
    result = run("verify", write(tmp_path, "a.jsonl", jsonl(*reasons)), "--wait", "7")
    assert result.exit_code == code
    assert ("had no verdict within 7 s" in result.stderr) is (None in reasons.values())


def test_verify_prints_what_came_although_an_earlier_proof_has_no_answer(tmp_path: Path) -> None:
    FakeClient.answer = by_id(a=None, b=Reason.OK, c=Reason.OK)
    result = run("verify", write(tmp_path, "a.jsonl", jsonl("a", "b", "c")), "--json")
    assert [json.loads(line)["custom_id"] for line in result.stdout.splitlines()] == ["b", "c"]
    assert "1 of 3 proofs had no verdict" in result.stderr


def test_verify_with_unusable_input_ends_with_2_unless_a_verdict_says_more(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", jsonl("a") + "{}\n")
    assert run("verify", file).exit_code == 2
    FakeClient.answer = by_id(a=Reason.SORRY)
    assert run("verify", file).exit_code == 1


def test_an_input_that_is_not_read_in_time_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_only(_self: FakeClient, requests: AsyncIterator[ProofRequest], _timeout: float) -> Any:
        request = await anext(requests)
        yield Answer(0, make_result(request.custom_id))

    monkeypatch.setattr(FakeClient, "verify_each", first_only)
    result = run("verify", write(tmp_path, "a.jsonl", jsonl("a", "b")), "--wait", "7")
    assert result.exit_code == 3
    assert result.stderr == "error: 1 proof sent within 7 s, and the rest of the input was not read\n"


@pytest.mark.parametrize("text", ["", "{}\n"])
def test_verify_of_nothing_is_wrong_usage(tmp_path: Path, text: str) -> None:
    result = run("verify", write(tmp_path, "a.jsonl", text))
    assert result.exit_code == 2
    assert "there is no proof to verify" in result.stderr


@pytest.mark.parametrize(("kind", "words"), [("replay", "recordings of a real Lean"), ("synthetic", "checks nothing")])
def test_verify_says_where_lean_did_not_answer(tmp_path: Path, kind: str, words: str) -> None:
    FakeClient.answer = lambda request: make_result(request.custom_id, kind=kind)
    result = run("verify", write(tmp_path, "p.lean", ""))
    assert result.exit_code == 0
    assert words in result.stderr


def test_exit_code_of_no_answer_at_all() -> None:
    assert exit_code({}, expected=1) == 3
    assert exit_code({Status.VERIFIED: 1}, expected=1) == 0


def state(**changed: Any) -> TopicState:
    there: dict[str, Any] = {"name": "lean.results", "exists": True, "partitions": 12, "replication": 3}
    return TopicState(**(there | changed))


def test_topics_create_says_what_it_did_and_ends_with_1_where_a_topic_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[TopicPlan] = []

    async def create(_settings: Any, planner: Any, *, alter: bool) -> topics.CreateReport:
        plans = planner(brokers=3)
        planned.extend(plans)
        states = [state(name=plan.name, partitions=plan.partitions) for plan in plans]
        left = {"lean.results": [Difference("partitions", "4", "8", "slow", "" if not alter else "impossible")]}
        created = {plan.name: plan.name != "lean.results" for plan in plans}
        return topics.CreateReport(plans, created, states, left=left)

    monkeypatch.setattr(topics, "_create", create)
    options = ("topics", "create", "--partitions", "8", "--replication-factor", "3", "--retention", "2")
    result = run(*options)
    assert result.exit_code == 1
    assert "created lean.proofs: partitions 8, replication 3" in result.stdout
    assert "kept    lean.results: partitions 8, replication 3" in result.stdout
    assert "differs: lean.results: partitions is 4, not 8: slow" in result.stderr
    assert "streamverify topics create --alter" in result.stderr
    assert planned[0].settings["retention.ms"] == "172800000"
    altered = run(*options, "--alter")
    assert altered.exit_code == 1
    assert "(not changed by --alter: impossible)" in altered.stderr
    assert "hint" not in altered.stderr


def test_topics_describe_ends_with_4_where_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def describe(_settings: Any, _planner: Any) -> list[TopicState]:
        return [state(warnings=("too short",)), TopicState("lean.proofs", exists=False)]

    monkeypatch.setattr(topics, "_describe", describe)
    result = run("topics", "describe", "--json")
    assert result.exit_code == 4
    assert [topic["exists"] for topic in json.loads(result.stdout)] == [True, False]
    assert "error: no topic lean.proofs on localhost:9092: streamverify topics create" in result.stderr
    assert "warning: lean.results: too short" in result.stderr
    assert "missing" in run("topics", "describe").stdout
