"""What is refused of a body is named; what is wrong with one proof costs the others nothing."""

from __future__ import annotations

import json

import pytest

from streamverify.gateway.axle import ProofBody, check_options
from streamverify.gateway.bodies import BodyError, CheckBody, VerifyBody, read_body

AXLE = {"formal_statement": "theorem t : True := sorry", "content": "theorem t : True := trivial", "environment": "e"}


def refusal(text: str | bytes, form: type[CheckBody | VerifyBody | ProofBody] = CheckBody) -> BodyError:
    with pytest.raises(BodyError) as raised:
        read_body(text if isinstance(text, bytes) else text.encode(), form)
    return raised.value


def test_the_defaults_are_those_of_the_servers_that_it_stands_in_for() -> None:
    check = read_body(b'{"snippets": [{"id": "a", "code": "x"}]}', CheckBody)
    assert (check.timeout, check.reuse, check.debug, check.infotree) == (30, True, False, None)
    verify = read_body(b'{"codes": [{"custom_id": 1, "code": "x"}]}', VerifyBody)
    assert (verify.timeout, verify.disable_cache, verify.codes[0].custom_id) == (300, False, 1)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("{}", "snippets", "is missing"),
        ('{"snippets": []}', "snippets", "must not be empty"),
        (
            json.dumps({"snippets": [{"id": 1, "group": "g" * 129}]}),
            "snippets[0].group",
            "has more than 128 characters",
        ),
        ('{"snippets": 5}', "snippets", "not 5"),
        ('{"snippets": [{"code": "x"}]}', "snippets[0].id", "is missing"),
        ('{"snippets": [{"id": "a"}, 7]}', "snippets[1]", "must be an object, not 7"),
        ('{"snippets": [{"id": true, "code": "x"}]}', "snippets[0].id", "not true"),
        ('{"snippets": [{"id": 1.5, "code": "x"}]}', "snippets[0].id", "not 1.5"),
        ('{"snippets": [{"id": 18446744073709551616}]}', "snippets[0].id", "of 64 bits"),
        ('{"snippets": [{"id": "a", "code": 5}]}', "snippets[0].code", "must be a valid string, not 5"),
        ('{"snippets": [{"id": "a"}], "timeout": 0}', "timeout", "greater than 0"),
        ('{"snippets": [{"id": "a"}], "timeout": "60"}', "timeout", "must be a valid number"),
        ('{"snippets": [{"id": "a"}], "timeout": NaN}', "timeout", ""),
        ('{"snippets": [{"id": "a"}], "infotree": "all"}', "infotree", "'full'"),
        ('{"snippets": [{"id": "a"}], "reuse": 1}', "reuse", "boolean"),
        ('{"snippets": [{"id": "a"}], "require": "none"}', "require", "'replayed' or 'cross_checked'"),
        ('{"snippets": [{"id": "\\ud800"}]}', "snippets[0].id", "surrogate"),
    ],
)
def test_the_field_that_is_wrong_is_named(text: str, field: str, words: str) -> None:
    error = refusal(text)
    assert (error.status, error.field) == (422, field)
    assert str(error).startswith(f"{field}: ")
    assert words in str(error)


@pytest.mark.parametrize("text", [b"", b"[", b"\xff", b"a=b", b"[" * 100_000, b'{"snippets": [}'])
def test_what_is_no_json_is_400(text: bytes) -> None:
    assert refusal(text).status == 400


@pytest.mark.parametrize("text", [b"[]", b"null", b'"x"', b"5"])
def test_what_is_no_object_is_422(text: bytes) -> None:
    assert refusal(text).status == 422


def test_a_mistake_is_short_however_long_the_proof() -> None:
    text = json.dumps({"snippets": [{"id": "a"}], "infotree": "x" * 100_000})
    assert len(str(refusal(text))) < 300


def test_a_proof_that_is_missing_or_no_text_does_not_cost_the_others_theirs() -> None:
    text = json.dumps(
        {"snippets": [{"id": 1, "code": "\ud800"}, {"id": 2}, {"id": 3, "code": None}, {"id": 4, "code": "é"}]}
    )
    assert [snippet.code for snippet in read_body(text.encode(), CheckBody).snippets] == [None, None, None, "é"]


def test_axles_defaults() -> None:
    body = read_body(json.dumps(AXLE).encode(), ProofBody)
    assert (body.timeout_seconds, body.ignore_imports) == (120, True)
    check_options(body)


@pytest.mark.parametrize(
    "option",
    [
        {"permitted_sorries": ["helper"]},
        {"mathlib_options": True},
        {"run_env_linters": True},
        {"global_options": {"maxHeartbeats": 1}},
        {"verify_negation": True},
        {"allow_statement_axioms": True},
        {"allow_bv_decide": True},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_that_would_change_what_is_checked_is_refused_by_name(option: dict[str, object]) -> None:
    body = read_body(json.dumps({**AXLE, **option}).encode(), ProofBody)
    with pytest.raises(BodyError) as raised:
        check_options(body)
    assert (raised.value.status, [raised.value.field]) == (400, list(option))


@pytest.mark.parametrize("name", list(AXLE))
def test_what_axle_requires_is_required(name: str) -> None:
    text = json.dumps({key: value for key, value in AXLE.items() if key != name})
    assert refusal(text, ProofBody).field == name
