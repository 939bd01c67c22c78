"""The steps of one proof in a running REPL: import the header, run the body, check that the channel held.

Each step sends one command and reads its answer. What a failure leads to is decided by `lean.retry`.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamverify.core.audit.axioms import Challenge, Sum
from streamverify.core.messages.models import errors_in
from streamverify.core.syntax.header import body_of
from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    ChannelBroken,
    ChannelCheckTimedOut,
    NoRecording,
    Refused,
    ReplFailure,
    TimedOut,
)
from streamverify.lean.repl.protocol import (
    decode_answer,
    encode_check,
    encode_command,
    first_messages,
    is_nonce,
    read_response,
)
from streamverify.lean.repl.session import CHECK_TIMEOUT
from streamverify.standins.loop import NO_RECORDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamverify.core.messages.models import ProofRequest, Response
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.protocol import ReplAnswer
    from streamverify.lean.repl.session import ReplSession

_KNOWN_AFTER_AN_IMPORT = "#check Nat"
"""Known wherever anything was imported; unknown in the empty environment that a failed import leaves."""

_SILENT = "The REPL answered the proof and then fell silent."


class ImportRejected(Exception):
    """Lean could not import the header; `texts` are its messages, none where the REPL drops them."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__("\n".join(texts) or "Lean did not import it, and this REPL keeps its reason to itself.")
        self.texts = texts


async def ask(
    session: ReplSession, env: int, question: str, timeout: float, *, refused: type[ReplFailure] = ChannelBroken
) -> Response:
    """Ask Lean a question of our own, in an environment that the REPL made.

    Args:
        session: The session.
        env: The environment.
        question: Lean text.
        timeout: Seconds for the answer.
        refused: The failure that is raised where the REPL does not run the question at all. A REPL knows every
            environment that it answered with itself, so usually a refusal is no answer of this REPL's.

    Raises:
        ReplFailure: There is no answer, or none that can be believed.
    """
    answer = decode_answer(await session.ask(encode_command(question, env=env), timeout))
    if answer.refusal is not None:
        raise refused(f"The REPL refused a question: {answer.refusal}")
    return read_response(answer, 0.0)


async def import_header(session: ReplSession, header: Header, *, timeout: float, ask_lean: bool) -> int:
    """Import the header as one command and return the number of its environment.

    Args:
        session: A fresh one, or one that has imported other headers.
        header: A blank one gets an environment from the empty command.
        timeout: Seconds for the import.
        ask_lean: Also ask whether the environment is that of an import at all: the REPL of 2025 and 2026 answers a
            failed one with an empty environment and without a word.

    Raises:
        ImportRejected: With Lean's messages.
        ReplFailure: Whatever else.
    """
    response = _response(decode_answer(await session.ask(encode_command(header.canonical), timeout)), 0.0)
    errors = tuple(each["data"] for each in errors_in(response.messages))
    if errors:
        raise ImportRejected(errors)
    env = response.env or 0
    # Before the channel check: a failed import leaves an environment in which the check is answered, too.
    if ask_lean:
        with _silence_told_apart():
            known = await ask(session, env, _KNOWN_AFTER_AN_IMPORT, CHECK_TIMEOUT)
        if errors_in(known.messages):
            raise ImportRejected(())
    await check_channel(session, env)
    return env


def encode_body(request: ProofRequest, header: Header, env: int, *, extras: bool) -> bytes:
    """Return the command that runs the body of a proof in its header's environment.

    `extras` says whether the infotree and the tactics are asked for, where the request wants them.
    """
    return encode_command(
        body_of(request.proof, header),
        env=env,
        infotree=request.infotree_type if extras else None,
        all_tactics=request.all_tactics and extras,
    )


async def run_body(session: ReplSession, command: bytes, timeout: float) -> Response:
    """Run a body as `encode_body` has it; `time` of the response is how long Lean took.

    Raises:
        ReplFailure: There is no answer, or none that can be believed.
    """
    begun = time.monotonic()
    with _first_messages_read():
        raw = await session.ask(command, timeout)
    seconds = time.monotonic() - begun
    return _response(decode_answer(raw), seconds)


async def run_checked_body(session: ReplSession, env: int, command: bytes, timeout: float) -> Response:
    """Run a body as `run_body` does, and check the channel at once in `env`: one wait for both.

    Raises:
        ReplFailure: There is no answer, or none that can be believed.
    """
    # It leaves this process when the body is answered, see `ask_and_check`: the body cannot read it.
    nonce = secrets.token_hex(16)
    with _first_messages_read():
        raw, seconds, check = await session.ask_and_check(command, timeout, encode_check(nonce, env))
    # The body's answer first: if it cannot be read, that is what went wrong first.
    response = _response(decode_answer(raw), seconds)
    if isinstance(check, TimedOut):
        raise ChannelCheckTimedOut(_SILENT) from check
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


def _response(answer: ReplAnswer, seconds: float) -> Response:
    """Return the answer to a text of the proof, which a REPL may refuse to run: that is no sign of forgery."""
    if answer.refusal is None:
        return read_response(answer, seconds)
    if answer.refusal == NO_RECORDING:
        raise NoRecording("The replay REPL has no recording of this proof.")
    raise Refused(f"The REPL refused the command: {answer.refusal}")


async def check_channel(session: ReplSession, env: int) -> None:
    """Ask for a word that nobody can know before it is asked for, in the header's environment.

    Raises:
        ChannelBroken: Another answer came: what was read before may be forged too.
        ChannelCheckTimedOut: None came.
    """
    nonce = secrets.token_hex(16)
    with _silence_told_apart():
        raw = await session.ask(encode_check(nonce, env), CHECK_TIMEOUT)
    _require_nonce(raw, nonce)


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
        ChannelCheckTimedOut: None came.
    """
    # Numbers of five digits: Lean decides their equality at once, and a guess is hopeless.
    left, right, other = (10_000 + secrets.randbelow(90_000) for _ in range(3))
    total = Sum(left, right, left + right + other)
    challenge = Challenge(secrets.token_hex(16), total, names, false_first=bool(secrets.randbits(1)))
    with _silence_told_apart():
        messages = (await ask(session, env, challenge.text, CHECK_TIMEOUT)).messages
    if not challenge.is_met(messages):
        raise ChannelBroken("The REPL's answers got out of step with what it was asked, or are not those of a prover.")
    return challenge.not_new(messages)


@contextmanager
def _silence_told_apart() -> Iterator[None]:
    """Tell the time-out of a check from that of the proof: the proof itself was answered in time."""
    try:
        yield
    except TimedOut as error:
        raise ChannelCheckTimedOut(_SILENT) from error
