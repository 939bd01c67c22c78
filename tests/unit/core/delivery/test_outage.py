"""Whether brokers answer: an outage begins once, ends once, and lasts from the last answer on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.delivery.outage import BrokerOutage


@given(st.lists(st.booleans()))
def test_an_outage_begins_and_ends_once_and_lasts_from_the_last_answer(answers: list[bool]) -> None:
    outage, last, out = BrokerOutage(0.0), 0.0, False
    for now, answer in enumerate(answers, start=1):
        if answer:
            assert outage.answered(now) == (now - last if out else None)
            last, out = now, False
        else:
            assert outage.silent() is not out
            out = True
        assert outage.since == (last if out else None)
        assert outage.lasts(now) == (now - last if out else 0.0)
