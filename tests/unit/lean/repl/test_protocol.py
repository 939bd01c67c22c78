"""Commands and answers of the REPL, as bytes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from streamverify.core.messages.models import Response
from streamverify.lean.repl.errors import ChannelBroken, TooDeep
from streamverify.lean.repl.protocol import (
    AnswerSplitter,
    decode_answer,
    encode_check,
    encode_command,
    first_messages,
    is_nonce,
    read_response,
)

NONCE = "0123abcd"


def nonce_answer(**changes: Any) -> bytes:
    told = {"severity": "info", "pos": {"line": 1, "column": 0}, "endPos": None, "data": NONCE}
    return json.dumps({"messages": [told | changes.pop("told", {})], "env": 4} | changes).encode()


def test_a_command_is_one_line_and_a_blank_line() -> None:
    raw = encode_command('theorem t :\n  "\\" = ∃\n\n', env=3, infotree="full", all_tactics=True)
    assert raw.endswith(b"}\n\n")
    assert raw.count(b"\n") == 2
    assert json.loads(raw) == {
        "cmd": 'theorem t :\n  "\\" = ∃\n\n',
        "env": 3,
        "infotree": "full",
        "allTactics": True,
    }


def test_what_is_not_asked_for_is_not_sent() -> None:
    assert json.loads(encode_command("")) == {"cmd": ""}
    assert json.loads(encode_command("x", env=0)) == {"cmd": "x", "env": 0}


def test_the_channel_check_prints_the_nonce_in_the_given_environment() -> None:
    raw = encode_check(NONCE, 12)
    assert raw.endswith(b"\n\n")
    assert json.loads(raw) == {"cmd": f'#print "{NONCE}"', "env": 12}


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"env": 0}', "env"),
        (b'{"env": 0, "messages": []}', "env"),
        (b'{"proofState": 1, "goals": []}', "proofState"),
        (b'{"message": "Unknown environment."}', "message"),
    ],
)
def test_an_answer_is_of_one_kind(raw: bytes, kind: str) -> None:
    answer = decode_answer(raw)
    assert [each for each in ("env", "proofState", "message") if each in answer.fields] == [kind]
    assert (answer.env is not None, answer.refusal is not None) == (kind == "env", kind == "message")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b"null",
        b'{"env": null}',
        b'{"env": 1.0}',
        b'{"env": true}',
        b'{"env": "1"}',
        b'{"env": 1',
        b'{"env": 1} {"env": 2}',
        b'{"env": 1, "message": "x"}',
        b'{"env": 1, "proofState": 2}',
        b'{"proofState": "1"}',
        b'{"message": 1}',
        b'{"message": "x", "more": 1}',
        b'{"env": NaN}',
        b'{"env": 1, "x": "\xff"}',
    ],
)
def test_what_no_repl_says_breaks_the_channel(raw: bytes) -> None:
    with pytest.raises(ChannelBroken):
        decode_answer(raw)


def test_too_deep_is_not_taken_for_a_forgery() -> None:
    deepest = b'{"infotree": ' + b"[" * 1000 + b"]" * 1000 + b', "env": 1}'
    assert decode_answer(deepest).env == 1
    for depth in (1024, 100_000):
        with pytest.raises(TooDeep):
            decode_answer(b'{"infotree": ' + b"[" * depth + b"]" * depth + b', "env": 1}')


def test_a_response_has_the_answers_fields_and_the_time() -> None:
    told = {"severity": "error", "pos": {"line": 1, "column": 2}, "endPos": None, "data": "no"}
    raw = {"messages": [told], "sorries": [{"goal": "g"}], "tactics": [{"tactic": "t"}], "infotree": [{}], "env": 5}
    response = read_response(decode_answer(json.dumps(raw).encode()), 1.5)
    assert response == Response.model_validate({**raw, "time": 1.5})
    assert response.time == 1.5


@pytest.mark.parametrize(
    "raw",
    [
        b'{"message": "no"}',
        b'{"proofState": 0, "goals": []}',
        b'{"env": 1, "messages": {}}',
        b'{"env": 1, "messages": [1]}',
        b'{"env": 1, "messages": [{"severity": "error", "data": "x"}]}',
        b'{"env": 1, "messages": [{"severity": "error", "pos": {"line": "a", "column": 0}, "data": "x"}]}',
        b'{"env": 1, "sorries": "no"}',
        b'{"env": 1, "tactics": 3}',
    ],
)
def test_a_response_of_another_form_breaks_the_channel(raw: bytes) -> None:
    with pytest.raises(ChannelBroken):
        read_response(decode_answer(raw), 0.0)


def test_the_nonce_is_known_by_one_message_alone() -> None:
    assert is_nonce(decode_answer(nonce_answer()), NONCE)
    assert is_nonce(decode_answer(nonce_answer(told={"data": NONCE + "\n"})), NONCE)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"env": 1}',
        b'{"message": "0123abcd"}',
        nonce_answer(told={"severity": "error"}),
        nonce_answer(told={"data": NONCE + "x"}),
        nonce_answer(told={"data": 7}),
        nonce_answer(messages=[]),
        nonce_answer(messages="0123abcd"),
        nonce_answer(messages=["0123abcd"]),
        nonce_answer(messages=json.loads(nonce_answer())["messages"] * 2),
        nonce_answer(sorries=[]),
    ],
)
def test_anything_else_is_not_the_nonce(raw: bytes) -> None:
    assert not is_nonce(decode_answer(raw), NONCE)


def test_the_splitter_says_what_waits() -> None:
    splitter = AnswerSplitter()
    assert splitter.feed(b"\n \n") == []
    assert splitter.clean
    assert splitter.feed(b'{"env"') == []
    assert not splitter.clean
    assert splitter.feed(b": 1}\n") == []
    assert splitter.feed(b"\n") == [b'{"env": 1}']
    assert splitter.clean
    assert splitter.pending == 0


# --- the first part of an answer ------------------------------------------------------------------------------------


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": None, "data": text} for text in texts]


def texts(start: bytes) -> list[str]:
    return [message["data"] for message in first_messages(start)]


def test_the_messages_that_are_complete_are_read() -> None:
    raw = json.dumps({"env": 1, "messages": said("one", 'two } ] " \\', "three")}, indent=1).encode()
    assert texts(raw) == ["one", 'two } ] " \\', "three"]
    assert texts(raw[: raw.index(b"three")]) == ["one", 'two } ] " \\']
    assert texts(raw[: raw.index(b"one")]) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"infotree": {"messages": said("no message of the body")}},
        {"infotree": [[{"data": '"messages": [{"severity": "error"}]'}]], "tactics": said("a tactic")},
        {"sorries": said("a sorry"), "env": 1},
        {"messages": ["text", [said("too deep")], {"severity": "error"}, 7]},
        {"message": said("another name")},
    ],
)
def test_only_the_bodys_messages_count(fields: dict[str, Any]) -> None:
    assert texts(json.dumps(fields).encode()) == []


@pytest.mark.parametrize(
    "piece",
    [
        b'"',
        b"{",
        b"[",
        b"}",
        b'{"messages":[',
        b'"\\',
        b'{"messages":[{"severity":"error"}',
        b"\\",
        b"{" * 50 + b"}" * 50,
    ],
)
def test_hostile_first_parts_are_read_in_a_moment(piece: bytes) -> None:
    start = b'{"messages":[' + piece * (2**20 // len(piece))
    begun = time.process_time()
    assert first_messages(start) == []
    assert time.process_time() - begun < 10
