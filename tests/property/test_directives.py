"""The stand-in REPLs understand every directive and survive every input."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support import made_recording

from streamverify.core.syntax.lexer import position
from streamverify.standins.directives import WORDS, DirectiveStep, parse_directives
from streamverify.standins.loop import blocks
from streamverify.standins.recordings import Recordings, move
from streamverify.standins.replay import ReplayRepl
from streamverify.standins.synthetic import SyntheticRepl

_VALUES = {
    "SECONDS": st.decimals(0, 1000, places=3).map(float),
    "BYTES": st.integers(0, 10**9),
    "MIB": st.integers(0, 10**6),
    "STATUS": st.integers(0, 255),
}
PADDING = st.lists(st.sampled_from((" ", "\n", "\r\n"))).map("".join)
BODIES = st.text(st.sampled_from("aé🙂«\n -:=⊢"), min_size=1).map(str.strip).filter(bool)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("cmd", "env", "x")), inner),
    max_leaves=8,
)
HARMLESS = st.sampled_from(
    ("error", "sorry", "stdout=3", "infotree=3", "alloc=0", "service=0", "erorr", "exit", "=", "x=1")
)


@st.composite
def steps(draw: st.DrawFn) -> DirectiveStep:
    name = draw(st.sampled_from(sorted(WORDS)))
    word = WORDS[name]
    if word.argument is None or (word.optional and draw(st.booleans())):
        return DirectiveStep(name)
    return DirectiveStep(name, draw(_VALUES[word.argument]))


def written(step: DirectiveStep) -> str:
    word = WORDS[step.word]
    if word.argument is None or (word.optional and not step.value):
        return step.word
    return f"{step.word}={step.value:.3f}" if word.argument == "SECONDS" else f"{step.word}={step.value}"


@settings(deadline=None)
@given(
    st.lists(steps(), min_size=1),
    st.text(st.sampled_from("ab🙂 \n\t")),
    st.sampled_from(("", "\n", "\nrest", "\r\nrest")),
)
def test_what_is_written_is_read(expected: list[DirectiveStep], before: str, after: str) -> None:
    directive = f"-- synthetic: {' '.join(map(written, expected))}"

    (found,) = parse_directives(before + directive + after)

    assert (list(found.steps), found.problems) == (expected, ())
    assert found.start == position(before + directive, len(before))
    assert found.end == position(before + directive, len(before + directive))


@settings(deadline=None)
@given(st.text() | st.text().map("-- synthetic:{}".format))
def test_every_text_is_read(text: str) -> None:
    for found in parse_directives(text):
        assert found.steps or found.problems
        line, column = found.start
        assert text.split("\n")[line - 1][column:].startswith("--")


@settings(deadline=None)
@given(st.from_regex(r"[a-z=0-9.-]{1,12}", fullmatch=True))
def test_a_word_is_known_or_named_as_a_problem(word: str) -> None:
    (found,) = parse_directives(f"-- synthetic: {word}")

    if found.steps:
        assert found.steps[0].word in WORDS
        assert found.problems == ()
    else:
        assert word in found.problems[0]


@settings(deadline=None)
@given(PADDING, BODIES, st.data())
def test_moved_positions_point_at_the_same_character(header: str, body: str, data: st.DataObject) -> None:
    recorded, sent = header + body, data.draw(PADDING) + body
    index = data.draw(st.integers(0, len(body)))
    start, to = position(recorded, len(recorded) - len(body)), position(sent, len(sent) - len(body))

    moved = move(as_json(recorded, len(recorded) - len(body) + index), start, to)

    assert moved == as_json(sent, len(sent) - len(body) + index)


@settings(deadline=None)
@given(PADDING.filter(bool), BODIES, st.data())
def test_positions_before_the_body_stay(header: str, body: str, data: st.DataObject) -> None:
    recorded = header + body
    index = data.draw(st.integers(0, len(header) - 1))
    to = data.draw(st.tuples(st.integers(1, 99), st.integers(0, 99)))
    value = as_json(recorded, index)

    assert move(value, position(recorded, len(header)), to) == value


@settings(deadline=None)
@given(JSON_VALUES, st.tuples(st.integers(1, 9), st.integers(0, 9)))
def test_moving_to_the_same_place_changes_nothing(value: Any, start: tuple[int, int]) -> None:
    nested = [{"range": {"start": as_json("abc", 1)}, "other": value}]

    assert move(nested, start, start) == nested


def as_json(text: str, index: int) -> dict[str, int]:
    line, column = position(text, index)
    return {"line": line, "column": column}


@settings(deadline=None)
@given(PADDING, PADDING, BODIES)
def test_a_recorded_body_is_found_however_it_is_padded(before: str, padding: str, body: str) -> None:
    proof = before + "theorem " + body
    repl = ReplayRepl(Recordings([made_recording(proof, error_at=position(proof, len(before)))]))
    repl.answer(b'{"cmd": ""}')

    for fields in ({"env": 0}, {}):
        answer = repl.answer(json.dumps({"cmd": padding + "theorem " + body, **fields}).encode())
        (message,) = json.loads(answer)["messages"]
        assert message["pos"] == as_json(padding + "theorem " + body, len(padding))


@settings(deadline=None)
@given(st.lists(JSON_VALUES))
def test_every_command_gets_one_answer(commands: list[Any]) -> None:
    for repl in (ReplayRepl(Recordings()), SyntheticRepl()):
        for command in commands:
            assert_one_answer(repl.answer(json.dumps(command).encode()))


@settings(deadline=None)
@given(st.binary())
def test_every_block_gets_one_answer(block: bytes) -> None:
    assert_one_answer(SyntheticRepl().answer(block))


@settings(deadline=None)
@given(st.lists(HARMLESS), st.booleans(), st.sampled_from((None, "full", "x")))
def test_every_directive_gets_one_answer(words: list[str], tactics: bool, infotree: str | None) -> None:  # noqa: FBT001 - given by name
    command = {"cmd": f"-- synthetic: {' '.join(words)}", "allTactics": tactics, "infotree": infotree}

    answer = json.loads(SyntheticRepl().answer(json.dumps(command).encode()))

    wrong = [word for word in words if word in ("erorr", "exit", "=", "x=1")]
    errors = [item for item in answer.get("messages", []) if item["severity"] == "error"]
    assert len(errors) == (len(wrong) or words.count("error") or int(not words))


def assert_one_answer(answer: bytes) -> None:
    assert answer.endswith(b"\n\n")
    assert b"\n\n" not in answer[:-2]
    assert isinstance(json.loads(answer), dict)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1).map(lambda data: data.translate(None, b"\n\r\v\f\t ")).filter(bool)))
def test_blocks_are_what_blank_lines_separate(contents: list[bytes]) -> None:
    text = b"\n \n\n".join(contents)

    assert list(blocks(text.splitlines(keepends=True))) == contents
