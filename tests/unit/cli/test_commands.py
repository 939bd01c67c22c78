"""produce, verify, results and topics, with a client that needs no broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import FakeClient, make_message, make_result
from typer.testing import CliRunner

from streamverify.bus.topics import TopicPlan, TopicState
from streamverify.cli import topics
from streamverify.cli.app import app
from streamverify.cli.topics import differences
from streamverify.cli.verify import exit_code
from streamverify.core.messages.models import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamverify.core.messages.models import ProofRequest, ProofResult


@pytest.fixture(autouse=True)
def _fake_client(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeClient.reset()
    monkeypatch.setattr("streamverify.client.AsyncClient", FakeClient)


def run(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=stdin, env={"NO_COLOR": "1", "TERM": "dumb"})


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


PLAN = TopicPlan("lean.results", 12, 3, {"cleanup.policy": "compact,delete", "retention.ms": "1000"})


def state(**changed: Any) -> TopicState:
    there: dict[str, Any] = {
        "partitions": 12,
        "replication": 3,
        "settings": {"cleanup.policy": "delete,compact", "retention.ms": "1000"},
    }
    return TopicState("lean.results", exists=True, **(there | changed))


def test_an_existing_topic_that_is_as_planned_has_no_differences() -> None:
    assert differences(PLAN, state()) == []
    assert differences(PLAN, state(settings=None, partitions=24)) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"partitions": 4}, "it has 4 partitions, 12 were asked for"),
        ({"replication": 1}, "its replication is 1, 3 was asked for"),
        ({"settings": {"cleanup.policy": "delete"}}, "cleanup.policy is delete, not compact,delete"),
    ],
)
def test_an_existing_topic_that_differs_is_told(changed: dict[str, Any], words: str) -> None:
    [difference] = differences(PLAN, state(**changed))
    assert difference.startswith(words)


def test_topics_create_says_what_it_did_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[TopicPlan] = []

    async def create(_settings: Any, plans: list[TopicPlan]) -> tuple[dict[str, bool], list[TopicState]]:
        planned.extend(plans)
        made = {plan.name: plan.name != "lean.results" for plan in plans}
        return made, [state(partitions=4, warnings=("too short",))]

    monkeypatch.setattr(topics, "_create", create)
    result = run("topics", "create", "--partitions", "8", "--replication-factor", "3", "--retention", "2")
    assert result.exit_code == 0
    assert "created lean.proofs: partitions 8, replication 3" in result.stdout
    assert "kept    lean.results: it exists with partitions 4, replication 3" in result.stdout
    assert "note: lean.results: it has 4 partitions, 8 were asked for" in result.stderr
    assert "warning: lean.results: too short" in result.stderr
    assert planned[0].settings["retention.ms"] == "172800000"


def test_topics_describe_ends_with_4_where_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def describe(_settings: Any) -> list[TopicState]:
        return [state(), TopicState("lean.proofs", exists=False)]

    monkeypatch.setattr(topics, "_describe", describe)
    result = run("topics", "describe", "--json")
    assert result.exit_code == 4
    assert [topic["exists"] for topic in json.loads(result.stdout)] == [True, False]
    assert "has no topic lean.proofs" in result.stderr
    assert "streamverify topics create" in result.stderr
    assert "missing" in run("topics", "describe").stdout
