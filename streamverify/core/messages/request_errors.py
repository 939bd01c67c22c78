"""Words what is wrong with a request for its sender: one sentence, the field first, without pydantic's jargon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamverify.core.errors import InvalidRequest, UndecodableRequest
from streamverify.core.messages import jsontext
from streamverify.core.messages.models import ALIASES

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_MAX_ECHO = 60
"""Characters of the sender's own value that a sentence repeats."""

_EXPECTED = {
    "custom_id": "a string or an integer",
    "proof": "a string, the whole Lean file",
    "timeout": "a number of seconds above 0",
    "infotree_type": "null, full, tactics, original or substantive",
    "all_tactics": "true or false",
    "disable_cache": "true or false",
    "require": "null, checked, audited, replayed or cross_checked",
    "run": "a string or null",
    "group": "a string or null",
    "first_success": "true or false",
    "theorem": "a string or null",
    "statement": "a string or null",
    "deadline": "an RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z",
    "metadata": "an object or null",
}


def request_error(data: dict[str, Any], invalid: ValidationError) -> UndecodableRequest | InvalidRequest:
    """Make the error for wrong fields. If several are wrong it names the first, and custom_id before all others."""
    # Pydantic's own text repeats the whole input, and its own types: no sentence for a sender.
    errors = invalid.errors(include_url=False)
    wrong = {error["loc"][0] for error in errors}
    message = _sentence(data, errors[0])
    if "custom_id" in wrong:
        return UndecodableRequest(message)
    # What is valid goes back with the refusal: senders find their request again by it.
    returned = {name: data.get(name) for name in ("metadata", "run", "group") if name not in wrong}
    return InvalidRequest(message, custom_id=str(data["custom_id"]), **returned)


def _sentence(data: dict[str, Any], error: ErrorDetails) -> str:
    """Word one of pydantic's errors, with the name of the field that the sender used."""
    field = str(error["loc"][0])
    alias = ALIASES.get(field)
    name = f"`{alias}`" if alias in data and data.get(field) is None else f"`{field}`"
    match error["type"]:
        case "missing":
            return f"{name} is missing: it must be {_EXPECTED[field]}"
        case "string_too_short":
            return f"{name} is empty"
        case "string_too_long":
            return f"{name} has more than {error['ctx']['max_length']} characters"
        case "string_unicode":
            return f"{name} has characters that UTF-8 cannot encode (half of a surrogate pair)"
        case "value_error":
            return f"{name} {error['ctx']['error']}"
        case _:
            return f"{name} must be {_EXPECTED[field]}, not {echo(error['input'])}"


def echo(value: Any) -> str:
    """Show a value as the sender wrote it, cut to `_MAX_ECHO` characters; of an object or a list only its kind."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case float():
            return repr(value)
        case int() if not isinstance(value, bool):
            return jsontext.cut(str(value), _MAX_ECHO)
        case str():
            return jsontext.dumps(jsontext.cut(value, _MAX_ECHO)).decode()
        case _:
            return jsontext.cut(jsontext.dumps(value).decode(), _MAX_ECHO)
