"""The gateway's turns, whatever is asked for, finished and given up in whatever order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamverify.core.gateway.turns import Claim, Places, Turns

PLACES = Places(total=6, per_key=4, total_bytes=100)
SIZES = st.lists(st.sampled_from([0, 1, 30, 60, 150]), max_size=8)


class TurnsMachine(RuleBasedStateMachine):
    """Compares `Turns` with a plain count of what was given and what is free."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(PLACES)
        self.claims: list[Claim] = []
        self.gone: list[Claim] = []  # kept, so that no other claim gets their ids
        self.wanted: dict[int, int] = {}
        self.released: Counter[int] = Counter()

    @rule(key=st.sampled_from("abc"), sizes=SIZES)
    def begin(self, key: str, sizes: list[int]) -> None:
        claim = Claim(key)
        self.claims.append(claim)
        self.wanted[id(claim)] = len(sizes)
        self.turns.want(claim, sizes)
        self.give()

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), sizes=SIZES)
    def want_more(self, data: st.DataObject, sizes: list[int]) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        self.wanted[id(claim)] += len(sizes)
        self.turns.want(claim, sizes)
        self.give()

    @precondition(lambda self: any(claim.held for claim in self.claims))
    @rule(data=st.data())
    def finish_one(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from([claim for claim in self.claims if claim.held]))
        self.turns.release(claim)
        self.released[id(claim)] += 1
        self.give()

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        claim = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        self.gone.append(claim)
        self.turns.withdraw(claim)
        assert not claim.held
        assert not claim.sizes
        self.give()

    def give(self) -> None:
        before = {id(claim): claim.granted for claim in self.claims}
        given_to = self.turns.next()
        assert len({id(claim) for claim in given_to}) == len(given_to)
        grown = {id(claim) for claim in self.claims if claim.granted > before[id(claim)]}
        assert grown == {id(claim) for claim in given_to}

    @invariant()
    def no_bound_is_passed(self) -> None:
        held = [size for claim in self.claims for size in claim.held]
        by_key = Counter(claim.key for claim in self.claims for _ in claim.held)
        assert self.turns.held == len(held) <= PLACES.total
        assert self.turns._held_by == {key: count for key, count in by_key.items() if count}
        assert all(by_key[key] <= PLACES.per_key for key in "abc")
        # One that is larger than all the room goes alone.
        assert sum(held) <= PLACES.total_bytes or len(held) == 1

    @invariant()
    def everything_is_accounted_for(self) -> None:
        for claim in self.claims:
            assert claim.granted + len(claim.sizes) == self.wanted[id(claim)]
            assert len(claim.held) == claim.granted - self.released[id(claim)]
        assert self.turns.waiting == sum(len(claim.sizes) for claim in self.claims)

    @invariant()
    def no_place_stays_free_that_somebody_may_have(self) -> None:
        room = PLACES.total_bytes - sum(size for claim in self.claims for size in claim.held)
        if self.turns.held == PLACES.total:
            return
        for key in "abc":
            waiting = [claim for claim in self.claims if claim.key == key and claim.sizes]
            if waiting and self.turns._held_by.get(key, 0) < PLACES.per_key:
                # The key's next batch waits for bytes; a batch behind it does not overtake.
                assert any(claim.sizes[0] > room for claim in waiting)
                assert self.turns.held


TestTurns = TurnsMachine.TestCase


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5), places=st.integers(1, 7))
def test_keys_that_wait_get_as_many_places_each_however_large_their_batches(counts: list[int], places: int) -> None:
    turns = Turns(Places(places, places, 10**9))
    claims = [Claim(f"key{number}") for number, _ in enumerate(counts)]
    for claim, count in zip(claims, counts, strict=True):
        turns.want(claim, [1] * count)
    turns.next()
    while all(claim.sizes for claim in claims):
        granted = [claim.granted for claim in claims]
        assert max(granted) - min(granted) <= 1
        turns.release(next(claim for claim in claims if claim.held))
        turns.next()


@given(large=st.integers(10, 200), small=st.integers(1, 8), places=st.integers(1, 8))
def test_a_small_batch_passes_a_large_one_of_the_same_key(large: int, small: int, places: int) -> None:
    turns = Turns(Places(places, places, 10**9))
    first, second = Claim("key"), Claim("key")
    turns.want(first, [1] * large)
    turns.next()
    turns.want(second, [1] * small)
    before = first.granted
    while second.sizes and first.sizes:
        turns.release(next(claim for claim in (first, second) if claim.held))
        turns.next()
    assert first.granted - before <= small + 1
