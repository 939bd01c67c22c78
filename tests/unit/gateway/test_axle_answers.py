"""`okay` is true for `verified` and for nothing else; the real client of AXLE says the same."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from axle import AxleClient
from axle.exceptions import (
    AxleApiError,
    AxleInvalidArgument,
    AxleIsUnavailable,
    AxleRuntimeError,
    LeanResourceExceeded,
    LeanTimeout,
)
from gateway_fakes import a_gateway, serving
from gateway_results import CASES, ERROR, SHA256, WARNING, result

from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Status
from streamverify.gateway.axle import proof_answer, with_header
from streamverify.gateway.outcome import outcome_of

if TYPE_CHECKING:
    from pathlib import Path

RAISED: dict[Reason, type[AxleApiError]] = {
    Reason.TIMEOUT: LeanTimeout,
    Reason.OUT_OF_MEMORY: LeanResourceExceeded,
    Reason.TOO_LARGE: LeanResourceExceeded,
    Reason.INVALID_REQUEST: AxleInvalidArgument,
}


@pytest.mark.parametrize(("reason", "answer"), CASES)
def test_okay_for_verified_alone(reason: Reason, answer: dict[str, Any] | None) -> None:
    given = proof_answer("x", outcome_of(result(reason, answer), Assurance.AUDITED, SHA256))
    if OUTCOMES[reason].status is Status.INCONCLUSIVE:
        assert "okay" not in given
        assert reason in given["error"]
    elif reason is Reason.INVALID_REQUEST:
        assert "okay" not in given
        assert given["user_error"]
    else:
        assert given["okay"] is (reason is Reason.OK)
        if not given["okay"]:
            assert given["lean_messages"]["errors"] + given["tool_messages"]["errors"]


def test_messages_are_lines_as_a_compiler_prints_them() -> None:
    warned = {**WARNING, "endPos": {"line": 1, "column": 9}}
    outcome = outcome_of(
        result(
            "axiom",
            {"messages": [ERROR, warned]},
            theorems=[{"name": "t", "axioms": ["cheat"]}],
            timings={"run": 0.2504, "total": 1.5},
        ),
        Assurance.AUDITED,
        SHA256,
    )
    answer = proof_answer("the text", outcome)
    assert answer["content"] == "the text"
    assert answer["lean_messages"] == {
        "errors": ["-:2:4: error: type mismatch\n"],
        "warnings": ["-:1:8-1:9: warning: declaration uses 'sorry'\n"],
        "infos": [],
    }
    assert answer["tool_messages"]["errors"] == [f"streamverify: axiom: {outcome.sentence}"]
    assert answer["failed_declarations"] == ["t"]
    assert (answer["timings"]["run_ms"], answer["timings"]["total_ms"]) == (250, 1500)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theorem t", "import M\ntheorem t"),
        ("import A\nimport B\n\ntheorem t", "import M\n\ntheorem t"),
        ("import A theorem t", "import M\n theorem t"),
        ("-- c\nimport A\n-- d\ntheorem t", "import M\n-- d\ntheorem t"),
        ("", "import M\n"),
        ("prelude", "prelude"),
    ],
)
def test_the_header_of_the_environment(text: str, expected: str) -> None:
    assert with_header(text, "import M\n") == expected


@pytest.mark.parametrize("reason", list(Reason))
async def test_the_real_client_and_every_reason(reason: Reason) -> None:
    async with serving(a_gateway()) as url, AxleClient(url=url) as client:
        asked = client.verify_proof("theorem t : True := sorry", f"theorem t -- {reason}", "default", timeout_seconds=5)
        if OUTCOMES[reason].status is Status.INCONCLUSIVE or reason is Reason.INVALID_REQUEST:
            with pytest.raises(AxleApiError) as raised:
                await asked
            assert type(raised.value) is RAISED.get(reason, AxleRuntimeError)
        else:
            answer = await asked
            assert answer.okay is (reason is Reason.OK)
            assert bool(answer.tool_messages.errors) is (reason is not Reason.OK)


async def test_what_the_real_client_is_refused() -> None:
    async with serving(a_gateway()) as url, AxleClient(url=url) as client:
        for options, field in (
            ({"environment": "lean-4.0.0"}, "environment"),
            ({"permitted_sorries": ["helper"]}, "permitted_sorries"),
            ({"timeout_seconds": -1}, "timeout_seconds"),
        ):
            arguments: dict[str, Any] = {"formal_statement": "s", "content": "c", "environment": "default", **options}
            with pytest.raises(AxleInvalidArgument, match=field):
                await client.verify_proof(**arguments)


async def test_the_rest_of_the_real_client() -> None:
    gateway = a_gateway(environments="lean-4.35.0=a:b; lean-4.34.1=c:d", api_keys="alice=secret-one")
    async with serving(gateway) as url, AxleClient(url=url, api_key="secret-one") as client:
        assert [each["name"] for each in await client.environments()] == ["default", "lean-4.35.0", "lean-4.34.1"]
        latest = await client.get_latest_environment()
        assert latest is not None
        assert latest["name"] == "lean-4.35.0"
        assert (await asyncio.to_thread(client.check_status))["status"] == "healthy"
        answer = await client.verify_proof("s", "c", "lean-4.34.1")
        assert answer.okay
    async with serving(gateway) as url, AxleClient(url=url, base_timeout_seconds=0) as client:
        with pytest.raises(AxleApiError, match="Bearer"):
            await client.verify_proof("s", "c", "default")
        gateway.ways[0].follower.trouble = "no broker answers"
        client._headers["Authorization"] = "Bearer secret-one"
        await client.close()
        with pytest.raises(AxleIsUnavailable, match="no broker"):
            await client.verify_proof("s", "c", "default")


@pytest.mark.parametrize(("reason", "code"), [("ok", 0), ("axiom", 3), ("timeout", 1)])
async def test_axles_command_line_with_strict(tmp_path: Path, reason: str, code: int) -> None:
    statement, content = tmp_path / "statement.lean", tmp_path / "content.lean"
    statement.write_text("theorem t : True := sorry", "utf-8")
    content.write_text(f"theorem t : True := trivial -- {reason}", "utf-8")
    async with serving(a_gateway()) as url:
        command = ["-m", "axle.cli.main", "--url", url, "verify-proof", str(statement), str(content)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--environment", "default", "--strict", stdout=-1, stderr=-1
        )
        said, complained = await process.communicate()
    assert process.returncode == code, complained.decode()
    if code != 1:
        assert json.loads(said)["okay"] is (code == 0)
