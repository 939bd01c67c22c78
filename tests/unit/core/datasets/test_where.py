from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.datasets.where import Condition, parse_all
from streamverify.core.errors import SourceError

ROW: dict[str, Any] = {
    "split": "test",
    "n": 10,
    "x": 0.5,
    "ok": True,
    "none": None,
    "word": "true",
    "a b": "c=d",
    "l": [1],
    "text": "10",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("split=test", True),
        ("split == test", True),
        ("split='test'", True),
        ("split=tes", False),
        ("split!=train", True),
        ("split~^te", True),
        ("split!~^te", False),
        ("split ~ S", False),
        ("split ~ (?i)S", True),
        ("split<u", True),
        ("n=10", True),
        ("n=10.0", True),
        ("n='10'", True),
        ("n>9", True),
        ("n<=9", False),
        ("n>=10", True),
        ("n>nine", False),
        ("n~1", False),
        ("n!~1", True),
        ("x<0.6", True),
        ("ok=true", True),
        ("ok=1", False),
        ("ok>0", False),
        ("none=null", True),
        ("none=", False),
        ("none!=null", False),
        ("none!=x", True),
        ("none<1", False),
        ("word=true", True),
        ("split=null", False),
        ("a b=c=d", True),
        ("l=[1]", True),
        ("l<1", False),
        # A file of CSV has texts alone.
        ("text>9", True),
        ("text<=9.5", False),
        ("text>'9'", False),
        ("text>nine", False),
        ("split>9", True),
        ("n>'9'", False),
    ],
)
def test_conditions(text: str, holds: bool) -> None:  # noqa: FBT001
    assert Condition.parse(text).holds(ROW) is holds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("split", "--where 'split': write COLUMN=VALUE, or != < <= > >= or ~ REGEX in the place of ="),
        ("=x", "--where '=x': write COLUMN=VALUE, or != < <= > >= or ~ REGEX in the place of ="),
        (
            "split~(",
            "--where 'split~(': the regular expression is wrong: missing ), unterminated subpattern at position 0",
        ),
        ("splt=a", "--where: there is no column `splt`; did you mean `split`? there are `split`, `n`"),
    ],
)
def test_wrong_conditions_are_said(text: str, error: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse_all([text], ["split", "n"])
    assert str(raised.value) == error
