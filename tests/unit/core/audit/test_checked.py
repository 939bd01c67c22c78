"""What Lean's messages say about a proof."""

from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.audit.checked import SENTENCE_LENGTH, verdict_on_response
from streamverify.core.messages.models import Finding, Reason, Response


def message(severity: str, data: str, line: int = 3, column: int = 7) -> dict[str, Any]:
    return {"severity": severity, "pos": {"line": line, "column": column}, "endPos": None, "data": data}


def judged(*messages: dict[str, Any], sorries: tuple[dict[str, Any], ...] = ()) -> tuple[Reason, str | None]:
    verdict = verdict_on_response(Response.model_validate({"messages": messages, "sorries": list(sorries)}))
    return verdict.reason, verdict.summary


@pytest.mark.parametrize("messages", [(), (message("info", "error"),), (message("warning", "unused variable"),)])
def test_no_error_and_no_sorry_is_ok(messages: tuple[dict[str, Any], ...]) -> None:
    assert judged(*messages) == (Reason.OK, "Lean accepted the whole file, without error and without sorry.")


def test_the_sentence_about_an_accepted_file_says_what_an_audit_would_object_to() -> None:
    finding = Finding(rule="axiom", line=2, column=0, excerpt="axiom cheat : False")
    verdict = verdict_on_response(Response(), [finding])
    assert verdict.reason is Reason.OK
    assert verdict.summary == (
        "Lean accepted the whole file; an audit would reject it: line 2, column 0: "
        "the policy objects to axiom cheat : False (axiom)"
    )


def test_an_error_comes_before_a_sorry() -> None:
    reason, sentence = judged(
        message("warning", "declaration uses 'sorry'"),
        message("error", "type mismatch\n  rfl", 5, 2),
        message("error", "unsolved goals", 9, 0),
        sorries=({"goal": "x"},),
    )
    assert (reason, sentence) == (Reason.LEAN_ERROR, "line 5, column 2: type mismatch rfl (and 1 more error)")


@pytest.mark.parametrize(
    "wording", ["declaration uses 'sorry'", "declaration uses `sorry`", "declaration uses `sorry`\n"]
)
def test_both_wordings_of_the_warning_are_a_sorry(wording: str) -> None:
    assert judged(message("warning", wording)) == (Reason.SORRY, "The declaration at line 3, column 7 uses sorry.")


def test_the_list_of_sorries_is_enough() -> None:
    assert judged(sorries=({"goal": "x"},))[0] is Reason.SORRY


def test_a_message_that_only_speaks_of_sorry_is_none() -> None:
    assert judged(message("info", "declaration uses 'sorry'"))[0] is Reason.OK
    assert judged(message("warning", "this linter knows that a declaration uses 'sorry'"))[0] is Reason.OK


def test_a_long_error_is_cut_to_one_line() -> None:
    _, sentence = judged(*(message("error", "x\n" * 5000) for _ in range(3)))
    assert sentence is not None
    assert sentence.endswith("… (and 2 more errors)")
    assert len(sentence) < SENTENCE_LENGTH + 60
    assert "\n" not in sentence
