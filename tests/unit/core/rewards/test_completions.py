from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.rewards.completions import as_statement, completion_text, last_lean_block, with_header


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("```lean4\nexact h\n```", "exact h"),
        ("```lean\na\n```\nthen\n```lean4\nb\nc\n```\nDone.", "b\nc"),
        ("```lean4\na\n```\n```lean\nb\n```", "b"),
        ("```Lean4\na\n```", "a"),
        ("``` lean4\na\n```", "a"),
        ("   ```lean4\n  a\n   ```", "  a"),
        ("The proof: ```lean4\na\n```", "a"),
        ("```lean4\na```", "a"),
        ("```lean4 title=x\na\n```", "a"),
        ("```lean4\r\na\r\n```\r\n", "a\r"),
        ("````lean4\na\n````", "a"),
        ("```\na\n```", "a"),
        ("```lean4\na\n```\n```\nb\n```", "a"),
        ("```\na\n```\n```\nb\n```", "b"),
        ("```python\nprint()\n```", None),
        ("```lean4\na\n```\n```python\nprint()\n```", "a"),
        ("```lean4\na\n```\n```lean4\ncut off", "a"),
        ("```lean4\ncut off\n```lean4\nb\n```", "b"),
        ("```lean4\ncut off", None),
        ("theorem t : True := trivial", None),
        ("an inline ```lean4``` word", None),
        ("```lean4\n```", ""),
        ("", None),
    ],
)
def test_the_last_block_of_lean_counts(text: str, block: str | None) -> None:
    assert last_lean_block(text) == block


WITHOUT_FENCE = st.text(st.characters(exclude_characters="`\r", exclude_categories=["Cs"]), max_size=60)


@given(st.lists(st.tuples(WITHOUT_FENCE, WITHOUT_FENCE), min_size=1, max_size=4), WITHOUT_FENCE)
def test_a_block_comes_back_as_it_was(blocks: list[tuple[str, str]], rest: str) -> None:
    text = "".join(f"{before}\n```lean4\n{code}\n```\n" for before, code in blocks) + rest
    assert last_lean_block(text) == blocks[-1][1]


@given(st.text(st.sampled_from("`\n ale4n:-"), max_size=80))
def test_what_is_found_stands_in_the_text(text: str) -> None:
    block = last_lean_block(text)
    assert block is None or block in text


def test_a_completion_is_a_text_or_messages() -> None:
    assert completion_text("a") == "a"
    assert completion_text([{"role": "assistant", "content": "a"}]) == "a"
    assert completion_text([{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]) == "a"
    assert completion_text([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": None}]) == "a"
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert completion_text([{"role": "assistant", "content": parts}]) == "ab"
    assert completion_text([]) == ""
    with pytest.raises(TypeError, match="list of messages"):
        completion_text(7)


def test_a_header_is_put_before_what_imports_nothing() -> None:
    assert with_header("theorem t", "import Mathlib\n") == "import Mathlib\n\ntheorem t"
    assert with_header("import Lean\ntheorem t", "import Mathlib") == "import Lean\ntheorem t"
    assert with_header("-- a word\ntheorem t", "") == "-- a word\ntheorem t"
    assert with_header("prelude\n", "import Mathlib") == "prelude\n"


@pytest.mark.parametrize("end", [":= by", ":=", ":= by\n", ":= by sorry", ":=\n  by\n  "])
def test_a_statement_ends_in_sorry(end: str) -> None:
    assert as_statement(f"theorem t : True {end}").endswith("sorry")


def test_a_finished_statement_is_left_alone() -> None:
    assert as_statement("theorem t : 1 = 1 := by sorry\n") == "theorem t : 1 = 1 := by sorry\n"


@pytest.mark.parametrize("content", [None, 5, [1], [None], [[]], {}, [{"type": "text", "text": None}], [{"text": 5}]])
def test_content_of_any_other_kind_has_no_text(content: object) -> None:
    assert completion_text([{"role": "assistant", "content": content}]) == ""


def test_content_that_is_one_part_is_read_as_a_list_of_one() -> None:
    assert completion_text([{"role": "assistant", "content": {"type": "text", "text": "x"}}]) == "x"
