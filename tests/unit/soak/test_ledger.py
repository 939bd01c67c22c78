"""The ledger of a soak: nothing lost and nothing wrong goes by unseen, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from soak.ledger import Ledger
from soak.load import VERDICTS, expectations, make_case

COUNT = 30


@given(
    st.binary(min_size=COUNT, max_size=COUNT).map(lambda drawn: bytes(byte % 3 for byte in drawn)),
    st.lists(st.tuples(st.booleans(), st.integers(0, COUNT - 1), st.integers(0, 2)), max_size=200),
)
def test_every_proof_is_counted_once_and_every_wrong_result_is_seen(
    expected: bytes, events: list[tuple[bool, int, int]]
) -> None:
    names = ("ok", "sorry", "timeout")
    ledger = Ledger(expected, names)
    sent, answers, wrong = set(), [], 0
    for is_answer, number, verdict in events:
        if is_answer:
            ledger.was_answered(f"{number}-x", names[verdict])
            answers.append(number)
            wrong += verdict != expected[number]
        else:
            ledger.was_sent(number)
            sent.add(number)
    assert (ledger.sent, ledger.answered, ledger.results) == (len(sent), len(set(answers)), len(answers))
    assert (ledger.repeats, ledger.wrongs) == (len(answers) - len(set(answers)), wrong)
    assert ledger.unanswered() == sorted(set(range(COUNT)) - set(answers))
    assert ledger.open == max(0, len(sent) - len(set(answers)))


@given(st.text(max_size=10))
def test_what_nobody_asked_for_is_wrong(custom_id: str) -> None:
    ledger = Ledger(bytes(5), ("ok",))
    number = custom_id.partition("-")[0]
    ledger.was_answered(custom_id, "ok")
    asked = number.isascii() and number.isdigit() and len(number) == 1 and int(number) < 5
    assert ledger.wrongs == (not asked)


def test_the_proofs_of_a_seed_are_the_same_each_time_and_all_kinds_are_there() -> None:
    expected = expectations(20_000, 1)
    assert expected == expectations(20_000, 1)
    assert set(expected) == set(range(len(VERDICTS)))
    assert 0.78 < expected.count(len(VERDICTS) - 1) / 20_000 < 0.84
    case = make_case(7, 1, expected)
    assert case == make_case(7, 1, expected)
    assert case.custom_id.startswith("7-")
    assert case.expected == VERDICTS[expected[7]]
