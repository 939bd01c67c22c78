"""The command-mode protocol of leanprover-community/repl: commands to bytes, bytes to answers. Pure.

A command is one JSON object followed by a blank line. So is an answer, printed over several lines; no blank line can
stand inside, because JSON has no raw line breaks in strings. Nothing here knows of processes or of proofs.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from streamverify.core.messages.models import Message, Response
from streamverify.lean.repl.errors import ChannelBroken, TooDeep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.messages.models import InfotreeType

_BLANK_LINE = b"\n\n"
_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}:]', re.DOTALL)
"""A string, perhaps one without its end, or what nests."""
_QUOTE = ord('"')
_OPENING = (b"{", b"[")
_DEPTH_OF_A_MESSAGE = 3
"""The answer, its list of messages, and a message in it."""
_MESSAGE = TypeAdapter[Message](Message)
_EXCERPT = 120


def encode_command(
    text: str,
    *,
    env: int | None = None,
    infotree: InfotreeType | None = None,
    all_tactics: bool = False,
) -> bytes:
    """Return the command that runs `text` in environment `env`, or, where that is None, as a file of its own."""
    command: dict[str, Any] = {"cmd": text}
    if env is not None:
        command["env"] = env
    if infotree is not None:
        command["infotree"] = infotree
    if all_tactics:
        command["allTactics"] = True
    return orjson.dumps(command) + _BLANK_LINE


def encode_check(nonce: str, env: int) -> bytes:
    """Return the command of the channel check; `nonce` has no quotes and no backslashes."""
    return b'{"cmd":"#print \\"%b\\"","env":%d}\n\n' % (nonce.encode("ascii"), env)


class AnswerSplitter:
    """Cuts the output of a REPL into answers, however it was chunked. Each byte is looked at once."""

    __slots__ = ("_buffer", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the answers that `chunk` completed, without the white space around them."""
        if not self._buffer and 0 <= chunk.find(_BLANK_LINE) == len(chunk) - len(_BLANK_LINE):
            # Nearly every answer: one chunk, which is it.
            answer = chunk.strip()
            return [answer] if answer else []
        self._buffer += chunk
        answers = []
        start = 0
        while (end := self._buffer.find(_BLANK_LINE, max(start, self._scanned))) >= 0:
            if answer := bytes(self._buffer[start:end]).strip():
                answers.append(answer)
            start = self._scanned = end + len(_BLANK_LINE)
        del self._buffer[:start]
        # A blank line may be half here: its first line break is looked at again.
        self._scanned = max(0, len(self._buffer) - 1)
        return answers

    def start(self, size: int) -> bytes:
        """Return the first bytes of an answer that is not complete."""
        return bytes(self._buffer[:size])

    @property
    def pending(self) -> int:
        """Bytes of an answer that is not complete."""
        return len(self._buffer)

    @property
    def clean(self) -> bool:
        """True where nothing but white space waits for its blank line."""
        return not self._buffer or self._buffer.isspace()


@dataclass(frozen=True, slots=True)
class ReplAnswer:
    """A decoded answer. Exactly one of its fields `env`, `proofState` and `message` says of which kind it is."""

    fields: Mapping[str, Any]

    @property
    def env(self) -> int | None:
        """The environment that a command or a pickle made; None for other answers."""
        return self.fields.get("env")

    @property
    def refusal(self) -> str | None:
        """The reason why the REPL did not run the command; None for other answers."""
        return self.fields.get("message")


def decode_answer(raw: bytes) -> ReplAnswer:
    """Decode one answer.

    Raises:
        ChannelBroken: No REPL prints this.
        TooDeep: It is JSON, nested deeper than the decoder goes (1,024).
    """
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # orjson has one exception for both. What is nested too deeply is legal: Lean prints infotrees of any depth.
        if "depth" in str(error) or "recursion" in str(error).lower():
            raise TooDeep("The answer is nested too deeply to be read.") from error
        raise ChannelBroken(f"The answer is not JSON ({error}): {_excerpt(raw)}") from error
    if type(fields) is not dict or not _has_one_kind(fields):
        raise ChannelBroken(f"The answer is none that a REPL gives: {_excerpt(raw)}")
    return ReplAnswer(fields)


def _has_one_kind(fields: Mapping[str, Any]) -> bool:
    if "env" in fields:
        return type(fields["env"]) is int and not ("proofState" in fields or "message" in fields)
    if "proofState" in fields:
        return type(fields["proofState"]) is int and "message" not in fields
    return len(fields) == 1 and type(fields.get("message")) is str


def read_response(answer: ReplAnswer, seconds: float) -> Response:
    """Return the answer to a command as it goes into a result; `seconds` is how long Lean ran.

    Raises:
        ChannelBroken: It is the answer to something else, or its fields have types that no REPL prints.
    """
    if answer.env is None:
        raise ChannelBroken(f"The answer to a command has no environment: {_excerpt(repr(answer.fields).encode())}")
    try:
        return Response.model_validate({**answer.fields, "time": round(seconds, 6)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ChannelBroken(f"The answer is none that a REPL gives: {place}: {first['msg']}") from error


def first_messages(start: bytes) -> list[Message]:
    """Return the messages that stand complete in the first part of the answer to a command, whatever follows.

    Total: what is no JSON ends the search, and what is no message is passed over. Each byte is looked at once, and once
    more where it belongs to a message.
    """
    found: list[Message] = []
    depth, begin, name, field = 0, 0, b"", b""
    for token in _JSON_TOKEN.finditer(start):
        text = token.group()
        if text[0] == _QUOTE:
            if len(text) == 1 or text[-1] != _QUOTE:
                # It goes on where the first part ends.
                break
            name = text
        elif text == b":":
            # Only at the top is it the name of a field of the answer.
            field = name if depth == 1 else field
        elif text in _OPENING:
            depth += 1
            if depth == _DEPTH_OF_A_MESSAGE:
                begin = token.start()
        else:
            depth -= 1
            if depth == _DEPTH_OF_A_MESSAGE - 1 and field == b'"messages"':
                with suppress(ValidationError):
                    found.append(_MESSAGE.validate_json(start[begin : token.end()]))
            if depth <= 0:
                break
    return found


def is_nonce(answer: ReplAnswer, nonce: str) -> bool:
    """Return whether `answer` is Lean's to the channel check: one message, the nonce, and an environment."""
    messages = answer.fields.get("messages")
    # Strict: Lean's answer to a command that only prints has these two fields and no others.
    if answer.env is None or len(answer.fields) != len(("env", "messages")) or type(messages) is not list:
        return False
    if len(messages) != 1 or type(messages[0]) is not dict:
        return False
    data = messages[0].get("data")
    return messages[0].get("severity") == "info" and type(data) is str and data.strip() == nonce


def _excerpt(raw: bytes) -> str:
    text = raw[:_EXCERPT].decode("utf-8", "replace")
    return repr(text) + ("…" if len(raw) > _EXCERPT else "")
