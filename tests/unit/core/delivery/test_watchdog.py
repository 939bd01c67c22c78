"""When a worker gives itself up, and when not."""

from __future__ import annotations

import pytest

from streamverify.core.delivery.watchdog import Health, Watchdog

LIMIT = 100.0


def judged(dog: Watchdog, now: float, *, answers: bool = True, due: bool = True) -> Health:
    return dog.judge(now, broker_answers=answers, something_due=due)


def test_something_due_and_nothing_done_for_the_limit_is_stuck() -> None:
    dog = Watchdog(LIMIT, 0.0)
    assert judged(dog, 50) is Health.FINE
    assert judged(dog, 150) is Health.FINE
    assert judged(dog, 151) is Health.STUCK


@pytest.mark.parametrize(("answers", "due"), [(False, True), (True, False), (False, False)])
def test_without_a_broker_or_with_nothing_due_it_is_never_stuck(answers: bool, due: bool) -> None:  # noqa: FBT001
    dog = Watchdog(LIMIT, 0.0)
    for now in range(0, 10_000, 50):
        assert judged(dog, now, answers=answers, due=due) is not Health.STUCK


def test_what_became_possible_only_now_gets_the_whole_time() -> None:
    dog = Watchdog(LIMIT, 0.0)
    assert judged(dog, 5_000, due=False) is Health.FINE
    assert judged(dog, 5_001) is Health.FINE
    assert judged(dog, 5_050, answers=False) is Health.WAITING
    assert judged(dog, 5_102) is Health.FINE
    assert judged(dog, 5_203) is Health.STUCK


def test_a_success_starts_anew() -> None:
    dog = Watchdog(LIMIT, 0.0)
    judged(dog, 30)
    dog.succeeded(120)
    assert judged(dog, 140) is Health.FINE
    assert judged(dog, 239) is Health.FINE
    assert judged(dog, 241) is Health.STUCK


def test_the_broker_is_asked_only_after_a_while_without_success() -> None:
    dog = Watchdog(LIMIT, 0.0)
    assert not dog.is_worth_asking(25)
    assert dog.is_worth_asking(26)
    dog.succeeded(26)
    assert not dog.is_worth_asking(50)
