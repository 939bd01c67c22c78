"""What is fuzzed: each target takes any bytes and raises only where a promise is broken.

Run by `tests/property/test_fuzz_targets.py` on Hypothesis' examples and by `run.py` on those that atheris finds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.audit.language import tokens
from streamverify.core.audit.policy import TokenizedProof
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.errors import HeaderError, RefusedRequest, UndecodableRequest, UndecodableResult
from streamverify.core.export import AcceptedProof, UnreadableExport, judge, needed
from streamverify.core.messages.codec import RequestLimits, decode_request, decode_result, encode_request
from streamverify.core.syntax.header import body_of, parse_header
from streamverify.lean.import_errors import import_position
from streamverify.lean.repl.errors import ChannelBroken, TooDeep
from streamverify.lean.repl.protocol import AnswerSplitter, decode_answer, is_nonce, read_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streamverify.core.syntax.header import Header

LIMITS = RequestLimits(max_proof_bytes=4096)
TESTS = Path(__file__).resolve().parent.parent


def header(data: bytes) -> None:
    """A header is read or refused with a place; what was read reads the same again."""
    text = _text(data)
    try:
        found = parse_header(text)
    except HeaderError as error:
        refusal = error
    else:
        _check_header(text, found)
        return
    assert refusal.line >= 1
    assert refusal.column >= 0


def _check_header(text: str, found: Header) -> None:
    assert 0 <= found.end <= len(text)
    assert body_of(text, found) == "" or body_of(text, found).endswith(text[found.last :])
    again = parse_header(found.canonical)
    assert (again.canonical, again.fingerprint) == (found.canonical, found.fingerprint)
    assert import_position(found, text[-200:])["line"] >= 1


def lexer(data: bytes) -> None:
    """Tokens are what stands at their places, in order, and never raise."""
    text, end = _text(data), 0
    for token in tokens(text):
        assert token.text
        assert text.startswith(token.text, token.offset)
        assert token.offset >= end
        assert token.line == text.count("\n", 0, token.offset) + 1
        end = token.offset + len(token.text)


def policy(data: bytes) -> None:
    """Findings have a known rule and a place in the text; declarations are read from whatever stands there."""
    text = _text(data)
    try:
        reading = TokenizedProof(text, parse_header(text))
    except HeaderError:
        return
    lines = text.split("\n")
    for finding in reading.check(SHIPPED):
        assert finding.rule in RULES
        assert 1 <= finding.line <= len(lines)
        assert 0 <= finding.column <= len(lines[finding.line - 1])
        assert len(finding.excerpt) <= 1000
    reading.declared()


def request(data: bytes) -> None:
    """A record is a request, or is refused by name; what was read reads the same again."""
    try:
        found = decode_request(data, limits=LIMITS)
    except (UndecodableRequest, RefusedRequest):
        return
    assert decode_request(encode_request(found), limits=LIMITS) == found


def result(data: bytes) -> None:
    """A record is a result, or is none."""
    try:
        decode_result(data)
    except UndecodableResult:
        return


def answer(data: bytes) -> None:
    """An answer of a REPL is read, or the channel is broken; no other answer is our nonce's."""
    try:
        found = decode_answer(data)
        assert not is_nonce(found, "d41d8cd98f00b204e9800998ecf8427e")
        read_response(found, 0.0)
    except (ChannelBroken, TooDeep):
        return


def splitter(data: bytes) -> None:
    """However a stream is cut, the answers are the same, and none has a blank line."""
    size, stream = 1 + data[0] % 7 if data else 1, data[1:]
    whole, cut = AnswerSplitter(), AnswerSplitter()
    answers = whole.feed(stream)
    assert [each for at in range(0, len(stream), size) for each in cut.feed(stream[at : at + size])] == answers
    assert (whole.clean, whole.pending) == (cut.clean, cut.pending)
    assert all(each and b"\n\n" not in each for each in answers)


def export(data: bytes) -> None:
    """An export is accepted, refused or unreadable, whatever its bytes, and however they are cut into pieces.

    What is accepted is the theorem that was stated: it can be compared in the other direction, too. What ends one byte
    sooner is not accepted, since its last line has no end.
    """
    statement = _export("plain", "statement")
    whole = judge([data], ("target",), trusted=[statement])
    assert judge([data[:100], b"", data[100:]], ("target",), trusted=[statement]) == whole
    if isinstance(whole, AcceptedProof):
        assert isinstance(judge([_export("plain", "proof")], ("target",), trusted=[data]), AcceptedProof)
        assert isinstance(judge([data[:-1]], ("target",)), UnreadableExport)
    needed([data])


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (header, lexer, policy, request, result, answer, splitter, export)
}


def seeds(name: str) -> list[bytes]:
    """Where a target starts: files that the tests have, in the form that it takes."""
    if name in ("header", "lexer", "policy"):
        return list(_proofs())
    if name == "request":
        return [json.dumps({"custom_id": "a", "proof": text.decode(), "timeout": 1}).encode() for text in _proofs()]
    if name == "result":
        example = json.loads((TESTS.parent / "schemas" / "proof-result.schema.json").read_bytes())["examples"]
        return [json.dumps(each).encode() for each in example]
    if name == "export":
        names = ("plain", "names_of_variables", "three_axioms", "let_and_projections", "another_universe")
        return [_export(each, which) for each in names for which in ("proof", "statement")]
    answers = [
        b'{"env": 0}',
        b'{"messages": [{"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": null, "data": ""}], "env": 1}',
        b'{"sorries": [{"goal": "x", "pos": {"line": 1, "column": 1}, "endPos": null, "proofState": 0}], "env": 2}',
        b'{"message": "Unknown environment."}',
    ]
    return answers if name == "answer" else [b"\x03" + b"\n\n".join(answers) + b"\n\n"]


def _proofs() -> Iterator[bytes]:
    from exploits.corpus import EXPLOITS  # noqa: PLC0415 - the corpus is the tests'

    for file in sorted((TESTS / "honest").glob("*.lean")):
        yield file.read_bytes()
    for exploit in EXPLOITS:
        yield exploit.proof.encode()


def _export(name: str, which: str) -> bytes:
    return (TESTS / "data" / "exports" / f"{name}.{which}.ndjson").read_bytes()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
