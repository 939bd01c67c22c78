"""The one way to ask Lean a question of our own; what the steps of a proof do is tested on processes."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest

from streamverify.lean.repl.commands import ask, check_channel, check_prover
from streamverify.lean.repl.errors import ChannelBroken, ChannelCheckTimedOut, Refused, ReplFailure, TimedOut


class Session:
    """Answers every command alike, and keeps the last one."""

    def __init__(self, answer: dict[str, Any] | ReplFailure) -> None:
        self.answer = answer
        self.asked: list[tuple[dict[str, Any], float]] = []

    async def ask(self, command: bytes, timeout: float) -> bytes:
        self.asked.append((orjson.loads(command), timeout))
        if isinstance(self.answer, ReplFailure):
            raise self.answer
        return orjson.dumps(self.answer)


def session(answer: dict[str, Any] | ReplFailure) -> Any:
    return cast("Any", Session(answer))


async def test_a_question_is_asked_in_its_environment_and_answered_by_lean() -> None:
    message = {"severity": "info", "pos": {"line": 1, "column": 0}, "endPos": None, "data": "Nat : Type"}
    asked = session({"env": 8, "messages": [message]})
    response = await ask(asked, 7, "#check Nat", 3.0)
    assert asked.asked == [({"cmd": "#check Nat", "env": 7}, 3.0)]
    assert [each["data"] for each in response.messages] == ["Nat : Type"]


async def test_a_refused_question_is_no_answer_of_this_repl_unless_the_caller_expects_it() -> None:
    refusing = session({"message": "Unknown environment."})
    with pytest.raises(ChannelBroken, match="Unknown environment"):
        await ask(refusing, 0, "#check Nat", 1.0)
    with pytest.raises(Refused, match="Unknown environment"):
        await ask(refusing, 0, "#check Nat", 1.0, refused=Refused)


async def test_silence_after_the_proof_is_not_the_time_out_of_the_proof() -> None:
    silent = session(TimedOut("Lean did not answer in time."))
    with pytest.raises(TimedOut):
        await ask(silent, 0, "#check Nat", 1.0)
    with pytest.raises(ChannelCheckTimedOut):
        await check_channel(silent, 0)
    with pytest.raises(ChannelCheckTimedOut):
        await check_prover(silent, 0, ["t"])


@pytest.mark.parametrize("answer", [{"env": 1}, {"message": "no"}, {"proofState": 0}])
async def test_a_check_that_is_not_answered_as_lean_does_breaks_the_channel(answer: dict[str, Any]) -> None:
    with pytest.raises(ChannelBroken):
        await check_channel(session(answer), 0)
    with pytest.raises(ChannelBroken):
        await check_prover(session(answer), 0, ["t"])
