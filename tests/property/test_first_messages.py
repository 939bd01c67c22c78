"""The reader of an answer's first part: it takes whatever comes, and says nothing that was not said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamverify.lean.repl.protocol import first_messages

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(list('"\\{}[]:,\n')), max_size=12)
messages = st.fixed_dictionaries(
    {
        "severity": st.sampled_from(["error", "warning", "info"]),
        "pos": st.fixed_dictionaries({"line": st.integers(1, 99), "column": st.integers(0, 99)}),
        "data": texts,
    },
    optional={"kind": texts},
)
others = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("messages"), inner, max_size=3),
    max_leaves=8,
)
answers = st.builds(
    lambda before, said, after: {**before, "messages": said, **after},
    st.dictionaries(texts, others, max_size=3),
    st.lists(messages, max_size=4),
    st.dictionaries(texts.filter(lambda name: name != "messages"), others, max_size=2),
)


@given(answers, st.integers(0, 400), st.sampled_from([None, 1]), st.booleans())
def test_of_any_first_part_the_messages_that_are_complete_are_found(
    answer: dict[str, Any],
    size: int,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - drawn
) -> None:
    raw = json.dumps(answer, indent=indent, ensure_ascii=ascii_only).encode()
    assert first_messages(raw) == answer["messages"]
    found = first_messages(raw[:size])
    assert found == answer["messages"][: len(found)]


@given(st.binary(max_size=60), answers, st.integers(0, 200))
def test_no_bytes_make_it_fail(noise: bytes, answer: dict[str, Any], at: int) -> None:
    raw = json.dumps(answer).encode()
    for mangled in (noise, raw[:at] + noise + raw[at:], raw[:at] + noise):
        assert isinstance(first_messages(mangled), list)
