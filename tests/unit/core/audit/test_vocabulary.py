"""What Lean says that it knows, and how it is asked."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import Any

import pytest

from streamverify.core.audit.vocabulary import (
    SHIPPED,
    VOCABULARY_QUERIES,
    Trusted,
    Vocabulary,
    VocabularyError,
    parse_vocabulary,
)

ANSWER = """streamverify-vocabulary commands
theorem
«#check»
«@[»
streamverify-vocabulary attributes
simp
streamverify-vocabulary options
pp.all
Some.«odd name»
streamverify-vocabulary tactics
omega
streamverify-vocabulary end
"""


def test_an_answer_is_read_as_names_are_written() -> None:
    assert parse_vocabulary(ANSWER) == Vocabulary(
        frozenset({"theorem", "#check", "@["}),
        frozenset({"simp"}),
        frozenset({"pp.all", "Some.odd name"}),
        frozenset({"omega"}),
    )


def test_what_stands_around_an_answer_is_skipped() -> None:
    assert parse_vocabulary(f"a warning\n{ANSWER}more\n") == parse_vocabulary(ANSWER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown identifier 'Lean.CoreM'",
        ANSWER.replace("streamverify-vocabulary end\n", ""),
        ANSWER.replace("options", "others"),
        ANSWER.replace("simp\n", ""),
        "streamverify-vocabulary end",
    ],
)
def test_what_is_no_whole_answer_is_refused(text: str) -> None:
    with pytest.raises(VocabularyError):
        parse_vocabulary(text)


def test_every_query_is_one_command_that_marks_its_answer() -> None:
    for query in VOCABULARY_QUERIES:
        assert query.startswith("#eval ")
        assert query.count("#eval") == 1
        assert "\n\n" not in query
        for title in ("commands", "attributes", "options", "tactics"):
            assert f'part "{title}"' in query
        assert '"streamverify-vocabulary end"' in query


def test_the_shipped_list_has_the_words_of_2021_and_of_today() -> None:
    assert {"theorem", "universes", "run_cmd", "#eval", "with_weak_namespace"} <= SHIPPED.commands
    assert {"simp", "implementedBy", "command_elab"} <= SHIPPED.attributes
    assert {"maxHeartbeats", "debug.skipKernelTC", "pp.full_names", "pp.fullNames"} <= SHIPPED.options


def test_the_words_of_a_site_have_a_digest_that_does_not_depend_on_their_order() -> None:
    assert Trusted().digest == ""
    assert Trusted(old_comments=True).digest == ""
    some = Trusted.parse("command:problem_file, attribute:coe option:google.answer")
    assert some == Trusted(frozenset({"problem_file"}), frozenset({"coe"}), frozenset({"google.answer"}))
    assert some.digest == Trusted.parse("option:google.answer attribute:coe command:problem_file").digest
    digests = {some.digest, Trusted.parse("command:coe").digest, Trusted.parse("attribute:coe").digest, ""}
    assert len(digests) == 4
    assert all(len(each) == 13 for each in digests - {""})


@pytest.mark.parametrize("text", ["problem_file", "commands:x", "command:", "command:a b", "option:a:b", 'command:"x"'])
def test_words_of_a_site_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="kind:name"):
        Trusted.parse(text)


@pytest.mark.parametrize(
    "text", ["command:axiom", "command:#eval", "attribute:implemented_by", "option:debug.skipKernelTC"]
)
def test_a_site_cannot_trust_what_goes_round_the_kernel(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be allowed"):
        Trusted.parse(text)


def _ask(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers of the REPL that is configured for tests."""
    repl = os.environ.get("STREAMVERIFY_TEST_REPL")
    if not repl:
        pytest.skip("STREAMVERIFY_TEST_REPL names no real Lean")
    sent = "".join(json.dumps(command) + "\n\n" for command in commands)
    done = subprocess.run(shlex.split(repl), input=sent, capture_output=True, text=True, timeout=100, check=False)
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].strip()
    return answers


def test_a_real_lean_answers_one_of_the_queries() -> None:
    commands: list[dict[str, Any]] = [{"cmd": "import Lean"}]
    commands += [{"cmd": query, "env": 0} for query in VOCABULARY_QUERIES]
    _, *answers = _ask(commands)
    understood = [answer for answer in answers if all(item["severity"] != "error" for item in answer["messages"])]
    assert understood
    for answer in understood:
        (message,) = (item for item in answer["messages"] if item["severity"] == "info")
        known = parse_vocabulary(message["data"])
        assert {"theorem", "#eval", "macro", "@["} <= known.commands
        assert {"simp", "instance", "macro"} <= known.attributes
        assert {"maxHeartbeats", "pp.all"} <= known.options
        assert {"simp", "exact"} <= known.tactics
        assert len(known.commands) > 50


def test_a_real_lean_lists_commands_that_wait_for_an_open() -> None:
    declared = 'namespace Waiting\nscoped syntax "frobnicate" term : command\nend Waiting'
    _, _, answer = _ask([{"cmd": "import Lean"}, {"cmd": declared, "env": 0}, {"cmd": VOCABULARY_QUERIES[0], "env": 1}])
    (message,) = answer["messages"]
    assert "frobnicate" in parse_vocabulary(message["data"]).commands


def test_a_real_lean_without_its_own_library_says_that_it_does_not_know() -> None:
    _, answer = _ask([{"cmd": ""}, {"cmd": VOCABULARY_QUERIES[0], "env": 0}])
    assert any(item["severity"] == "error" for item in answer["messages"])
