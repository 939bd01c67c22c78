"""Finds the Lean file in what a model wrote, and makes a statement of what a data set has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

_OPENING = re.compile(r"(?:^|[^`])(`{3,})[ \t]*([^\s`]*)[^`]*$")
"""The end of a line that opens a block; text may stand before it. Its groups are the fence and the language."""

_LEAN = frozenset({"lean4", "lean"})
_OPEN_END = re.compile(r":=\s*(by\s*)?$")


def last_lean_block(text: str) -> str | None:
    """Find the Lean file in a completion: the last closed block of code that is marked as Lean.

    A block counts if its opening fence says `lean4` or `lean`, in any case of letters; where there is none, one that
    says nothing. Blocks in other languages never count, and neither does one that is not closed: the model was cut off
    in it. A fence is three backticks or more at the beginning of a line, or at the end of what is said on it.

    Returns:
        The text between its fences, or None where there is no such block.
    """
    lean = unmarked = language = None
    fence, block = "", [""]
    for line in text.split("\n"):
        opening = _OPENING.search(line)
        begins_with_fence = language is not None and line.lstrip().startswith(fence)
        # Within a block a fence that names a language begins another one: the model has not closed the first.
        if opening and (language is None or (begins_with_fence and opening[2])):
            fence, language, block = opening[1], opening[2].lower(), []
        elif language is not None and (begins_with_fence or line.rstrip().endswith(fence)):
            # A fence directly behind the last words of the code closes the block, too.
            code = "\n".join(block if begins_with_fence else [*block, line.rstrip().removesuffix(fence)])
            if language in _LEAN:
                lean = code
            elif not language:
                unmarked = code
            language = None
        elif language is not None:
            block.append(line)
    return unmarked if lean is None else lean


def completion_text(completion: Any) -> str:
    """Give the text of a completion: itself, or what the assistant said last in a list of messages.

    A message's content may be a text or a list of parts, of which those with text count. A message without text, as of
    a call of a tool, is passed over.

    Raises:
        TypeError: It is neither a text nor a list of messages.
    """
    if isinstance(completion, str):
        return completion
    if not isinstance(completion, Sequence) or not all(isinstance(message, Mapping) for message in completion):
        raise TypeError(f"a completion is a text or a list of messages, not {type(completion).__name__}")
    for message in reversed(completion):
        if message.get("role", "assistant") == "assistant":
            content = message.get("content")
            parts = content if isinstance(content, Sequence) and not isinstance(content, str) else [content]
            text = "".join(_text_of(part) for part in parts)
            if text:
                return text
    return ""


def _text_of(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else part
    return text if isinstance(text, str) else ""


def with_header(text: str, header: str) -> str:
    """Put a header before a text that imports nothing itself; one that has imports stays as it is."""
    try:
        has_imports = bool(parse_header(text).imports)
    except HeaderError:
        has_imports = True  # the worker says what is wrong with it
    return text if has_imports or not header else f"{header.rstrip()}\n\n{text}"


def has_other_imports(proof: str, statement: str) -> bool:
    """Tell whether an audit can only reject a proof, because its import header is not that of its statement."""
    try:
        return parse_header(proof).fingerprint != parse_header(statement).fingerprint
    except HeaderError:
        return False  # the worker says what is wrong with it


def as_statement(text: str) -> str:
    """Complete a statement as data sets have them, which may end in `:=` or `:= by`, with its `sorry`."""
    ending = _OPEN_END.search(text)
    return f"{text.rstrip()} sorry" if ending else text
