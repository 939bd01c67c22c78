"""The steps of one proof in a running REPL: import the header, run the body, check that the channel held.

Each step sends one command and reads its answer. What a failure leads to is `tries`' business.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.audit.axioms import Challenge, Sum
from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    ChannelBroken,
    NoRecording,
    Refused,
    ReplFailure,
    Silent,
    TimedOut,
)
from streamverify.lean.repl.protocol import (
    NO_RECORDING,
    decode_answer,
    encode_check,
    encode_command,
    first_messages,
    is_nonce,
    read_response,
)
from streamverify.lean.repl.session import CHECK_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamverify.core.messages.models import ProofRequest, Response
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.protocol import Answer
    from streamverify.lean.repl.session import ReplSession

_KNOWN_EVERYWHERE = "#check Nat"
"""Known wherever anything was imported; unknown in the empty environment that a failed import leaves."""


_SILENT = "The REPL answered the proof and then fell silent."


class ImportRejected(Exception):
    """Lean could not import the header; `texts` are its messages, none where the REPL drops them."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__(*texts)
        self.texts = texts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of Lean for one proof. `timeout` is in seconds, from when the body is handed over."""

    body: str
    timeout: float
    request: ProofRequest
    extras: bool


async def import_header(session: ReplSession, header: Header, *, timeout: float, ask_lean: bool) -> int:
    """Import the header as one command and return the number of its environment.

    Args:
        session: A fresh one.
        header: A blank one gets an environment from the empty command.
        timeout: Seconds for the import.
        ask_lean: Also ask whether the environment is that of an import at all: the REPL of 2025 and 2026 answers a
            failed one with an empty environment and without a word.

    Raises:
        ImportRejected: With Lean's messages.
        ReplFailure: Whatever else.
    """
    answer = decode_answer(await session.ask(encode_command(header.canonical), timeout))
    response = _response(answer, 0.0)
    errors = tuple(each["data"] for each in response.messages if each["severity"] == "error")
    if errors:
        raise ImportRejected(errors)
    env = response.env or 0
    if ask_lean and not await _has_imports(session, env):
        raise ImportRejected(())
    await check_channel(session, env)
    return env


async def _has_imports(session: ReplSession, env: int) -> bool:
    answer = decode_answer(await _ask_own(session, encode_command(_KNOWN_EVERYWHERE, env=env)))
    if answer.refusal is not None:
        return True
    return all(each["severity"] != "error" for each in read_response(answer, 0.0).messages)


async def run_body(session: ReplSession, env: int, wanted: Wanted) -> Response:
    """Run the body in the header's environment; `time` of the response is how long Lean took.

    Raises:
        ReplFailure: There is no answer, or none that can be believed.
    """
    command = _body_command(env, wanted)
    begun = time.monotonic()
    with _first_messages_read():
        raw = await session.ask(command, wanted.timeout)
    seconds = time.monotonic() - begun
    return _response(decode_answer(raw), seconds)


async def run_checked_body(session: ReplSession, env: int, wanted: Wanted) -> Response:
    """Run the body as `run_body` does, and check the channel at once: one wait for both.

    Raises:
        ReplFailure: There is no answer, or none that can be believed.
    """
    nonce = secrets.token_hex(16)
    with _first_messages_read():
        raw, seconds, check = await session.ask_and_check(
            _body_command(env, wanted), wanted.timeout, encode_check(nonce, env)
        )
    # The body's answer first: if it cannot be read, that is what went wrong first.
    response = _response(decode_answer(raw), seconds)
    if isinstance(check, TimedOut):
        raise Silent(_SILENT) from check
    if isinstance(check, ReplFailure):
        raise check
    _require_nonce(check, nonce)
    return response


@contextmanager
def _first_messages_read() -> Iterator[None]:
    """Read the first messages of an answer to the body that is too large: they may show an error of the body."""
    begun = time.monotonic()
    try:
        yield
    except AnswerTooLarge as failure:
        failure.messages, failure.seconds = first_messages(failure.start), time.monotonic() - begun
        raise


def _body_command(env: int, wanted: Wanted) -> bytes:
    request = wanted.request
    return encode_command(
        wanted.body,
        env=env,
        infotree=request.infotree_type if wanted.extras else None,
        all_tactics=request.all_tactics and wanted.extras,
    )


def _response(answer: Answer, seconds: float) -> Response:
    if answer.refusal is None:
        return read_response(answer, seconds)
    if answer.refusal == NO_RECORDING:
        raise NoRecording("The replay REPL has no recording of this proof.")
    raise Refused(f"The REPL refused the command: {answer.refusal}")


async def check_channel(session: ReplSession, env: int) -> None:
    """Ask for a word that nobody can know before it is asked for, in the header's environment.

    Raises:
        ChannelBroken: Another answer came: what was read before may be forged too.
        Silent: None came.
    """
    nonce = secrets.token_hex(16)
    _require_nonce(await _ask_own(session, encode_check(nonce, env)), nonce)


def _require_nonce(raw: bytes, nonce: str) -> None:
    if not is_nonce(decode_answer(raw), nonce):
        raise ChannelBroken("The REPL's answers got out of step with what it was asked.")


async def check_prover(session: ReplSession, env: int, names: Sequence[str]) -> str | None:
    """Check the channel before a positive is believed, and that the process still proves; in the header's environment.

    Args:
        session: The session.
        env: The environment of the header.
        names: The theorems that were audited.

    Returns:
        The first name that the header knows by itself: the file did not declare it. None where all are new.

    Raises:
        ChannelBroken: Another answer came: what was read before may be forged too.
        Silent: None came.
    """
    left, right, other = (10_000 + secrets.randbelow(90_000) for _ in range(3))
    total = Sum(left, right, left + right + other)
    challenge = Challenge(secrets.token_hex(16), total, names, false_first=bool(secrets.randbits(1)))
    answer = decode_answer(await _ask_own(session, encode_command(challenge.text, env=env)))
    messages = read_response(answer, 0.0).messages if answer.env is not None else ()
    if not challenge.is_met(messages):
        raise ChannelBroken("The REPL's answers got out of step with what it was asked, or are not those of a prover.")
    return challenge.not_new(messages)


async def _ask_own(session: ReplSession, command: bytes) -> bytes:
    try:
        return await session.ask(command, CHECK_TIMEOUT)
    except TimedOut as error:
        raise Silent(_SILENT) from error
