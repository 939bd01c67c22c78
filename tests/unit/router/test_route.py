"""Where a record of the ingest topic goes."""

from __future__ import annotations

import json

import pytest

from streamverify.core.errors import UndecodableRequest
from streamverify.core.scheduling.partitioner import BLANK, affinity_key
from streamverify.router import route as module
from streamverify.router.route import MAX_SHOWN, NO_HEADER, DeadLetterRoute, Forward, route


def value(**fields: object) -> bytes:
    return json.dumps({"custom_id": "a"} | fields).encode()


def test_a_proof_goes_by_its_header() -> None:
    proof = "-- first\nimport Lean  import Mathlib\nimport Lean\ntheorem t := 1"
    assert route(value(proof=proof)) == Forward(affinity_key(proof), "import Lean\nimport Mathlib\n")
    assert route(value(code=proof)) == route(value(proof=proof))


def test_a_proof_without_imports_has_the_blank_key() -> None:
    assert route(value(proof="theorem t := 1")) == NO_HEADER == Forward(BLANK, "")


@pytest.mark.parametrize(
    "fields",
    [{"proof": "prelude\n"}, {"proof": "import\n"}, {}, {"proof": 1}, {"proof": "import Lean", "timeout": "soon"}],
)
def test_an_invalid_request_is_forwarded_for_the_worker_to_answer(fields: dict[str, object]) -> None:
    assert route(value(**fields)) == NO_HEADER


def test_json_that_only_a_lenient_reader_takes_is_forwarded_too() -> None:
    assert route(b'{"custom_id": "a", "proof": "import Lean", "timeout": NaN}') == NO_HEADER


@pytest.mark.parametrize("bad", [None, b"", b"{", b"[]", b"null", b"\xff", b'{"proof": "x"}', b'{"custom_id": true}'])
def test_a_record_without_a_custom_id_goes_to_the_dead_letters(bad: bytes | None) -> None:
    decided = route(bad)
    assert isinstance(decided, DeadLetterRoute)
    assert isinstance(decided.error, UndecodableRequest)


def test_no_size_is_too_large_here() -> None:
    assert isinstance(route(value(proof="import Lean\n" + "x" * 900_000)), Forward)
    decided = route(value(proof="import Lean\n" + "x" * 900_000))
    assert isinstance(decided, Forward)
    assert decided.key == affinity_key("import Lean")


def test_a_long_header_is_cut_for_people_only() -> None:
    proof = "".join(f"import Some.Module.Number{number}\n" for number in range(100))
    decided = route(value(proof=proof))
    assert isinstance(decided, Forward)
    assert decided.header == proof[:MAX_SHOWN]
    assert decided.key == affinity_key(proof)


def test_a_defect_of_ours_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_proof: str) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(module, "parse_header", broken)
    decided = route(value(proof="import Lean"))
    assert isinstance(decided, DeadLetterRoute)
    assert isinstance(decided.error, RecursionError)
